"""Folders of evidence: what is true is found true, by people without Pasokh too, and no change of them is missed."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import pypdfium2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance import cli
from appliance.clock import VirtualClock
from appliance.errors import Problem
from appliance.evidence import proof, verify
from appliance.evidence.proof import canonical
from appliance.messages import LANGUAGES, problem_lines
from appliance.records import chain, signing
from appliance.records.events import (
    ConversationErased,
    Happened,
    RecordingExported,
    RecordingHeld,
    RecordingReleased,
    RecordingTaken,
)
from appliance.records.reader import Reader
from appliance.records.signing import Signer
from appliance.records.store import Store, links
from tests.recorder.given import CLASSIC, NO_BOX, OTHER, named
from tests.recorder.given import Box as Recorder
from tests.records.given import KEY, a_call, opened, sealed

MUTATIONS = 1000 if os.environ.get("PASOKH_LONG") else 300
INTACT = 1000 if os.environ.get("PASOKH_LONG") else 10
EXPORTS_OF_A_BOX = 10
SEED = bytes(range(7, 39))
AT = 1_790_000_000_000


class Box:
    """A data folder: three conversations in the records, the second with a recording of its own that is sealed."""

    def __init__(self, folder: Path, seed: bytes = SEED, seconds: int = 3) -> None:
        self.folder = folder
        self.file = folder / "calls.db"
        self.signer = Signer(seed)
        self.clock = VirtualClock(AT)
        recorder = Recorder(folder)
        recorder.start(2)
        recorder.run(seconds)
        base = recorder.sealed(2)
        recorder.close()
        body, seal = base.with_suffix(".body").read_bytes(), base.with_suffix(".seal").read_bytes()
        self.store = Store(self.file, KEY, self.clock)
        for number in (1, 2, 3):
            for moment in self._call(number, body, seal, 1000 * seconds):
                self.store.apply(moment)
                self.clock.advance_to(self.clock.monotonic() + 1.0)
        self.sign()
        self.store.apply([opened("c4")])

    @staticmethod
    def _call(number: int, body: bytes, seal: bytes, milliseconds: int) -> list[list[Happened]]:
        moments: list[list[Happened]] = [list(moment) for moment in a_call(f"c{number}")]
        if number != 2:
            return [*moments[:-1], [each for each in moments[-1] if each.kind == "record.closed"]]
        said = sealed("c2", named(2))
        digests = hashlib.sha256(body).hexdigest(), hashlib.sha256(seal).hexdigest()
        real = type(said)("c2", named(2), "sealed", len(body), *digests, milliseconds, 0, 1_000, 1_000, 0, 0)
        return [*moments[:-1], [real, *(each for each in moments[-1] if each.kind == "record.closed")]]

    def sign(self) -> None:
        self.store.apply([self.signer.sign(self.store.head(), self.clock.utc_ms())])

    def reader(self) -> Reader:
        return Reader(self.file, KEY)

    def export(self, out: Path, conversation: str = "c2") -> proof.Made:
        reader = self.reader()
        try:
            return proof.make(reader, self.folder / "kept", conversation, CLASSIC, out, NO_BOX)
        finally:
            reader.close()


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Box:
    return Box(tmp_path_factory.mktemp("box"))


@pytest.fixture(scope="module")
def folder(box: Box, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "evidence"
    made = box.export(out)
    assert (made.recordings, made.fingerprint) == (1, signing.fingerprint(box.signer.public.hex()))
    return out


def checker(folder: Path) -> ModuleType:
    """The program that lies in the folder, as somebody else would load it."""
    spec = importlib.util.spec_from_file_location("check_of_the_folder", folder / "check.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """By a Python that has no Pasokh on its path, from another folder."""
    program = [sys.executable, "-I", str(folder / "check.py"), str(folder), *arguments]
    done = subprocess.run(program, capture_output=True, text=True, cwd="/")
    return done.returncode, done.stdout + done.stderr


def test_the_checker_in_the_folder_needs_nothing_of_ours_and_finds_it_true(box: Box, folder: Path) -> None:
    code, said = run(folder)
    shown = signing.fingerprint(box.signer.public.hex()).replace(" ", "")
    assert code == 0 and said.startswith("TRUE: ") and shown in said and "1 recordings" in said
    assert run(folder, shown)[0] == 0 and run(folder, signing.fingerprint(box.signer.public.hex()).lower())[0] == 0
    code, said = run(folder, "0123456789ABCDEF")
    assert code == 1 and "key is not the one" in said
    assert "import appliance" not in (folder / "check.py").read_text()


def test_the_folder_holds_the_sound_and_nothing_of_others(box: Box, folder: Path) -> None:
    assert {file.name for file in folder.iterdir()} == {
        "chain.jsonl", "proof.json", "check.py", "report-fa.html", "report-en.html", "report-fa.pdf", "report-en.pdf",
        *(f"{named(2)}.{suffix}" for suffix in ("body", "seal", "wav")),
    }  # fmt: skip
    assert (folder / f"{named(2)}.wav").read_bytes()[:4] == b"RIFF"
    lines = [json.loads(line) for line in (folder / "chain.jsonl").read_text().splitlines()]
    assert {line["subject"] for line in lines if line["body"] is not None} == {"c2", "chain"}
    assert {line["subject"] for line in lines} == {"c2", "c3", "chain"}
    assert all(file.stat().st_mode & 0o077 == 0 for file in folder.iterdir())
    for language, word in (("fa", "سند یک گفت‌وگو"), ("en", "Record of one conversation")):
        page = (folder / f"report-{language}.html").read_text(encoding="utf-8")
        assert word in page and named(2) in page and signing.fingerprint(box.signer.public.hex()) in page
        assert "http" not in page and "<script" not in page


def test_the_printed_report_says_the_same_as_the_page_in_both_languages(box: Box, folder: Path) -> None:
    shown = signing.fingerprint(box.signer.public.hex())
    for language in LANGUAGES:
        paper = pypdfium2.PdfDocument(folder / f"report-{language}.pdf")
        text = "\n".join(page.get_textpage().get_text_range() for page in paper)
        for word in (f"{named(2)}.wav", shown, f"check.py . {shown.replace(' ', '')}", "recording.sealed", "UTC)"):
            assert word in text, (language, word)
        for word in ("سند", "ضبط", "پاسخ داده شد") if language == "fa" else ("Record", "Recordings", "served"):
            assert word in text, (language, word)


def test_persian_is_printed_from_the_right_with_its_letters_joined(folder: Path) -> None:
    page = pypdfium2.PdfDocument(folder / "report-fa.pdf")[0]
    words = page.get_textpage()
    text = words.get_text_range()
    left, _, right, _ = words.get_charbox(text.index("سند"))
    assert left > page.get_width() / 2 and right > page.get_width() * 0.8  # the first letter of the title
    fonts = {letter for letter in text if "\ufb50" <= letter <= "\ufeff"}
    assert not fonts  # letters are kept as letters, not as shapes, so that the file can be searched


def test_without_its_packages_a_folder_has_no_pdf_and_is_whole(
    box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fpdf", None)
    assert not box.export(tmp_path / "out").has_pdf
    assert not list((tmp_path / "out").glob("*.pdf")) and verify.verify(tmp_path / "out")


def test_the_whole_chain_is_verified_with_its_signatures(box: Box) -> None:
    with_reader = box.reader()
    head, signed = with_reader.verify_signed(box.signer.public.hex())
    assert isinstance(head, chain.Head) and signed is not None and head.n == signed.n + 2
    other, _ = with_reader.verify_signed("ab" * 32)
    assert isinstance(other, chain.Fault) and other.reason == "other_key"
    with_reader.close()


Rewrite = Callable[[list[chain.Link]], Sequence[chain.Link]]


def _relinked(links: Sequence[chain.Link]) -> list[chain.Link]:
    """The chain computed anew, as somebody can who has the database and not the signing key."""
    before, found = chain.FIRST, []
    for n, each in enumerate(links, 1):
        link = chain.link(before, n, each.at, each.kind, each.subject, each.commitment)
        found.append(
            chain.Link(n, each.at, each.kind, each.subject, each.commitment, link, each.salt, each.body, False)
        )
        before = link
    return found


def _dated(links: list[chain.Link]) -> Sequence[chain.Link]:
    one = links[3]
    changed = chain.Link(one.n, one.at + 1, one.kind, one.subject, one.commitment, one.link, one.salt, one.body, False)
    return [*links[:3], changed, *links[4:]]


def _said(links: list[chain.Link]) -> Sequence[chain.Link]:
    one = links[3]
    body = (one.body or b"").replace(b"c1", b"c9")
    changed = chain.Link(
        one.n, one.at, one.kind, one.subject, chain.commitment(one.salt or b"", body), one.link, one.salt, body, False
    )
    return [*links[:3], changed, *links[4:]]


@pytest.mark.parametrize(
    "rewrite", [_dated, _said, lambda links: [*links[:5], *links[6:]], lambda links: [links[1], links[0], *links[2:]]],
    ids=["dated anew", "said anew", "left out", "in another order"],
)  # fmt: skip
def test_a_chain_that_was_computed_anew_without_the_key_is_found(tmp_path: Path, rewrite: Rewrite) -> None:
    store = Store(tmp_path / "calls.db", KEY, VirtualClock(AT))
    for moment in a_call("c1"):
        store.apply(moment)
    store.apply([Signer(SEED).sign(store.head(), AT)])
    found: list[chain.Link] = []
    with store.transaction() as db:
        found = list(links(db))
    anew = _relinked(rewrite(found))
    assert isinstance(chain.verify(anew), chain.Head)  # by itself it looks whole
    fault, _ = signing.verify(anew)
    assert isinstance(fault, chain.Fault) and fault.reason == "unsigned"
    store.close()


def test_no_mutation_of_a_folder_is_missed_and_nothing_whole_is_accused(folder: Path, tmp_path: Path) -> None:
    """Flip, cut, append, drop, swap, repeat, date anew, exchange: each is found by the folder's program and by ours."""
    check = checker(folder)
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    guarded = [name for name in files if not name.startswith("report") and name != "check.py"]
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    missed = []
    for number in range(MUTATIONS):
        chance = random.Random(number)
        name = chance.choice(guarded)
        changed, what = mutated(chance, name, files[name])
        (copy / name).write_bytes(changed)
        is_true = changed == files[name]
        if (_is_true_for(check, copy), _is_true_for_us(copy)) != (is_true, is_true):
            missed.append((number, name, what))
        (copy / name).write_bytes(files[name])
    assert not missed, missed
    print(f"mutations: {MUTATIONS}, missed by either checker: 0")
    assert _is_true_for(check, copy) and _is_true_for_us(copy)


