"""``pasokh keys``: on the owner's machine, but for ``install``, which is the box's door for what the owner signed.

Private keys are written for this user alone, the owner's behind a passphrase; the recovery key only on its sheet. No
secret is ever an argument: words come from standard input, the passphrase from the terminal.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from appliance import messages
from appliance.ceremony import making, rewrap
from appliance.ceremony.making import Made, Wish
from appliance.clock import SystemClock
from appliance.errors import Problem
from appliance.messages import calendar
from appliance.progress import Bar
from appliance.recorder import custody, export, keys, passphrase, signed, viewer
from appliance.recorder.commands import DEFAULT_DATA
from appliance.recorder.keys import Identity
from appliance.recorder.reading import load_identity
from appliance.recorder.signed import SignedSet

if TYPE_CHECKING:  # needs packages of the extra ``owner``: imported by the commands that print or read a sheet
    from appliance.ceremony.sheet import Sheet

SIGNED_SET = "listeners.txt"
OWNER_KEY = "owner-key.age"
SHARED = "2of3"
EXIT_LEFT = 1  # some heads could not be done


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds ``keys`` to the command line."""
    text = "the keys recordings are sealed to: made, printed, tried, changed"
    commands = subparsers.add_parser("keys", help=text, description=text).add_subparsers(
        metavar="COMMAND", required=True
    )
    _register_making(commands)
    text = "one HTML file in which a browser makes the keys and tries the paper, without any box or network"
    page = commands.add_parser("page", help=text, description=text)
    page.add_argument("--out", type=Path, required=True, metavar="FILE", help="where it is written")
    page.set_defaults(run=_page)
    text = "a key file out of the words of a sheet (from standard input), behind a new passphrase"
    restore = commands.add_parser("restore", help=text, description=text)
    restore.add_argument("--out", type=Path, required=True, metavar="FILE", help="where the key is written")
    restore.add_argument("--shares", action="store_true", help="two of three sheets, an empty line between them")
    restore.add_argument("--classic", action="store_true", help="the shares are of an X25519 key (the sheet says so)")
    restore.add_argument("--recipients", type=Path, metavar="FILE", help="the signed set that it must belong to")
    restore.set_defaults(run=_restore)
    text = "open a test recording with the paper (words from standard input) and the owner's key, and sign that it was"
    drills = commands.add_parser("drill", help=text, description=text)
    drills.add_argument("--shares", action="store_true", help="the paper is two of three sheets")
    drills.add_argument("--out", type=Path, required=True, metavar="FILE", help="what `pasokh keys install` takes")
    drills.set_defaults(run=_drill)
    text = "new heads for all recordings of a folder after a change of listeners; goes on where it was cut off"
    rewraps = commands.add_parser("rewrap", help=text, description=text)
    rewraps.add_argument("folder", type=Path, metavar="FOLDER", help="holds the .head files of closed recordings")
    rewraps.set_defaults(run=_rewrap)
    for parser in (drills, rewraps):
        parser.add_argument("--key", type=Path, required=True, metavar="FILE", help="the owner's private key")
        parser.add_argument("--recipients", type=Path, required=True, metavar="FILE", help="the signed set")
    text = "take a signed set of recipients, or a signed drill, into a box"
    install = commands.add_parser("install", help=text, description=text)
    install.add_argument("file", type=Path, metavar="FILE", help="what ceremony, change or drill wrote")
    install.add_argument("--data", type=Path, default=DEFAULT_DATA, metavar="FOLDER", help="the box's data folder")
    install.set_defaults(run=_install)
    for parser in (restore, drills, rewraps, install):
        parser.add_argument("--json", action="store_true", help="one JSON document")


def _register_making(commands: argparse._SubParsersAction[Any]) -> None:
    text = "make a pair of keys: the private one for the owner, the public one for the box"
    new = commands.add_parser("new", help=text, description=text)
    new.add_argument("--classic", action="store_true", help="X25519, which every age program opens (not hybrid)")
    new.add_argument("--out", type=Path, required=True, metavar="FILE", help="where the private key is written")
    new.add_argument("--install", type=Path, metavar="FOLDER", help="add the public key to this data folder of a box")
    new.set_defaults(run=_new_key)
    text = "make the keys of owner, recovery and listeners, the recovery sheet, and the signed set for the box"
    ceremony = commands.add_parser("ceremony", help=text, description=text)
    ceremony.add_argument("--classic", action="store_true", help="X25519, which every age program opens (not hybrid)")
    ceremony.set_defaults(run=_ceremony)
    text = "the next signed set: a listener comes or goes, the owner's key or the sheet was lost"
    change = commands.add_parser("change", help=text, description=text)
    change.add_argument("recipients", type=Path, metavar="FILE", help="the signed set that is to be followed")
    change.add_argument("--key", type=Path, required=True, metavar="FILE", help="the owner's or the recovery key")
    change.add_argument("--remove", action="append", default=[], metavar="NAME", help="who leaves; may be repeated")
    renews = change.add_mutually_exclusive_group()
    renews.add_argument("--new-owner", action="store_true", help="a new owner's key, signed by the recovery key")
    renews.add_argument("--new-sheet", action="store_true", help="a new recovery key, signed by the owner's")
    change.set_defaults(run=_change)
    for parser in (ceremony, change):
        parser.add_argument("--listener", action="append", default=[], metavar="NAME", help="who may listen as well")
        parser.add_argument("--escrow", default="", metavar="NAME", help="a lawyer or supplier who keeps a key")
        parser.add_argument("--shares", choices=(SHARED,), help="three recovery sheets of which any two are needed")
        parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="a new folder")
    for parser in (new, ceremony, change):
        parser.add_argument("--json", action="store_true", help="one JSON document")


