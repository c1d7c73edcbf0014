"""The signed set and the drill: one way of writing them, one hand that may, and nothing changed unseen."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pyrage  # type: ignore[import-untyped]  # it ships no types
import pytest

from appliance.ceremony import making
from appliance.ceremony.making import Wish
from appliance.errors import Problem
from appliance.recorder import signed
from appliance.recorder.keys import Identity, new_identity
from appliance.recorder.signed import Member
from tests.ceremony.given import MADE, a_set, owner_of, recovery_of


def test_a_set_is_read_again_as_it_was_signed() -> None:
    for made in (a_set(), a_set("hybrid", "سارا", escrow="Mr. Vakil")):
        read = signed.read_set(made.known.text)
        assert (read.text, read.version, read.made, read.signed_by) == (
            made.known.text, 1, MADE, signed.signer_of(owner_of(made)),
        )  # fmt: skip
        assert [(each.role, each.name) for each in read.members] == [
            (each.role, each.name) for each in made.known.members
        ]
        assert [each.recipient.raw for each in read.members] == [
            made.identities[each.name].recipient().raw for each in read.members
        ]


def test_every_letter_of_a_signed_set_counts() -> None:
    text = a_set("classic", "سارا").known.text
    for place, letter in enumerate(text):
        for changed in (
            text[:place] + text[place + 1 :],
            text[:place] + ("b" if letter == "a" else "a") + text[place + 1 :],
        ):
            with pytest.raises(Problem):
                signed.read_set(changed)
    for changed in (text + "\n", text + text, "\n" + text, text.replace("\n", "\r\n"), "", "# Pasokh recipients\n"):
        with pytest.raises(Problem):
            signed.read_set(changed)


def test_every_letter_of_a_signed_drill_counts() -> None:
    made = a_set()
    drill = signed.sign_drill(MADE, owner_of(made), recovery_of(made))
    assert signed.read_drill(drill.text) == drill and signed.fits(drill, made.known)
    for place in range(len(drill.text)):
        with pytest.raises(Problem):
            signed.read_drill(drill.text[:place] + drill.text[place + 1 :])
    with pytest.raises(Problem):
        signed.read_set(drill.text)
    with pytest.raises(Problem):
        signed.read_drill(made.known.text)


def test_a_drill_fits_only_with_this_owners_hand_and_this_paper() -> None:
    made, other = a_set(), a_set()
    assert not signed.fits(signed.sign_drill(MADE, owner_of(other), recovery_of(made)), made.known)
    assert not signed.fits(signed.sign_drill(MADE, owner_of(made), recovery_of(other)), made.known)
    listed = making.following(made.known, Wish(["Sara"]), owner_of(made), MADE)
    assert signed.fits(signed.sign_drill(MADE, owner_of(made), recovery_of(made)), listed.known), "a listener more"


def test_age_and_pyrage_seal_to_the_file_as_it_is_and_each_holder_opens(tmp_path: Path) -> None:
    made = a_set("classic", "سارا")
    (tmp_path / "recipients.txt").write_text(made.known.text)
    sealed = subprocess.run(
        ["age", "-R", tmp_path / "recipients.txt"], input=b"hello", capture_output=True, check=True
    ).stdout
    for identity in made.identities.values():
        assert pyrage.decrypt(sealed, [pyrage.x25519.Identity.from_str(identity.encode())]) == b"hello"
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(sealed, [pyrage.x25519.Identity.generate()])


@pytest.mark.parametrize(
    "name",
    ["", " Sara", "Sara ", "a\nage1x", "x" * 41, "Sara signs " + "0" * 64, "../../etc", "a_b", "#", "-x", "a: b"],
)
def test_a_name_that_could_be_taken_for_something_else_is_refused(name: str) -> None:
    with pytest.raises(Problem, match=r"ceremony\.bad_name"):
        a_set("classic", name)


def members(*more: Member) -> tuple[Identity, Sequence[Member]]:
    made = a_set()
    return owner_of(made), (*made.known.members, *more)


def test_a_set_that_cannot_be_meant_is_not_signed() -> None:
    owner, two = members()
    sara = signed.member("listener", "Sara", new_identity("classic"))
    cases = {
        "same_key": (*two, sara, signed.member("listener", "Ali", new_identity("classic")), sara),
        "members": two[:1],
        "not_signed_set": (two[1], two[0]),
        "same_name": (*two, sara, signed.member("escrow", "Sara", new_identity("classic"))),
    }
    for key, wrong in cases.items():
        with pytest.raises(Problem, match=rf"ceremony\.{key}"):
            signed.sign_set(1, MADE, wrong, owner)
    with pytest.raises(Problem, match=r"ceremony\.members"):
        a_set("classic", *"abcde")
    with pytest.raises(Problem, match=r"recorder\.mixed_recipients"):
        signed.sign_set(1, MADE, (*two, signed.member("listener", "Ali", new_identity("hybrid"))), owner)
    with pytest.raises(Problem, match=r"ceremony\.signer_leaves"):
        signed.sign_set(1, MADE, two, new_identity("classic"))


def test_a_following_set_adds_and_removes_and_needs_one_of_the_two_hands() -> None:
    made = a_set("classic", "Sara")
    gone = making.following(made.known, Wish(["Ali"], leave=["Sara"]), owner_of(made), MADE + 1)
    assert [each.name for each in gone.known.members] == ["Owner", "Recovery", "Ali"] and gone.known.version == 2
    assert set(gone.identities) == {"Ali"}
    owner = making.following(made.known, Wish(new_owner=True), recovery_of(made), MADE + 1)
    assert owner.known.signed_by in made.known.signers and set(owner.identities) == {"Owner"}
    paper = making.following(made.known, Wish(new_paper=True), owner_of(made), MADE + 1)
    assert set(paper.identities) == {"Recovery"}
    with pytest.raises(Problem, match=r"ceremony\.other_signer"):
        making.following(made.known, Wish(["Ali"]), made.identities["Sara"], MADE)
    with pytest.raises(Problem, match=r"ceremony\.signer_leaves"):
        making.following(made.known, Wish(new_owner=True), owner_of(made), MADE)
    for leaves in ("Owner", "Recovery", "Ali"):
        with pytest.raises(Problem, match=r"ceremony\.not_there"):
            making.following(made.known, Wish(leave=[leaves]), owner_of(made), MADE)
    with pytest.raises(Problem, match=r"ceremony\.no_change"):
        making.following(made.known, Wish(), owner_of(made), MADE)