def test_no_export_that_is_whole_is_accused(tmp_path: Path) -> None:
    """Of boxes with other keys, sounds of other lengths, and chains that went on and were signed at other moments."""
    chance = random.Random(26)
    for number in range(INTACT // EXPORTS_OF_A_BOX):
        box = Box(tmp_path / f"box-{number}", chance.randbytes(32), chance.randrange(1, 5))
        for export in range(EXPORTS_OF_A_BOX):
            for other in range(chance.randrange(6)):
                box.clock.advance_to(box.clock.monotonic() + chance.uniform(0, 100))
                box.store.apply([opened(f"d{export}-{other}")])
            box.sign()
            out = tmp_path / f"out-{number}-{export}"
            box.export(out, chance.choice(("c1", "c2", "c3")))
            assert _is_true_for(checker(out), out) and _is_true_for_us(out), out.name
            shutil.rmtree(out)
        box.store.close()
    print(f"intact exports: {INTACT}, accused by either checker: 0")


def _is_true_for(check: ModuleType, folder: Path) -> bool:
    try:
        return bool(check.check(str(folder)))
    except check.WrongError:
        return False


def _is_true_for_us(folder: Path) -> bool:
    try:
        return bool(verify.verify(folder))
    except Problem as problem:
        if problem.key != "evidence.not_as_signed":
            raise
        return False


def mutated(chance: random.Random, name: str, data: bytes) -> tuple[bytes, str]:
    """One change; of lines in the chain also the ones that an attacker would make."""
    kinds = ["flip", "cut", "append", "drop"]
    if name == "chain.jsonl":
        kinds += ["line out", "lines swapped", "line twice", "dated anew", "hidden", "relinked"]
    kind = chance.choice(kinds)
    lines = data.splitlines(keepends=True)
    at = chance.randrange(len(data))
    match kind:
        case "flip":
            return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :], kind
        case "cut":
            return data[:at], kind
        case "append":
            return data + chance.randbytes(chance.randrange(1, 40)), kind
        case "drop":
            return data[:at] + data[at + chance.randrange(1, 30) :], kind
        case _:
            pass
    number = chance.randrange(len(lines))
    if kind == "line out":
        return b"".join(lines[:number] + lines[number + 1 :]), kind
    if kind == "lines swapped":
        other = chance.randrange(len(lines))
        lines[number], lines[other] = lines[other], lines[number]
        return b"".join(lines), kind
    if kind == "line twice":
        return b"".join(lines[: number + 1] + lines[number:]), kind
    said = [json.loads(line) for line in lines]
    if kind == "hidden":
        said[number]["salt"] = said[number]["body"] = None
    else:
        number = chance.randrange(len(lines) - 1)  # the last one is the signature itself
        said[number]["at"] += chance.choice((-1, 1)) * chance.randrange(1, 10**9)
    if kind == "relinked":
        _relink(said)
    changed = "".join(canonical(line) + "\n" for line in said).encode()
    return changed, kind


