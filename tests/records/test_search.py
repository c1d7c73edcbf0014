"""A search finds what a plain look at every record finds, in its order, however it is cut into pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.clock import VirtualClock
from appliance.errors import Problem
from appliance.messages.calendar import DAY_MS, moment_of
from appliance.messages.folding import fold
from appliance.records import search
from appliance.records.events import ConversationErased, ConversationOpened, Outcome
from appliance.records.reader import Conversation, Reader
from appliance.records.search import Choices, Query, Sort
from appliance.records.search_form import query_from
from appliance.records.store import Store
from appliance.signalling.numbers import e164
from tests.records import many
from tests.records.given import KEY

COUNT = 300
NOW = moment_of("1405/09/02 18:46") or 0
NAMES = Choices(agents=("sara", "علی"), lines=("office",), queues=("فروش",))


class Everything:
    """All records of the made-up year, and who gave which mark."""

    def __init__(self, folder: Path) -> None:
        self.store = many.store(folder, COUNT)
        self.reader = Reader(self.store.path, KEY)
        self.records = self.reader.last(COUNT)
        self.csat = dict(
            self.reader.within(
                lambda db: db.execute("SELECT conversation, value FROM survey WHERE question = 'csat'").fetchall()
            )
        )

    def looked_at(self, query: Query) -> list[str]:
        """The answer, by a look at each record."""
        found = [one for one in self.records if self._is_meant(one, query)]
        places = {
            Sort.NEWEST: lambda one: (-one.number,),
            Sort.OLDEST: lambda one: (one.number,),
            Sort.LONGEST: lambda one: (-(one.total_ms or 0), -one.number),
            Sort.OVERTALK: lambda one: (-_sum(one, "overtalk_ms"), -one.number),
            Sort.DEAD_AIR: lambda one: (-_sum(one, "dead_air_ms"), -one.number),
        }
        return [one.conversation for one in sorted(found, key=places[query.sort])]

    def _is_meant(self, one: Conversation, query: Query) -> bool:
        spoke = {leg.party for leg in one.legs if leg.role == "agent" and leg.answered_ms is not None}
        kept = sum(part.milliseconds for part in one.recordings if part.is_kept)
        at_least, at_most = query.at_least_ms, query.at_most_ms
        return all(
            (
                query.number in ("", one.customer),
                query.digits in one.customer,
                all(word in fold(one.customer_name) for word in query.name.split()),
                not query.agent or query.agent in spoke,
                query.line in ("", one.line),
                query.queue in ("", one.queue),
                query.since is None or one.opened >= query.since,
                query.until is None or one.opened < query.until,
                query.direction in ("", one.direction),
                query.outcome is None or one.outcome == query.outcome,
                at_least is None or (one.total_ms is not None and one.total_ms >= at_least),
                at_most is None or (one.total_ms is not None and one.total_ms <= at_most),
                query.overtalk_ms is None or _sum(one, "overtalk_ms") >= query.overtalk_ms,
                query.dead_air_ms is None or _sum(one, "dead_air_ms") >= query.dead_air_ms,
                query.score is None or self.csat.get(one.conversation, 9) <= query.score,
                query.is_recorded is None or (kept > 0) is query.is_recorded,
            )
        )


def _sum(one: Conversation, name: str) -> int:
    return sum(getattr(part, name) for part in one.recordings)


def pages(reader: Reader, query: Query, count: int) -> list[list[str]]:
    found: list[list[str]] = []
    after = ""
    while True:
        page = reader.within(lambda db: search.find(db, query, count, after))  # noqa: B023
        found.append([one.conversation for one in page.conversations])
        after = page.after
        if not after:
            return found


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Everything]:
    it = Everything(tmp_path_factory.mktemp("many"))
    yield it
    it.reader.close()
    it.store.close()


def sometimes(values: st.SearchStrategy[object], default: object) -> st.SearchStrategy[object]:
    """Most parts of a question are not asked."""
    return st.one_of(st.just(default), st.just(default), values)


moments = st.integers(many.BEGINS - DAY_MS, many.BEGINS + many.YEAR_MS)
lengths = st.integers(0, 200_000)
queries = st.builds(
    Query,
    digits=sometimes(st.sampled_from(["912", "21", "55", "7"]), ""),
    name=sometimes(st.sampled_from(["علی", "کریمی علی", "zahra", "پارس نوین", "12", "nobody"]), ""),
    agent=sometimes(st.sampled_from(many.AGENTS), ""),
    line=sometimes(st.sampled_from(many.LINES), ""),
    queue=sometimes(st.sampled_from(many.QUEUES), ""),
    since=sometimes(moments, None),
    until=sometimes(moments, None),
    direction=sometimes(st.sampled_from(["in", "out"]), ""),
    outcome=sometimes(st.sampled_from(["", *Outcome]), None),
    at_least_ms=sometimes(lengths, None),
    at_most_ms=sometimes(lengths, None),
    overtalk_ms=sometimes(lengths.map(lambda value: value // 50), None),
    dead_air_ms=sometimes(lengths.map(lambda value: value // 40), None),
    score=sometimes(st.integers(1, 5), None),
    is_recorded=sometimes(st.booleans(), None),
    sort=st.sampled_from(Sort),
)


@given(queries, st.sampled_from([1, 7, 50]), st.integers(0, COUNT - 1) | st.none())
@settings(max_examples=150, deadline=None)
def test_a_search_finds_what_a_look_at_every_record_finds(
    everything: Everything, query: Query, count: int, caller: int | None
) -> None:
    if caller is not None and everything.records[caller].customer:
        query = Query(
            **{
                **{name: getattr(query, name) for name in Query.__slots__},
                "number": everything.records[caller].customer,
            }
        )
    found = pages(everything.reader, query, count if caller is not None else max(count, 7))
    assert [one for page in found for one in page] == everything.looked_at(query)
    assert all(len(page) == len(found[0]) for page in found[:-1])


def test_the_made_up_year_holds_enough_of_everything_that_is_searched(everything: Everything) -> None:
    for query in (
        Query(agent="نیما"), Query(outcome=""), Query(outcome="abandoned"), Query(is_recorded=False), Query(score=2),
        Query(overtalk_ms=2_000), Query(dead_air_ms=3_000), Query(name="علی کریمی"),
        Query(queue="فروش", direction="out"),
    ):  # fmt: skip
        assert len(everything.looked_at(query)) >= 2, query


def test_a_conversation_that_begins_between_two_pages_moves_nothing(tmp_path: Path) -> None:
    store = many.store(tmp_path, 30)
    with Reader(store.path, KEY) as reader:
        first = reader.within(lambda db: search.find(db, Query(), 20))
        store.apply([ConversationOpened("new", "in", "office", "main", "", "", "", "", True, "welcome", "", "fa")])
        second = reader.within(lambda db: search.find(db, Query(), 20, first.after))
        numbers = [one.number for one in (*first.conversations, *second.conversations)]
        assert len(numbers) == 30 and numbers == sorted(numbers, reverse=True) and second.after == ""
    store.close()


def test_what_was_erased_is_not_found_any_more(tmp_path: Path) -> None:
    store = many.store(tmp_path, 20)
    with Reader(store.path, KEY) as reader:
        one = next(each for each in reader.last(20) if each.customer)
        asked = Query(number=one.customer)
        before = pages(reader, asked, 50)[0]
        store.apply([ConversationErased(one.conversation, "asked", "owner")])
        assert pages(reader, asked, 50) == [[each for each in before if each != one.conversation]]
    store.close()


@pytest.mark.parametrize("after", ["", "1", "x-y", "-1-2", "9" * 20 + "-1", "1-1; DROP TABLE event"])
def test_a_place_that_no_page_gave_begins_at_the_beginning(everything: Everything, after: str) -> None:
    page = everything.reader.within(lambda db: search.find(db, Query(), 5, after))
    assert [one.conversation for one in page.conversations] == everything.looked_at(Query())[:5]


def test_a_question_that_nothing_answers_reads_the_index_and_no_rows(everything: Everything) -> None:
    def plan(query: Query, after: str = "") -> str:
        sql, values = search.statement(query, 51, after)
        rows = everything.reader.within(lambda db: db.execute("EXPLAIN QUERY PLAN " + sql, values).fetchall())
        return "; ".join(str(row[3]) for row in rows)

    for query in (
        Query(digits="999"), Query(name="x y"), Query(agent="sara", since=1, until=2), Query(score=2, line="office"),
        Query(overtalk_ms=5, dead_air_ms=5, sort=Sort.DEAD_AIR), Query(at_least_ms=1, at_most_ms=2, sort=Sort.LONGEST),
        Query(is_recorded=True, direction="in", outcome="", queue="q", sort=Sort.OLDEST),
    ):  # fmt: skip
        assert "conversation USING COVERING INDEX conversation_searched" in plan(query), query
    for after in ("", "100-100"):  # in its order already: stops at the last of the page
        assert "TEMP B-TREE" not in plan(Query(digits="999"), after)
    assert "SEARCH conversation" in plan(Query(digits="999"), "100-100")  # and begins where the last page ended
    assert "SEARCH leg USING COVERING INDEX leg_by_party" in plan(Query(agent="sara"))
    assert "SEARCH conversation USING INDEX conversation_by_customer" in plan(Query(number="+989121234567"))


def test_the_names_that_occur_can_be_chosen(everything: Everything) -> None:
    found = everything.reader.within(search.choices)
    assert found.agents == tuple(sorted(many.AGENTS))
    assert found.lines == tuple(sorted(many.LINES)) and found.queues == tuple(sorted(many.QUEUES))


def test_the_sums_that_are_searched_are_the_same_after_all_rows_were_made_anew(tmp_path: Path) -> None:
    store = many.store(tmp_path, 60)
    rows = (
        "SELECT id, queue, was_asked, folded_name, overtalk_ms, dead_air_ms, recorded_ms FROM conversation ORDER BY 1"
    )
    before = store.within(lambda db: db.execute(rows).fetchall())
    store.rebuild()
    assert store.within(lambda db: db.execute(rows).fetchall()) == before and any(row[4] for row in before)
    store.close()


# What is typed --------------------------------------------------------------------------------------------------------


def asked(**fields: str) -> Query:
    return query_from(fields, e164, NAMES, NOW)


@pytest.mark.parametrize(
    "written", ["09121234567", "۰۹۱۲۱۲۳۴۵۶۷", "٠٩١٢١٢٣٤٥٦٧", "+98 912 123 4567", "0098-912-123-4567", "912 123 45 67"]
)
def test_a_number_may_be_written_in_any_form(written: str) -> None:
    assert asked(number=written) == Query(number="+989121234567")


@pytest.mark.parametrize(
    ("written", "digits"), [("4567", "4567"), ("۰۹۱۲", "912"), ("0098912", "98912"), ("8812-3456", "88123456")]
)
def test_a_part_of_a_number_is_looked_for_by_its_digits(written: str, digits: str) -> None:
    assert asked(number=written) == Query(digits=digits) and digits in "+98912884567 +9821" + "88123456"


@pytest.mark.parametrize("typed", ["علی كريمی", "علي  کریمي", "عَلی کریمی"])
def test_both_forms_of_ye_and_kaf_are_the_same_name(typed: str) -> None:
    assert asked(name=typed) == Query(name="علی کریمی")
    assert asked(agent="علي") == Query(agent="علی") and asked(agent="SARA", queue="فروش") == Query(
        agent="sara", queue="فروش"
    )


@pytest.mark.parametrize("typed", ["1405/09/02", "۱۴۰۵/۰۹/۰۲", "09/02", "2026-11-23", "١٤٠٥-٩-٢"])
def test_a_day_is_jalali_or_gregorian_and_counts_whole(typed: str) -> None:
    begins = moment_of("1405/09/02 00:00") or 0
    assert asked(since=typed, until=typed) == Query(since=begins, until=begins + DAY_MS)
    assert asked(since=f"{typed} 16:30", until=f"{typed} ۱۶:۳۰") == Query(
        since=begins + 59_400_000, until=begins + 59_460_000
    )


def test_lengths_are_seconds_or_have_colons() -> None:
    assert asked(at_least="90", at_most="۱:۳۰", overtalk="1:00:05", dead_air="0") == Query(
        at_least_ms=90_000, at_most_ms=90_000, overtalk_ms=3_605_000, dead_air_ms=0
    )


def test_what_is_chosen_is_taken_and_nothing_typed_asks_nothing() -> None:
    assert asked() == asked(number=" ", name="") == Query()
    assert asked(outcome="open", direction="out", recorded="no", score="۲", sort="dead_air") == Query(
        outcome="", direction="out", is_recorded=False, score=2, sort=Sort.DEAD_AIR
    )


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"number": "علی"}, "search_number"),
        ({"number": "12"}, "search_number"),
        ({"since": "1405/13/01"}, "search_day"),
        ({"until": "yesterday"}, "search_day"),
        ({"since": "1405/09/02 25:00"}, "search_day"),
        ({"at_least": "1.5"}, "search_length"),
        ({"dead_air": "-3"}, "search_length"),
        ({"outcome": "served' OR 1"}, "search_choice"),
        ({"score": "6"}, "search_choice"),
        ({"sort": "random"}, "search_choice"),
    ],
)
def test_what_cannot_be_meant_is_said_and_never_an_empty_answer(fields: dict[str, str], key: str) -> None:
    with pytest.raises(Problem, match=rf"records\.{key}"):
        asked(**fields)


@given(st.dictionaries(st.sampled_from(["number", "name", "agent", "since", "until", "at_least", "score"]), st.text()))
@settings(max_examples=200)
def test_whatever_is_typed_is_a_question_or_a_problem(fields: dict[str, str]) -> None:
    try:
        query = query_from(fields, e164, NAMES, NOW)
    except Problem:
        return
    sql, values = search.statement(query, 50)
    assert sql.count("?") == len(values)


@given(st.text())
@settings(max_examples=300)
def test_folding_twice_changes_nothing_more(text: str) -> None:
    assert fold(fold(text)) == fold(text)


def test_names_of_before_are_folded_when_the_tables_are_brought_up_to_date(tmp_path: Path) -> None:
    store = many.store(tmp_path, 40)
    found = "SELECT id, folded_name FROM conversation WHERE folded_name <> '' ORDER BY 1"
    expected = store.within(lambda db: db.execute(found).fetchall())
    with store.transaction() as db:  # as it was before this migration
        for index in (
            "conversation_searched",
            "conversation_by_line",
            "conversation_by_queue",
            "leg_by_party",
            "survey_by_value",
        ):
            db.execute(f"DROP INDEX {index}")
        for column in ("queue", "was_asked", "folded_name", "overtalk_ms", "dead_air_ms", "recorded_ms"):
            db.execute(f"ALTER TABLE conversation DROP COLUMN {column}")
        db.execute("DELETE FROM _sqlite_migrations WHERE name = 'search'")
    store.close()
    again = Store(store.path, KEY, VirtualClock(many.BEGINS))
    assert again.within(lambda db: db.execute(found).fetchall()) == expected != []
    sums = again.within(lambda db: db.execute("SELECT sum(overtalk_ms), sum(recorded_ms) FROM conversation").fetchone())
    assert sums is not None and all(sums)
    again.close()