# Making ---------------------------------------------------------------------------------------------------------------


def _new_key(chosen: argparse.Namespace) -> int:
    """The private key is on the disk before the box learns of the public one: never a box that seals to nobody."""
    out: Path = chosen.out
    _refuse_inside_data(out, chosen.install)
    identity = keys.new_identity("classic" if chosen.classic else "hybrid")
    recipient = identity.recipient()
    if chosen.install is not None:
        if not chosen.install.is_dir():
            raise Problem("recorder.no_data_folder", folder=str(chosen.install))
        keys.refuse_unfit(keys.recipients_file(chosen.install), recipient)
    export.write_new(out, keys.identity_file(identity))
    if chosen.install is not None:
        keys.install(keys.recipients_file(chosen.install), recipient)
    if chosen.json:
        print(json.dumps({"kind": recipient.kind, "fingerprint": recipient.fingerprint, "recipient": recipient.text}))
        return 0
    print(recipient.text)
    print(_say("recorder.key_written", file=str(out), fingerprint=recipient.fingerprint))
    if chosen.install is not None:
        print(_say("recorder.key_installed", file=str(keys.recipients_file(chosen.install))))
    return 0


def _ceremony(chosen: argparse.Namespace) -> int:
    wish = Wish(listeners=chosen.listener, escrow=chosen.escrow)
    made = making.first(wish, "classic" if chosen.classic else "hybrid", SystemClock().utc_ms())
    return _write(chosen, made)


def _change(chosen: argparse.Namespace) -> int:
    wish = Wish(chosen.listener, chosen.escrow, chosen.remove, chosen.new_owner, chosen.new_sheet)
    known = _signed_set(chosen.recipients)
    return _write(chosen, making.following(known, wish, load_identity(chosen.key), SystemClock().utc_ms()))


def _write(chosen: argparse.Namespace, made: Made) -> int:
    """All files of a new folder; the signed set last, so that a folder without it is no set."""
    folder: Path = chosen.out
    _refuse_inside_data(folder / SIGNED_SET, None)
    files = _files(made, bool(chosen.shares))
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError as error:
        raise Problem("recorder.exists", file=str(folder)) from error
    except OSError as error:
        raise Problem("recorder.unwritable", file=str(folder), reason=error.strerror or "") from error
    for name, content in files.items():
        export.write_new(folder / name, content)
    export.write_new(folder / SIGNED_SET, made.known.text.encode(), 0o644)
    if chosen.json:
        members = [
            {"role": each.role, "name": each.name, "fingerprint": each.recipient.fingerprint}
            for each in made.known.members
        ]
        about = {"version": made.known.version, "members": members, "files": [*files, SIGNED_SET]}
        print(json.dumps(about, ensure_ascii=False))
        return 0
    print(_say("ceremony.made", folder=str(folder), version=made.known.version))
    for each in made.known.members:
        print(f"  {_say(f'ceremony.role_{each.role}')} {each.name}  {each.recipient.fingerprint}")
    for name in files:
        print(f"  {folder / name}")
    print(_say("ceremony.all_lost"))
    print(_say("ceremony.next", file=str(folder / SIGNED_SET)))
    return 0


def _files(made: Made, is_shared: bool) -> dict[str, bytes]:
    """Contents by name. The recovery key is on paper only: beside the owner's key it would be lost together with it."""
    files: dict[str, bytes] = {}
    for each in made.known.members:
        identity = made.identities.get(each.name)
        if identity is None:
            continue
        if each.role == "recovery":
            files.update(_sheets(identity, made.known, is_shared))
        elif each.role == "owner":
            files[OWNER_KEY] = passphrase.wrapped(keys.identity_file(identity), passphrase.ask_new(OWNER_KEY))
        else:
            files[f"{each.role}-{each.name.replace(' ', '_')}.key"] = keys.identity_file(identity)
    return files


def _sheets(identity: Identity, known: SignedSet, is_shared: bool) -> Mapping[str, bytes]:
    from appliance.ceremony import paper, sheet

    def made(words: list[str], code: str, number: int = 0) -> Sheet:
        recipient, (owner,) = identity.recipient(), known.of("owner")
        of = paper.SHARES if number else 0
        return sheet.Sheet(
            words, code, recipient.kind, recipient.fingerprint, owner.signer, known.made, known.version, number, of
        )

    if not is_shared:
        return {"recovery.html": sheet.page(made(paper.words_of(identity), identity.encode())).encode()}
    return {
        f"recovery-{number}.html": sheet.page(made(words, " ".join(words).upper(), number)).encode()
        for number, words in enumerate(paper.shares_of(identity), 1)
    }


