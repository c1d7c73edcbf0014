"""The bytes that the chain is made over."""

from __future__ import annotations

import dataclasses
import json
from typing import get_type_hints

from hypothesis import given, settings

from appliance.records import encode
from appliance.records.events import (
    ConversationErased,
    Happened,
    NodeEntered,
    RecordClosed,
    State,
    StateEntered,
    TrunkTurned,
)
from tests.records import given as known
from tests.records.given import whole_call, with_erasures


def test_every_kind_of_event_has_a_name_of_its_own_and_is_known_by_it() -> None:
    names = [kind.kind for kind in Happened.__args__]
    assert len(set(names)) == len(names) and set(encode.KINDS) == set(names)


def test_every_field_of_every_event_is_a_text_a_whole_number_or_a_truth() -> None:
    for kind in encode.KINDS.values():
        for hint in get_type_hints(kind).values():
            assert "float" not in str(hint) and "Decimal" not in str(hint), (kind, hint)


@given(with_erasures)
@settings(max_examples=200)
def test_an_event_is_found_again_in_its_bytes_which_are_those_of_the_plain_json_module(happened: Happened) -> None:
    kept, body = encode.canonical(happened)
    assert kept is happened and encode.happened_from(happened.kind, body) == happened
    plain = json.dumps(dataclasses.asdict(happened), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert json.loads(body) == json.loads(plain)
    if "\x7f" not in plain and "\\" not in plain:
        assert body == plain.encode()


def test_the_bytes_of_known_events_never_change() -> None:
    """Vectors: a change here would make every chain out there look broken."""
    vectors: list[tuple[Happened, bytes]] = [
        (StateEntered("c1", State.TALKING, 9000), b'{"conversation":"c1","offset_ms":9000,"state":"talking"}'),
        (RecordClosed("c1"), b'{"conversation":"c1"}'),
        (TrunkTurned("main", "up", 200), b'{"code":200,"state":"up","trunk":"main"}'),
        (
            NodeEntered("c1", "منو", "menu", 0),
            '{"conversation":"c1","node":"منو","node_kind":"menu","offset_ms":0}'.encode(),
        ),
    ]
    for happened, body in vectors:
        assert encode.canonical(happened) == (happened, body)


def test_half_a_character_in_a_display_name_becomes_a_replacement_and_stops_nothing() -> None:
    happened = dataclasses.replace(known.opened("c1"), customer_name="a\ud800?")
    kept, body = encode.canonical(happened)
    assert "a\ufffd" in json.loads(body)["customer_name"] and encode.happened_from(kept.kind, body) == kept


def test_an_event_of_a_newer_version_is_passed_over_and_a_field_it_added_too() -> None:
    assert encode.happened_from("newer.kind", b"{}") is None
    assert encode.happened_from("record.closed", b'{"conversation":"c1","more":1}') == RecordClosed("c1")


def test_everything_about_a_conversation_has_it_as_its_subject() -> None:
    for happened in [*whole_call("c1"), ConversationErased("c1", "asked", "owner")]:
        if hasattr(happened, "conversation"):
            assert encode.subject(happened) == "c1"