def _relink(said: list[dict[str, object]]) -> None:
    """All links computed anew from the first line on."""
    first = json.loads(canonical(said[0]))
    before = bytes.fromhex(str(first["link"]))
    for line in said[1:]:
        commitment = bytes.fromhex(str(line["commitment"]))
        n, at = int(str(line["n"])), int(str(line["at"]))
        before = chain.link(before, n, at, str(line["kind"]), str(line["subject"]), commitment)
        line["link"] = before.hex()


def test_a_signature_of_another_key_in_its_place_is_found(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    other = Ed25519PrivateKey.generate()
    lines = [json.loads(line) for line in (copy / "chain.jsonl").read_text().splitlines()]
    said = json.loads(lines[-1]["body"])
    message = signing.signed_bytes(said["n"], bytes.fromhex(said["link"]), said["at"])
    said["signature"] = other.sign(message).hex()
    lines[-1]["body"] = json.dumps(said, separators=(",", ":"))
    committed = chain.commitment(bytes.fromhex(lines[-1]["salt"]), lines[-1]["body"].encode())
    lines[-1]["commitment"] = committed.hex()
    before = bytes.fromhex(lines[-2]["link"])
    lines[-1]["link"] = chain.link(before, lines[-1]["n"], lines[-1]["at"], "chain.head", "chain", committed).hex()
    (copy / "chain.jsonl").write_text("".join(canonical(line) + "\n" for line in lines))
    code, text = run(copy)
    assert code == 1 and "signature is not the box's" in text


@pytest.mark.parametrize(
    ("conversation", "key"),
    [("c9", "evidence.no_conversation"), ("", "evidence.no_conversation"), ("c4", "evidence.not_signed")],
)
def test_what_cannot_be_shown_is_refused_with_the_reason(box: Box, tmp_path: Path, conversation: str, key: str) -> None:
    with pytest.raises(Problem) as refused:
        box.export(tmp_path / "out", conversation)
    assert refused.value.key == key and not (tmp_path / "out").exists()
    for language in LANGUAGES:
        assert all(problem_lines(refused.value, language))


def test_nothing_is_exported_over_something_with_another_key_or_of_somebody_erased(tmp_path: Path) -> None:
    box = Box(tmp_path)
    (tmp_path / "there").mkdir()
    with pytest.raises(Problem, match=r"evidence\.unwritable"):
        box.export(tmp_path / "there")
    with pytest.raises(Problem, match=r"recorder\.not_for_this_key"), box.reader() as reader:
        proof.make(reader, tmp_path / "kept", "c2", OTHER, tmp_path / "out", NO_BOX)
    assert not (tmp_path / "out").exists()
    box.store.apply([ConversationErased("c2", "asked", "owner")])
    box.sign()
    with pytest.raises(Problem, match=r"evidence\.erased"):
        box.export(tmp_path / "out")


def test_by_the_command_line(box: Box, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "database-key").write_text(KEY.hex())
    (tmp_path / "owner.key").write_text(CLASSIC.encode() + "\n")
    records = ["--database", str(box.file), "--key", str(tmp_path / "database-key")]
    assert cli.run(["evidence", "verify", *records]) == 0
    assert signing.fingerprint(box.signer.public.hex()) in capsys.readouterr().out
    out = tmp_path / "evidence"
    export = ["evidence", "export", "c2", *records, "--identity", str(tmp_path / "owner.key"), "--out", str(out)]
    assert cli.run(export) == 2 and not out.exists()  # nobody said why
    assert "--reason" in capsys.readouterr().err
    assert cli.run([*export, "--reason", "a <claim>"]) == 0
    said = (out / "report-en.html").read_text(encoding="utf-8")
    assert "a &lt;claim&gt;" in said and "no box was running" in said
    assert proof.digest(out) in capsys.readouterr().out
    assert cli.run(["evidence", "check", str(out)]) == 0
    (out / f"{named(2)}.wav").write_bytes(b"RIFF")
    assert cli.run(["evidence", "check", str(out)]) == 1
    assert f"{named(2)}.wav" in capsys.readouterr().out


def test_a_conversation_that_was_held_played_and_exported_is_still_true(box: Box, tmp_path: Path) -> None:
    """Both checkers know the new kinds, and the report names them; the export's own event is in the next folder."""
    box.store.apply([RecordingTaken("c2", named(2), "sara", "play", "the list")])
    box.store.apply([RecordingHeld("h1", "c2", "", "owner", "a lawsuit")])
    box.store.apply([RecordingExported("c2", named(2), "command line: owner", "evidence", "a claim")])
    box.store.apply([RecordingReleased("h1", "c2", "owner", "it is over")])
    box.sign()
    out = tmp_path / "evidence"
    box.export(out)
    assert checker(out).check(str(out), "") and verify.verify(out)
    said = (out / "report-en.html").read_text(encoding="utf-8")
    for kind in ("recording.taken", "recording.held", "recording.exported", "recording.released"):
        assert said.count(kind) == 1, kind
