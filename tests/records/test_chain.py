"""The chain finds every change of what was written."""

from __future__ import annotations

import dataclasses
import os
import random
from collections.abc import Callable
from typing import Any

import pytest

from appliance.records import chain
from appliance.records.chain import FIRST, Fault, Head, Link

LONG = bool(os.environ.get("PASOKH_LONG"))


def linked(count: int, rng: random.Random) -> list[Link]:
    """A whole chain; every tenth event is erased."""
    links: list[Link] = []
    before = FIRST
    for n in range(1, count + 1):
        salt, body = rng.randbytes(16), rng.randbytes(rng.randrange(20, 80))
        kind, subject = rng.choice(["call.opened", "call.closed"]), rng.randbytes(4).hex()
        committed = chain.commitment(salt, body)
        before = chain.link(before, n, 1_790_000_000_000 + n, kind, subject, committed)
        is_erased = n % 10 == 0
        kept = (None, None) if is_erased else (salt, body)
        links.append(Link(n, 1_790_000_000_000 + n, kind, subject, committed, before, kept[0], kept[1], is_erased))
    return links


def test_a_whole_chain_reaches_its_head_also_where_bodies_are_erased() -> None:
    links = linked(100, random.Random(1))
    assert chain.verify(links) == Head(100, links[-1].link)
    assert chain.verify(links, anchor=Head(50, links[49].link)) == Head(100, links[-1].link)
    assert chain.verify([]) == Head(0, FIRST)


def test_the_links_of_known_events_never_change() -> None:
    committed = chain.commitment(bytes(16), b'{"conversation":"c1"}')
    assert committed.hex() == "819774e1376d0b72d535276bb48ccca73b871cca1df5e4731cd1e2483a75ea5d"
    link = chain.link(FIRST, 1, 1_790_000_000_000, "record.closed", "c1", committed)
    assert link.hex() == "6336e881c71ee5e6ffc674db40873393da9ff693a8c9073682674227fe7df004"


def flip(links: list[Link], i: int, rng: random.Random) -> None:
    names = ["commitment", "link", *(["salt", "body"] if links[i].body else [])]
    name = rng.choice(names)
    changed = bytearray(getattr(links[i], name))
    changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    values: dict[str, Any] = {name: bytes(changed)}
    links[i] = dataclasses.replace(links[i], **values)


def truncate(links: list[Link], i: int, rng: random.Random) -> None:
    del links[i:]


def drop(links: list[Link], i: int, rng: random.Random) -> None:
    del links[i]


def drop_and_number_anew(links: list[Link], i: int, rng: random.Random) -> None:
    del links[i]
    links[i:] = [dataclasses.replace(link, n=link.n - 1) for link in links[i:]]


def reorder(links: list[Link], i: int, rng: random.Random) -> None:
    j = (i + rng.randrange(1, len(links))) % len(links)
    links[i], links[j] = links[j], links[i]


def swap_contents(links: list[Link], i: int, rng: random.Random) -> None:
    j = (i + rng.randrange(1, len(links))) % len(links)
    one, other = links[i], links[j]
    links[i] = dataclasses.replace(other, n=one.n, link=one.link)
    links[j] = dataclasses.replace(one, n=other.n, link=other.link)


def redate(links: list[Link], i: int, rng: random.Random) -> None:
    links[i] = dataclasses.replace(links[i], at=links[i].at - 60_000)


def rename(links: list[Link], i: int, rng: random.Random) -> None:
    links[i] = dataclasses.replace(links[i], kind=links[i].kind + "x")


def give_to_another(links: list[Link], i: int, rng: random.Random) -> None:
    links[i] = dataclasses.replace(links[i], subject=links[i].subject[::-1] + "0")


def insert(links: list[Link], i: int, rng: random.Random) -> None:
    links.insert(i, links[i])


def lose_a_body(links: list[Link], i: int, rng: random.Random) -> None:
    links[i] = dataclasses.replace(links[i], salt=None, body=None, is_erased=False)


def rechain(links: list[Link], i: int, rng: random.Random) -> None:
    """Whoever has the whole database rewrites everything from one event on."""
    salt, body = rng.randbytes(16), b"{}"
    links[i] = dataclasses.replace(
        links[i], salt=salt, body=body, commitment=chain.commitment(salt, body), is_erased=False
    )
    before = links[i - 1].link if i else FIRST
    for k in range(i, len(links)):
        one = links[k]
        before = chain.link(before, one.n, one.at, one.kind, one.subject, one.commitment)
        links[k] = dataclasses.replace(one, link=before)


Change = Callable[[list[Link], int, random.Random], None]
FOUND_ALWAYS: list[Change] = [
    flip,
    drop,
    drop_and_number_anew,
    reorder,
    swap_contents,
    redate,
    rename,
    give_to_another,
    insert,
    lose_a_body,
]


@pytest.mark.parametrize("change", [*FOUND_ALWAYS, truncate, rechain])
def test_every_change_is_found_against_a_head_that_left_the_box(change: Change) -> None:
    rng = random.Random(3)
    whole = linked(120, rng)
    anchor = Head(120, whole[-1].link)
    for _ in range(1000 if LONG else 80):
        links = list(whole)
        change(links, rng.randrange(len(links)), rng)
        assert isinstance(chain.verify(links, anchor), Fault)


def test_without_a_noted_head_all_but_a_cut_end_and_a_rewriting_are_found() -> None:
    rng = random.Random(4)
    whole = linked(60, rng)
    for change in FOUND_ALWAYS:
        for _ in range(40):
            links = list(whole)
            change(links, rng.randrange(len(links) - 1), rng)
            assert isinstance(chain.verify(links), Fault), change


def test_the_fault_names_the_event_and_the_reason() -> None:
    whole = linked(20, random.Random(5))
    cut = whole[:4] + whole[5:]
    assert chain.verify(cut) == Fault(5, "missing")
    assert chain.verify(whole, Head(21, bytes(32))) == Fault(21, "not_reached")
    assert chain.verify(whole, Head(7, bytes(32))) == Fault(7, "other_chain")
    assert chain.verify([*whole[:2], dataclasses.replace(whole[2], body=b"{}")]) == Fault(3, "changed")
    assert chain.verify([dataclasses.replace(whole[0], at=0)]) == Fault(1, "broken")
    assert chain.verify([dataclasses.replace(whole[0], body=None, salt=None)]) == Fault(1, "lost")
