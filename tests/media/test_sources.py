"""From whom a stream takes sound: the negotiated address, or who proves to be behind the router; never anybody else."""

from __future__ import annotations

from appliance.media.sources import SourceRule

NEGOTIATED = ("192.0.2.1", 4000)
ROUTER = ("203.0.113.9", 61_000)
STRANGER = ("198.51.100.7", 5555)


def rule(networks: tuple[str, ...] = (), is_behind_nat: bool = True) -> SourceRule:
    made = SourceRule()
    made.negotiated(NEGOTIATED, networks, is_behind_nat)
    return made


def test_the_negotiated_address_is_taken_at_once() -> None:
    made = rule()
    assert made.judge(NEGOTIATED, 1, 0.0, -1.0) and made.locked == NEGOTIATED


def test_another_address_is_taken_at_its_third_packet_within_two_seconds() -> None:
    made = rule()
    assert [made.judge(ROUTER, 1, at, -1.0) for at in (0.0, 0.02, 0.04)] == [False, False, True]
    slow = rule()
    assert [slow.judge(ROUTER, 1, at, -1.0) for at in (0.0, 1.5, 3.0, 4.0)] == [False, False, False, False]


def test_packets_of_several_sources_do_not_add_up() -> None:
    made = rule()
    assert not any(made.judge(ROUTER, ssrc, 0.01 * ssrc, -1.0) for ssrc in range(1, 9))


def test_once_locked_nobody_else_is_heard() -> None:
    made = rule()
    made.judge(NEGOTIATED, 1, 0.0, -1.0)
    assert not any(made.judge(STRANGER, 2, 0.02 * n, 0.02 * n) for n in range(100))
    assert not any(made.judge(STRANGER, 2, 60 + 0.02 * n, 0.0) for n in range(100)), "not even after silence"


def test_networks_of_the_trunk_bound_who_may_be_taken_and_may_take_over_after_a_second_of_silence() -> None:
    made = rule(networks=("203.0.113.0/24",))
    assert not any(made.judge(STRANGER, 2, 0.02 * n, -1.0) for n in range(50))
    assert made.judge(NEGOTIATED, 1, 2.0, -1.0)
    assert not any(made.judge(ROUTER, 3, 2.1 + 0.02 * n, 2.1 + 0.02 * n) for n in range(10))
    assert [made.judge(ROUTER, 3, 5 + 0.02 * n, 3.0) for n in range(3)] == [False, False, True]
    assert made.locked == ROUTER


def test_without_a_router_only_the_negotiated_address_counts() -> None:
    made = rule(is_behind_nat=False)
    assert not any(made.judge(ROUTER, 1, 0.02 * n, -1.0) for n in range(10))


def test_a_new_address_in_the_description_opens_the_window_again() -> None:
    made = rule()
    made.judge(NEGOTIATED, 1, 0.0, -1.0)
    made.negotiated(STRANGER, (), True)
    assert made.locked is None and made.judge(STRANGER, 2, 1.0, 1.0)
