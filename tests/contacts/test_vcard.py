"""Address cards of three versions, as telephones write them; broken and very large ones."""

from __future__ import annotations

import quopri

import pytest
from hypothesis import given as generated
from hypothesis import strategies as st

from appliance.contacts import from_vcard, plan
from appliance.contacts.draft import Draft, Wrong
from appliance.contacts.plan import Save
from tests.contacts.given import steps


def quoted(text: str) -> str:
    """Quoted-printable as telephones write it: every byte, with soft line ends."""
    whole = "".join(f"={byte:02X}" for byte in text.encode())
    return "=\r\n".join(whole[at : at + 72] for at in range(0, len(whole), 72))


OLD = (
    "BEGIN:VCARD\r\nVERSION:2.1\r\n"
    f"N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:{quoted('کریمی;علی')};;;\r\n"
    f"FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:{quoted('علی کریمی از پخش مواد غذایی البرز')}\r\n"
    "TEL;CELL:0912-123-4567\r\nTEL;HOME;VOICE:02188111111\r\nEND:VCARD\r\n"
)
MIDDLE = (
    "BEGIN:VCARD\nVERSION:3.0\nFN:علی کریمی\\, پخش\nN:کریمی;علی;;;\nitem1.TEL;TYPE=CELL,pref:+98 912 123 4567\n"
    "item1.X-ABLabel:mobile\nNOTE:خط یک\\nخط\n  دو\nCATEGORIES:work,VIP\nEND:VCARD\n"
)
NEW = (
    "BEGIN:VCARD\nVERSION:4.0\nFN:Ali Karimi\nLANG;PREF=1:en\n"
    'TEL;VALUE=uri;TYPE="voice,home";PREF=1:tel:+98-912-123-4567;ext=12\nEND:VCARD\n'
)


def drafts(text: str) -> list[Draft]:
    found = list(from_vcard.rows(text))
    assert all(isinstance(each, Draft) for each in found)
    return [each for each in found if isinstance(each, Draft)]


def test_a_card_of_2_1_is_read_with_quoted_printable_and_bare_parameters() -> None:
    (card,) = drafts(OLD)
    assert card.name == "علی کریمی از پخش مواد غذایی البرز"
    assert card.numbers == ("0912-123-4567", "02188111111")


def test_a_card_of_3_0_is_read_with_groups_escapes_folded_lines_and_categories() -> None:
    (card,) = drafts(MIDDLE)
    assert (card.name, card.numbers) == ("علی کریمی, پخش", ("+98 912 123 4567",))
    assert (card.note, card.is_vip) == ("خط یک خط دو", True)


def test_a_card_of_4_0_is_read_with_numbers_as_uris_and_its_language() -> None:
    (card,) = drafts(NEW)
    assert (card.name, card.numbers, card.language) == ("Ali Karimi", ("+98-912-123-4567",), "en")


def test_the_three_versions_of_one_number_are_one_contact() -> None:
    for text in (OLD, MIDDLE, NEW):
        (step,) = steps(text)
        assert isinstance(step, Save) and step.contact.numbers[0] == "+989121234567"


def test_a_card_without_a_full_name_has_the_names_parts_or_the_company() -> None:
    given, company = drafts(
        "BEGIN:VCARD\nN:Karimi;Ali\nTEL:0912\nEND:VCARD\nBEGIN:VCARD\nORG:Alborz;Sales\nTEL:0935\nEND:VCARD\n"
    )
    assert (given.name, company.name) == ("Ali Karimi", "Alborz")


def test_a_card_in_a_card_is_not_another_person() -> None:
    (card,) = drafts("BEGIN:VCARD\nFN:Ali\nTEL:1\nAGENT:\nBEGIN:VCARD\nFN:Aid\nTEL:2\nEND:VCARD\nNOTE:x\nEND:VCARD\n")
    assert (card.name, card.numbers, card.note) == ("Ali", ("1",), "x")


def test_a_card_that_does_not_end_costs_itself_alone() -> None:
    found = list(from_vcard.rows(NEW + "BEGIN:VCARD\nFN:Reza\nTEL:3\n" + MIDDLE + "END:VCARD\nBEGIN:VCARD\nFN:Zari\n"))
    assert [(each.line, each.problem.key) for each in found if isinstance(each, Wrong)] == [
        (7, "contacts.card_not_closed"),
        (20, "contacts.card_not_begun"),
        (21, "contacts.card_not_closed"),
    ]
    assert [each.name for each in found if isinstance(each, Draft)] == ["Ali Karimi", "علی کریمی, پخش"]


@pytest.mark.parametrize("line_bytes", [75, 10 << 20], ids=["folded lines", "one line"])
def test_a_card_with_a_photograph_of_ten_megabytes_is_read_and_nothing_of_the_photograph_kept(line_bytes: int) -> None:
    photograph = "A" * (10 << 20)
    folded = "\n ".join(photograph[at : at + line_bytes] for at in range(0, len(photograph), line_bytes))
    text = f"BEGIN:VCARD\nVERSION:3.0\nFN:Ali\nPHOTO;ENCODING=b:{folded}\nTEL:09121234567\nEND:VCARD\n{NEW}"
    first, second = plan.source(text.encode()).rows()
    assert isinstance(first, Draft) and (first.name, first.numbers) == ("Ali", ("09121234567",))
    assert isinstance(second, Draft) and second.name == "Ali Karimi"


@pytest.mark.parametrize("value", ["x" * 10_000, "A\u0007li", "Ali\ufffd"])
def test_a_name_that_cannot_be_shown_is_named_by_its_card(value: str) -> None:
    good = NEW.replace("4567", "0000")
    (wrong, right) = steps(f"BEGIN:VCARD\nFN:{value}\nTEL:09121234567\nEND:VCARD\n{good}")
    assert isinstance(wrong, Wrong) and wrong.line == 1
    assert isinstance(right, Save) and right.contact.name == "Ali Karimi"


@generated(st.text(max_size=60))
def test_quoted_printable_gives_back_whatever_was_written(text: str) -> None:
    name = " ".join(text.replace("\\", "").split())
    written = quopri.encodestring(name.encode("utf-8", "replace"), quotetabs=True).decode().rstrip("\n")
    card = f"BEGIN:VCARD\nFN;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:{written}\nTEL:1\nEND:VCARD\n"
    assert drafts(card)[0].name == name.encode("utf-8", "replace").decode()


@generated(st.text('BEGINVCARDTL:;=\n \\"éع0123', max_size=300))
def test_whatever_stands_in_a_card_the_answer_is_rows(text: str) -> None:
    assert all(isinstance(each, Draft | Wrong) for each in from_vcard.rows("BEGIN:VCARD\n" + text))
