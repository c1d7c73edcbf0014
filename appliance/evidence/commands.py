"""``pasokh evidence``: the signed chain, and folders that an outsider can check."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

from appliance import messages
from appliance.errors import Problem
from appliance.evidence import check, proof, verify
from appliance.messages import calendar
from appliance.recorder import reading, telling
from appliance.records import chain, signing
from appliance.records.commands import DEFAULT_DATA, add_places, anchor_from, reader_of

EXIT_BROKEN = 1


def register(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds ``evidence`` to the command line."""
    text = "what an outsider can check: the signed chain of events, and folders of evidence"
    commands = subparsers.add_parser("evidence", help=text, description=text).add_subparsers(
        metavar="COMMAND", required=True
    )
    text = "check the chain of all events and every signature in it; says how far it is signed, and by which key"
    verify = commands.add_parser("verify", help=text, description=text)
    add_places(verify)
    verify.add_argument("--public", default="", metavar="HEX", help="the public key that must have signed")
    verify.add_argument(
        "--anchor", type=anchor_from, metavar="N:HEX", help="a head of the chain that was noted elsewhere"
    )
    verify.set_defaults(run=_verify)
    text = "a folder with one conversation, its sound, its signed events, a report, and the program that checks it"
    export = commands.add_parser("export", help=text, description=text)
    export.add_argument("conversation", metavar="CONVERSATION", help="its id, as `pasokh cdr --json` tells")
    add_places(export)
    export.add_argument("--identity", type=Path, required=True, metavar="FILE", help="the owner's private key")
    export.add_argument("--data", type=Path, metavar="FOLDER", help=f"the box's data folder ({DEFAULT_DATA})")
    export.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="a new folder")
    telling.add_reason(export)
    export.set_defaults(run=_export)
    text = "check such a folder"
    checks = commands.add_parser("check", help=text, description=text)
    checks.add_argument("folder", type=Path, metavar="FOLDER")
    checks.add_argument("--fingerprint", default="", metavar="HEX", help="of the key that must have signed")
    checks.set_defaults(run=_check)
    for parser in (verify, export):
        parser.add_argument("--json", action="store_true", help="one JSON document")


def _verify(chosen: argparse.Namespace) -> int:
    language = messages.chosen_language()
    with reader_of(chosen) as reader:
        found, signed = reader.verify_signed(chosen.public.strip().lower(), chosen.anchor)
    if isinstance(found, chain.Fault):
        raise Problem("records.chain_broken", n=found.n, reason=found.reason)
    if chosen.json:
        print(
            json.dumps(
                {"n": found.n, "link": found.link.hex(), "signed": dataclasses.asdict(signed) if signed else None}
            )
        )
        return 0
    print(messages.text("records.chain_whole", language, n=found.n, head=f"{found.n}:{found.link.hex()}"))
    if signed is None:
        print(messages.text("evidence.unsigned", language))
        return 0
    print(
        messages.text(
            "evidence.signed_to", language, n=signed.n, moment=calendar.moment(signed.at, language),
            fingerprint=signing.fingerprint(signed.public), public=signed.public,
        )
    )  # fmt: skip
    return 0


def _export(chosen: argparse.Namespace) -> int:
    occasion = telling.occasion(chosen)
    identity = reading.load_identity(chosen.identity)
    with reader_of(chosen) as reader:
        kept = (chosen.data or reader.path.parent) / "kept"
        made = proof.make(reader, kept, chosen.conversation, identity, chosen.out, occasion)
    digest = proof.digest(chosen.out)
    if chosen.json:
        print(json.dumps({**dataclasses.asdict(made), "sha256": digest}))
        return 0
    print(
        messages.text(
            "evidence.made", messages.chosen_language(), folder=str(chosen.out), events=made.events,
            recordings=made.recordings, fingerprint=made.fingerprint, digest=digest,
        )
    )  # fmt: skip
    if not made.has_pdf:
        print(messages.text("evidence.no_pdf", messages.chosen_language()))
    return 0


def _check(chosen: argparse.Namespace) -> int:
    """By check.py and by our own rooms; true only where both find it true."""
    language = messages.chosen_language()
    try:
        found = check.check(str(chosen.folder), chosen.fingerprint)
    except check.WrongError as wrong:
        print(messages.text("evidence.not_true", language, why=str(wrong)))
        return EXIT_BROKEN
    verify.verify(chosen.folder, chosen.fingerprint)
    print(messages.text("evidence.true", language, found=found))
    return 0
