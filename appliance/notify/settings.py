"""Settings of what the box writes to people. Nothing is sent to callers before the owner asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """The owner's SMTP server; the password of ``user`` is the secret ``mail``."""

    server: str = ""  # empty: no e-mail is sent
    port: int = 587
    tls: Literal["starttls", "tls", "none"] = "starttls"  # none: on loopback only
    ca_file: str = ""  # the server's own authority, where no public one has signed it
    user: str = ""
    sender: str = ""  # the address it comes from; empty: user
    wait_seconds: float = 20.0  # for each answer of the server; nobody but the message waits


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """Who is written to, about what, and how much. SMS goes to mobile numbers that may be called back, by `[sms]`."""

    firm: str = ""  # the name that stands in texts; empty: the box's
    missed: bool = False  # to callers whom nobody has spoken with
    requests: bool = False  # the tracking code of callbacks, messages, requests and complaints
    promises: bool = False  # a promised call: made, moved, kept
    survey_url: str = ""  # `{id}` is the conversation: a page of the owner's own; empty: nobody is asked
    survey_share: float = 1.0  # of the callers somebody has spoken with; chance decides, never an agent
    survey_reply: Literal["", "csat", "nps"] = ""  # instead of a link: answer this SMS by 1 to 5, or by 0 to 10
    reply_pin: str = ""  # whose PIN stands before orders by SMS ("1234 closed until 10/05"); empty: nobody's
    never: tuple[str, ...] = ()  # numbers that are never written to
    quiet_from: str = "21:00"  # callers are left in peace from then ...
    quiet_until: str = "08:00"  # ... until then (Tehran); what waited goes then, if it is not too old
    per_hour: int = 60  # messages to callers in any hour
    per_recipient_day: int = 4  # messages to one caller in any 24 hours
    expires_hours: float = 12.0  # what could not be sent until then is not sent any more
    alarm_mail: tuple[str, ...] = ()  # the owner's addresses
    alarm_sms: tuple[str, ...] = ()  # the owner's numbers
    alarm_minutes: float = 10.0  # how long something must be wrong before the owner is told
    alarms_per_hour: int = 20  # messages to the owner in any hour

    @property
    def asks_callers(self) -> bool:
        """Whether callers are asked how it was."""
        return bool(self.survey_url or self.survey_reply)
