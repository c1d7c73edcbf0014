"""Whether a person has said so: a party is asked by a prompt, several times, and nothing but a key is an answer.

The one place that decides it, for customers who are called back and for agents at numbers outside. Whatever else
answers a telephone (an announcement, a machine, a fax, somebody who does not listen) presses nothing, so silence, sound
and tones are all the same: nobody has said so. After each question a key is waited for, and a soft sound tells
meanwhile that the line lives. Keys from before the question are none.
"""

from __future__ import annotations

import math

from appliance.calls.conversation import TOLD_SECONDS, Conversation, Left, key_of
from appliance.calls.office import Item
from appliance.calls.party import Party
from appliance.flow.run import TICK_SECONDS
from appliance.flow.steps import LISTENING
from appliance.media import port as media
from appliance.signalling.settings import Trunk

TRIES = 2
ANALOG_TRIES = 4  # an analog gateway answers at once, while it still rings
KEY_SECONDS = 6.0  # after each prompt
YES = "1"


def tries_on(trunk: Trunk) -> int:
    """How often whoever answers on this trunk is asked."""
    return ANALOG_TRIES if trunk.kind == "analog" else TRIES


async def ask(
    conversation: Conversation,
    party: Party,
    prompts: tuple[str, ...],
    tries: int,
    keys: str,
    language: str,
    until: float = math.inf,
) -> str:
    """The key that ``party`` pressed of ``keys`` before ``until``; empty where none was, or they went.

    Who is asked is asked to the end, though the customer leaves meanwhile. Raises Left where nobody is left to ask.
    """
    asking = Asking(conversation, party, prompts, tries, keys, language)
    while not party.has_ended and conversation.office.clock.monotonic() < until:
        try:
            item = await conversation.next(min(asking.deadline, until))
        except Left:
            if party is conversation.customer or conversation.is_stopping or party.has_ended:
                raise
            continue
        key = asking.take(item)
        if key is not None:
            return key
    return ""


class Asking:
    """Begins to ask at once. ``take`` is told whatever happens; ``deadline`` (monotonic) is when time has passed."""

    def __init__(
        self, conversation: Conversation, party: Party, prompts: tuple[str, ...], tries: int, keys: str, language: str
    ) -> None:
        self._conversation = conversation
        self._party = party
        self._prompts = prompts
        self._left = tries
        self._keys = keys
        self._language = language
        self._ask()

    def _ask(self) -> None:
        self._left -= 1
        self._play = self._conversation.say_to(self._party, self._prompts, self._language)
        self._ends: float | None = None
        self.deadline = self._now + TOLD_SECONDS

    @property
    def _now(self) -> float:
        return self._conversation.office.clock.monotonic()

    def take(self, item: Item | None) -> str | None:
        """The key that was pressed; empty: nobody has pressed one, or they have gone; None: it is still being asked."""
        if self._party.has_ended:
            return ""
        key = key_of(self._party, item)
        if key and key in self._keys:
            if self._party is self._conversation.customer:
                self._conversation.digits.clear()
            return key
        if isinstance(item, media.PlayEnded) and item.stream == self._party.leg and item.play == self._play:
            self._ends, self.deadline = self._now + KEY_SECONDS, self._now + TICK_SECONDS
        elif self._now >= self.deadline:
            return self._pass_time()
        return None

    def _pass_time(self) -> str | None:
        if self._ends is not None and self._now < self._ends:
            self._conversation.say_to(self._party, (LISTENING,), self._language)
            self.deadline = min(self._ends, self._now + TICK_SECONDS)
        elif self._left:
            self._ask()
        else:
            return ""
        return None
