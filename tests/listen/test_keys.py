"""Keys made in the browser and keys made by command are the same thing: each side reads what the other has written."""

from __future__ import annotations

import base64
import json
import os
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
from shamir_mnemonic.wordlist import WORDLIST

from appliance.ceremony import making, paper
from appliance.ceremony.making import Wish
from appliance.errors import Problem
from appliance.recorder import keys, passphrase, signed, viewer
from tests.ceremony.given import MADE, PASSPHRASE, a_set, owner_of, recovery_of

COUNT = 100 if os.environ.get("PASOKH_LONG") else 6
NAMES = ("Sara", "سارا احمدی", "علی‌رضا", "M. O-Neil 2")
SCRIPT = Path(__file__).parent / "keys.mjs"


def told(**asked: Any) -> dict[str, Any]:
    script, _ = viewer.files()
    done = subprocess.run(
        ["node", SCRIPT, str(script)], input=json.dumps(asked), capture_output=True, text=True, timeout=250
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def wishes() -> list[Wish]:
    seed = random.Random(41)
    return [Wish(seed.sample(NAMES[:3], seed.randrange(4)), seed.choice(("", NAMES[3]))) for _ in range(COUNT)]


def flipped(text: str, seed: random.Random) -> str:
    """The text with one bit of one byte turned, as it is read from a file."""
    content = bytearray(text.encode())
    content[seed.randrange(len(content))] ^= 1 << seed.randrange(8)
    return content.decode("utf-8", "replace")


def refusal(text: str) -> str:
    try:
        signed.read_set(text)
    except Problem as problem:
        return problem.key
    return ""


def read_here(text: str) -> dict[str, Any]:
    """What the command makes of typed words, in the browser's terms."""
    try:
        return {"key": paper.read_words(text).encode()}
    except Problem as problem:
        return {"fault": problem.key, **problem.fields}


def test_sets_and_drills_that_the_browser_signs_are_read_here_letter_for_letter() -> None:
    asked = [{"listeners": list(each.listeners), "escrow": each.escrow, "at": MADE} for each in wishes()]
    made = told(make=asked)["made"]
    for each, wish in zip(made, wishes(), strict=True):
        known = signed.read_set(each["text"])
        owner, recovery = keys.parse_identity(each["owner"]), keys.parse_identity(each["recovery"])
        assert signed.sign_set(1, MADE, known.members, owner).text == each["text"]
        names = [member.name for member in known.members]
        assert names == ["Owner", "Recovery", *wish.listeners, *([wish.escrow] if wish.escrow else [])]
        assert signed.sign_drill(MADE, owner, recovery).text == each["drill"]
        assert signed.fits(signed.read_drill(each["drill"]), known)
        assert paper.words_of(recovery) == each["words"] and paper.read_words(" ".join(each["words"])) == recovery
    print(f"sets of the browser read here: {len(made)}")


def test_sets_and_drills_that_are_signed_here_are_read_by_the_browser() -> None:
    made = [making.first(wish, "hybrid", MADE + at) for at, wish in enumerate(wishes())] + [a_set("classic", *NAMES)]
    drills = [signed.sign_drill(MADE, owner_of(each), recovery_of(each)) for each in made]
    found = told(sets=[each.known.text for each in made], drills=[each.text for each in drills])
    for each, read in zip(made, found["sets"], strict=True):
        known = each.known
        members = [[one.role, one.name, one.recipient.fingerprint, one.signer] for one in known.members]
        assert read == {"version": 1, "made": known.made, "signer": known.signed_by, "members": members}
    assert found["drills"] == [{"at": each.at, "owner": each.owner, "recovery": each.recovery} for each in drills]


def test_a_set_of_which_one_byte_was_changed_is_refused_by_both() -> None:
    seed = random.Random(7)
    texts = [each["text"] for each in told(make=[{"listeners": ["Sara"], "escrow": "", "at": MADE}])["made"]]
    texts.append(a_set("hybrid", "سارا").known.text)
    changed = [flipped(text, seed) for text in texts for _ in range(10 * COUNT)]
    assert all(refusal(text) for text in changed)
    assert all("fault" in each for each in told(sets=changed)["sets"])


def test_what_would_not_be_written_so_is_refused_although_it_is_signed() -> None:
    made = a_set("hybrid")
    key = owner_of(made)
    said = made.known.text.rpartition("# signed by")[0]
    texts = [
        signed._signed(text, key)
        for text in (
            said.replace("# version 1", "# version 01"),
            said + "# a remark\n",
            said.replace("# recovery: Recovery", "# recovery: Owner"),
            said.replace("# recovery: Recovery", "# listener: Recovery"),
            "",
        )
    ]
    assert all(refusal(text) for text in texts)
    assert all("fault" in each for each in told(sets=[*texts, "", "x" * 70_000])["sets"])


@pytest.mark.parametrize("kind", ["hybrid", "classic"])
def test_a_wrong_word_is_named_by_the_browser_as_the_command_names_it(kind: keys.Kind) -> None:
    seed = random.Random(3)
    identity = keys.Identity(kind, seed.randbytes(32))
    words = paper.words_of(identity)
    typed = [" ".join(words), "\n".join(f"{n}. {word[:4].upper()}" for n, word in enumerate(words, 1))]
    for _ in range(COUNT):
        wrong = list(words)
        for place in seed.sample(range(30), seed.randrange(1, 4)):
            wrong[place] = seed.choice(WORDLIST)
        typed.append(" ".join(wrong))
    typed += [" ".join(words[1:]), " ".join(["zzz", *words[1:]]), "x" * 9000]
    for text, found in zip(typed, told(words=typed)["words"], strict=True):
        assert found == read_here(text)


def test_a_key_that_the_browser_wraps_by_a_passphrase_opens_by_command() -> None:
    content = keys.identity_file(keys.new_identity())
    wrapped = base64.b64decode(told(wrap={"content": content.decode(), "passphrase": PASSPHRASE})["wrapped"])
    assert passphrase.unwrapped(wrapped, PASSPHRASE) == content
    with pytest.raises(Problem, match=r"recorder\.bad_passphrase"):
        passphrase.unwrapped(wrapped, PASSPHRASE + "x")


def test_the_words_are_those_of_slip_39() -> None:
    text = Path(str(viewer.files()[0])).with_name("src") / "wordlist.js"
    assert text.read_text().partition("`")[2].partition("`")[0].split() == list(WORDLIST)