def _page(chosen: argparse.Namespace) -> int:
    content = viewer.html("ceremony").encode()
    export.write_new(chosen.out, content, 0o644)
    print(_say("recorder.viewer_written", file=str(chosen.out), digest=hashlib.sha256(content).hexdigest()))
    return 0


# Losing, trying, changing ---------------------------------------------------------------------------------------------


def _restore(chosen: argparse.Namespace) -> int:
    _refuse_inside_data(chosen.out, None)
    known = _signed_set(chosen.recipients) if chosen.recipients is not None else None
    kind: keys.Kind = "classic" if chosen.classic else "hybrid"
    identity = _from_paper(chosen.shares, known.recipients[0].kind if known else kind)
    recipient = identity.recipient()
    if known is not None and recipient.raw not in {each.raw for each in known.recipients}:
        wanted = ", ".join(each.recipient.fingerprint for each in known.of("recovery"))
        raise Problem("ceremony.other_paper", fingerprint=recipient.fingerprint, wanted=wanted, version=known.version)
    content = passphrase.wrapped(keys.identity_file(identity), passphrase.ask_new(chosen.out.name))
    export.write_new(chosen.out, content)
    if chosen.json:
        print(json.dumps({"kind": recipient.kind, "fingerprint": recipient.fingerprint}))
        return 0
    print(_say("ceremony.restored", file=str(chosen.out), fingerprint=recipient.fingerprint))
    return 0


def _drill(chosen: argparse.Namespace) -> int:
    from appliance.ceremony import drill  # a whole recorder: no other command needs it

    _refuse_inside_data(chosen.out, None)
    known = _signed_set(chosen.recipients)
    paper = _from_paper(chosen.shares, known.recipients[0].kind)
    done = drill.run(known, load_identity(chosen.key), paper, SystemClock().utc_ms())
    export.write_new(chosen.out, done.text.encode(), 0o644)
    if chosen.json:
        print(json.dumps({"at": done.at, "owner": done.owner, "recovery": done.recovery}))
        return 0
    print(_say("ceremony.drilled", file=str(chosen.out)))
    return 0


def _rewrap(chosen: argparse.Namespace) -> int:
    known = _signed_set(chosen.recipients)
    identity = load_identity(chosen.key)
    with Bar("ceremony.bar_rewrapping") as bar:
        found = rewrap.run(chosen.folder, known, identity, bar.show)
    if chosen.json:
        lists = {"foreign": found.foreign, "damaged": found.damaged}
        print(json.dumps({"done": found.done, "before": found.before, **lists}))
    else:
        print(_say("ceremony.rewrapped", done=found.done, before=found.before, version=known.version))
        for name in found.foreign:
            print(_say("ceremony.left_foreign", recording=name))
        for name in found.damaged:
            print(_say("ceremony.left_damaged", recording=name))
    return EXIT_LEFT if found.foreign or found.damaged else 0


def _install(chosen: argparse.Namespace) -> int:
    installed = custody.install(chosen.data, _text(chosen.file))
    language = messages.chosen_language()
    if isinstance(installed, SignedSet):
        about: dict[str, Any] = {"version": installed.version, "members": len(installed.members)}
        said = _say("ceremony.set_installed", version=installed.version, count=len(installed.members))
        said += "\n" + _say("ceremony.pinned", signer=", ".join(sorted(each[:16] for each in installed.signers)))
    else:
        about = {"at": installed.at}
        said = _say("ceremony.drill_installed", moment=calendar.moment(installed.at, language))
    print(json.dumps(about) if chosen.json else said)
    return 0


def _from_paper(is_shared: bool, kind: keys.Kind) -> Identity:
    from appliance.ceremony import paper

    if sys.stdin.isatty():
        print(_say("ceremony.ask_shares" if is_shared else "ceremony.ask_words"), file=sys.stderr)
    text = sys.stdin.read(paper.MOST_LETTERS + 1)
    return paper.read_shares(text, kind) if is_shared else paper.read_words(text)


def _signed_set(file: Path) -> SignedSet:
    return signed.read_set(_text(file))


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(signed.MOST_BYTES + 1).decode("utf-8")
    except OSError as error:
        raise Problem("ceremony.unreadable", file=str(file), reason=error.strerror or "") from error
    except UnicodeDecodeError as error:
        raise Problem("ceremony.not_signed_set") from error


def _refuse_inside_data(out: Path, install: Path | None) -> None:
    """The box must never hold the private key: not in the folder named, the default one, or anything that looks so."""
    data_folders = [folder.resolve() for folder in (install, DEFAULT_DATA) if folder is not None]
    for parent in out.resolve().parents:
        looks_so = (parent / "calls.db").exists() or all((parent / name).is_dir() for name in ("live", "kept"))
        if parent in data_folders or looks_so or keys.recipients_file(parent).exists():
            raise Problem("recorder.inside_data", file=str(out), folder=str(parent))


def _say(key: str, **fields: str | int) -> str:
    return messages.text(key, messages.chosen_language(), **fields)
