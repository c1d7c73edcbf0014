"""Tables of other programs: encodings, separators, headings; and what a wrong row costs: itself."""

from __future__ import annotations

import pytest
from hypothesis import given as generated
from hypothesis import strategies as st

from appliance.contacts import from_csv, plan, to_csv
from appliance.contacts.draft import Draft, Wrong
from appliance.contacts.plan import Save
from appliance.control.wire import Contact
from appliance.errors import Problem
from tests.contacts.given import many_rows, steps

TABLE = "نام,شماره,زبان,ویژه,مسدود,ضبط نشود,یادداشت\nعلی کریمی,۰۹۱۲۱۲۳۴۵۶۷,فارسی,بله,خیر,,مشتری قدیمی\n"
ALI = Contact("علی کریمی", ("+989121234567",), "", "fa", True, False, False, "مشتری قدیمی")


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (TABLE.encode(), "UTF-8"),
        (TABLE.encode("utf-8-sig"), "UTF-8"),
        (TABLE.encode("utf-16"), "UTF-16"),
        (TABLE.encode("utf-16-le"), "UTF-16"),
        (TABLE.encode("utf-16-be"), "UTF-16"),
        (TABLE.replace("ی", "ي").translate(str.maketrans("۰۱۲۳۴۵۶۷۸۹", "0123456789")).encode("cp1256"), "Windows-1256"),
    ],
)
def test_a_table_is_read_in_the_encoding_it_was_written_in_and_that_is_said(content: bytes, encoding: str) -> None:
    source = plan.source(content)
    assert source.encoding == encoding
    assert [each.contact for each in steps(content) if isinstance(each, Save)] == [ALI]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_separator_is_found_by_the_first_line(separator: str, end: str) -> None:
    content = TABLE.replace(",", separator).replace("\n", end)
    assert plan.source(content.encode()).separator == separator
    assert [each.contact for each in steps(content) if isinstance(each, Save)] == [ALI]


def test_a_spreadsheets_line_that_names_the_separator_is_obeyed() -> None:
    assert from_csv.table("sep=;\nname;phone\nAli;09121234567\n").separator == ";"


@pytest.mark.parametrize(
    ("headings", "row", "name", "numbers"),
    [
        ("name,phone", "Ali,09121234567", "Ali", ("09121234567",)),
        ("First Name,Last Name,Mobile Phone,Home Phone", "Ali,Karimi,0912,021", "Ali Karimi", ("0912", "021")),
        ("Name,Phone 1 - Type,Phone 1 - Value", "Ali,Mobile,0912 ::: 0935", "Ali", ("0912", "0935")),
        ("نام,نام خانوادگی,تلفن همراه,تلفن ثابت", "علی,کریمی,0912,", "علی کریمی", ("0912",)),
        ("شرکت,شماره تماس", "پخش البرز,021 8811 1111", "پخش البرز", ("021 8811 1111",)),
        ("نام;موبایل;شهر", "علی;0912|0935;ری", "علی", ("0912", "0935")),
    ],
)
def test_columns_are_known_by_their_headings(headings: str, row: str, name: str, numbers: tuple[str, ...]) -> None:
    (draft,) = from_csv.table(f"{headings}\n{row}\n").rows()
    assert isinstance(draft, Draft) and (draft.name, draft.numbers) == (name, numbers)


def test_columns_that_nobody_knows_are_passed_over_and_said() -> None:
    assert from_csv.table("name,phone,birthday,city\nAli,0912,1,2\n").unknown == ("birthday", "city")


def test_a_cell_in_quotes_may_hold_the_separator_quotes_and_lines() -> None:
    rows = from_csv.table('name,phone,note\n"Ali ""Boss"", Mr",0912,"one\ntwo"\nMina,0935,\n').rows()
    assert [(each.line, each.name) for each in rows if isinstance(each, Draft)] == [(2, 'Ali "Boss", Mr'), (4, "Mina")]


