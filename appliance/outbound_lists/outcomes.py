"""What an attempt at somebody of a list can come to, and what is true of them afterwards. Pure."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """The first five are an agent's word; the others follow from the call (queue.callbacks.Outcome)."""

    REACHED = "reached"
    WRONG_NUMBER = "wrong_number"
    ANNOUNCEMENT = "announcement"  # a recorded voice
    CALL_AGAIN = "call_again"  # at a moment that was agreed
    DO_NOT_CALL = "do_not_call"
    NOT_GIVEN = "not_given"  # answered, and nobody has said anything
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    DECLINED = "declined"
    OFF = "off"
    NO_SUCH_NUMBER = "no_such_number"
    NETWORK = "network"
    NO_AGENT = "no_agent"
    INTERRUPTED = "interrupted"


SAID = (Outcome.REACHED, Outcome.WRONG_NUMBER, Outcome.ANNOUNCEMENT, Outcome.CALL_AGAIN, Outcome.DO_NOT_CALL)
FINAL = frozenset({Outcome.REACHED, Outcome.WRONG_NUMBER, Outcome.DO_NOT_CALL, Outcome.NO_SUCH_NUMBER})
UNCOUNTED = frozenset({Outcome.NETWORK, Outcome.NO_AGENT, Outcome.INTERRUPTED})


def of_attempt(word: str) -> Outcome:
    """The outcome that a word of ``queue.callbacks.Outcome`` means here."""
    return Outcome.WRONG_NUMBER if word == "not_reached" else Outcome(word)
