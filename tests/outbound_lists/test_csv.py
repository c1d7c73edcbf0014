"""Files of lists: what is good is taken, what is wrong is named by line and reason."""

from __future__ import annotations

import pytest

from appliance.contacts.draft import Wrong
from appliance.control.wire import ListRow
from appliance.errors import Problem
from appliance.outbound_lists import from_csv, to_csv
from appliance.outbound_lists.from_csv import Plan
from appliance.records.lists import Entry

TABLE = "نام,شماره,زبان,کد مشتری,شهر\nعلی کریمی,۰۹۱۲۱۲۳۴۵۶۷,فارسی,۱۲,تهران\n"
ALI = ListRow("۰۹۱۲۱۲۳۴۵۶۷", "علی کریمی", "fa", ("۱۲", "تهران", ""))


def judged(content: bytes, reasons: dict[str, str] | None = None) -> tuple[list[ListRow], Plan]:
    """The rows that may be added, where calls says these things of numbers."""
    plan, rows = Plan(), []
    for chunk in from_csv.chunks(from_csv.source(content).rows()):
        said = [(each, (reasons or {}).get(each, "")) for each in from_csv.numbers_of(chunk)]
        rows += list(plan.take(chunk, said))
    return rows, plan


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_file_is_read_in_every_encoding_with_every_separator(encoding: str, separator: str) -> None:
    rows, plan = judged(TABLE.replace(",", separator).encode(encoding))
    assert rows == [ALI] and plan.wrong_count == 0


def test_windows_1256_and_english_headings_are_read() -> None:
    content = "Phone;Name;Language\n09121234567;علي;en\n".encode("cp1256")
    assert judged(content)[0] == [ListRow("09121234567", "علی", "en", ("", "", ""))]


def test_of_a_hundred_thousand_rows_the_three_wrong_ones_are_named() -> None:
    lines = ["number,name"] + [f"0912{number:07},n{number}" for number in range(100_000)]
    lines[500], lines[40_000], lines[99_999] = "call me,x", "09120000001,again", '"09125555555,open quote'
    rows, plan = judged("\n".join(lines).encode(), {"call me": "not_a_number"})
    assert len(rows) == plan.new == 99_997
    assert [(each.line, each.problem.key) for each in plan.wrong] == [
        (501, "lists.row_not_a_number"), (40_001, "contacts.twice"), (100_000, "contacts.quotes"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "why",
    [
        "no_number", "not_a_number", "too_long", "short", "emergency", "internal", "own_number", "premium",
        "satellite", "foreign", "forbidden", "denied", "blocked", "listed", "do_not_call",
    ],
)  # fmt: skip
def test_each_reason_of_calls_has_a_sentence(why: str) -> None:
    _, plan = judged(b"number\n09121234567\n", {"09121234567": why})
    (wrong,) = plan.wrong
    from appliance import messages

    for language in messages.LANGUAGES:
        what, do = messages.problem_lines(wrong.problem, language)
        assert what and do and "{" not in what


@pytest.mark.parametrize("content", [b"", b"name,city\nAli,Tehran\n", b"\x00\x01\x02" * 50])
def test_a_file_that_is_no_list_is_refused(content: bytes) -> None:
    with pytest.raises(Problem):
        from_csv.source(content)


@pytest.mark.parametrize("row", ["09121234567," + "x" * 200, "09121234567,a\ufffdb", "09121234567,n,martian"])
def test_a_row_whose_texts_cannot_be_is_named_and_holds_up_no_other(row: str) -> None:
    found = list(from_csv.source(f"number,name,language\n{row}\n09121111111,ok,fa\n".encode()).rows())
    assert isinstance(found[0], Wrong) and found[0].line == 2 and not isinstance(found[1], Wrong)


def test_the_export_is_no_formula_and_opens_in_excel() -> None:
    entry = Entry(
        "e", 1, "spring", "+989121234567", "=1+1", "fa", ("@x", "", ""), "done", 1, 0, "reached", "sold", "first", 0
    )
    heading, line = to_csv.lines([entry], "en")
    assert heading.startswith("\ufeffnumber,")
    assert line == "09121234567,'=1+1,fa,'@x,,,reached,sold,1,first,,done\r\n"