def test_a_quote_that_is_never_closed_costs_its_own_row_alone() -> None:
    lines = list(many_rows(200))
    lines[100] = '"مشتری 99,09120000099,ردیف'
    found = steps("\n".join(lines))
    assert [each.line for each in found if isinstance(each, Wrong)] == [101]
    assert len([each for each in found if isinstance(each, Save)]) == 199


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("Ali,call me,,,,,", "contacts.not_a_number"),
        ("Ali,,,,,,", "contacts.no_number"),
        (",09121234567,,,,,", "contacts.no_name"),
        ("Ali,09121234567,french,,,,", "contacts.no_language"),
        ("Ali,09121234567,,perhaps,,,", "contacts.not_yes_or_no"),
        ("Ali,09121234567,,,,,note,more", "contacts.many_cells"),
        ("A\u0007li,09121234567,,,,,", "contacts.not_printable"),
        ("A\ufffdli,09121234567,,,,,", "contacts.damaged"),
        (f"{'x' * 10_000},09121234567,,,,,", "contacts.too_long"),
        (f"Ali,{';'.join(f'0912123456{each}' for each in range(10))};09350000000,,,,,", "contacts.many_numbers"),
        (f"Ali,{'1' * 30_000},,,,,", "contacts.long_line"),
        ('Ali,"0912"345,,,,,', "contacts.quotes"),
    ],
)
def test_a_wrong_row_is_named_by_line_and_reason(row: str, problem: str) -> None:
    good = "مینا,09351112233,,,,,"
    found = steps(f"name,phone,language,VIP,blocked,never record,note\n{good}\n{row}\n\nرضا,09361112233,,,,,\n")
    assert [(each.line, each.problem.key) for each in found if isinstance(each, Wrong)] == [(3, problem)]
    assert [each.line for each in found if isinstance(each, Save)] == [2, 5]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "contacts.empty"),
        (b"\xef\xbb\xbf  \n", "contacts.empty"),
        (b"PK\x03\x04\x14\x00\x00\x08\x08\x00\x01\x02\x03", "contacts.not_text"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "contacts.not_text"),
        (b"Ali,09121234567\n", "contacts.no_headings"),
        (b"x" * (16 << 20) + b"yz", "contacts.too_large"),
    ],
    ids=["empty", "blank", "zip", "png", "no headings", "too large"],
)
def test_a_file_that_is_no_table_is_refused_whole(content: bytes, problem: str) -> None:
    with pytest.raises(Problem) as refused:
        steps(content)
    assert refused.value.key == problem


def test_one_damaged_letter_makes_no_other_encoding_of_a_file() -> None:
    lines = [line.encode() for line in many_rows(50)]
    lines[7] = "مشتری".encode()[:-1] + b",09120000006,"
    source = plan.source(b"\n".join(lines))
    assert source.encoding == "UTF-8"
    assert [each.line for each in steps(b"\n".join(lines)) if isinstance(each, Wrong)] == [8]


@generated(st.binary(max_size=200))
def test_whatever_bytes_come_the_answer_is_rows_or_a_problem(content: bytes) -> None:
    try:
        found = steps(b"name,phone\n" + content)
    except Problem:
        return
    assert all(isinstance(each, Save | Wrong) for each in found)


_names = st.text("=+-@'\",;\u200c علی", min_size=1, max_size=12).map(lambda text: " ".join(("ن" + text).split()))


@generated(st.lists(_names, min_size=1, max_size=5), st.sampled_from(["fa", "en"]))
def test_what_is_exported_is_imported_again_as_it_was(names: list[str], language: str) -> None:
    contacts = [
        Contact(name[::-1].strip() or "x", (f"+98912000000{at}",), "", "fa", bool(at % 2), note=name)
        for at, name in enumerate(names)
    ]
    text = "".join(to_csv.lines(contacts, "fa" if language == "fa" else "en"))
    again = [each.contact for each in steps(text) if isinstance(each, Save)]
    assert again == contacts


def test_a_cell_that_a_spreadsheet_would_calculate_is_text_in_the_export() -> None:
    (_, line) = to_csv.lines([Contact("=cmd|' /C calc'!A0", ("+989121234567",))], "en")
    assert line.startswith("'=cmd")
