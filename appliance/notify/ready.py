"""Whether the box can write to people as its settings say: before anything starts, and by `pasokh check`.

Refused, with what to do: a key or password that is missing or that others on the machine can read, a server that would
be spoken to in clear over a network, a message that has no way to go. `pasokh check` and `pasokh notify test` refuse
all of it; the process calls does not start with settings that cannot be meant, but a secret that lies open or is
missing costs messages only: the telephone works, nothing is sent with it, and the page says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from appliance.errors import Problem
from appliance.lookup import gateway
from appliance.lookup.gateway import Gateway, is_loopback
from appliance.lookup.inbox import Inbox
from appliance.lookup.settings import Sms, SmsTemplate
from appliance.notify import mail
from appliance.notify.mail import Post
from appliance.notify.outbox import quiet_hours
from appliance.notify.settings import Mail, Notify
from appliance.places import Places

TEMPLATES = ("code", "missed", "callback", "promise", "promise_moved", "promise_kept", "request", "survey", "alarm")


@dataclass(frozen=True, slots=True)
class Writing:
    """All settings of what the box writes to people."""

    notify: Notify
    mail: Mail
    sms: Sms
    templates: tuple[SmsTemplate, ...] = ()

    @property
    def writes_to_callers(self) -> bool:
        notify = self.notify
        return notify.missed or notify.requests or notify.promises or notify.asks_callers

    @property
    def writes_to_owner(self) -> bool:
        return bool(self.notify.alarm_mail or self.notify.alarm_sms)


def check(writing: Writing, places: Places) -> tuple[Gateway, Post]:
    """The two ways out; Problem where anything stands in their way."""
    found = ways(writing, places)
    inbox_of(writing, places)
    problem = hindrance(writing, places)
    if problem is not None:
        raise problem
    return found


def hindrance(writing: Writing, places: Places) -> Problem | None:
    """The first secret that is missing or lies open; None where all are as they should be."""
    sms, post = writing.sms, writing.mail
    try:
        if sms.url:
            named = (sms.url, sms.status_url, sms.inbox_url, sms.header, *sms.sends, *_of_templates(writing.templates))
            _check_secret(places, gateway.SECRET, is_needed=any("{key}" in text for text in named))
        if post.server:
            _check_secret(places, mail.SECRET, is_needed=bool(post.user))
    except Problem as problem:
        return problem
    return None


def ways(writing: Writing, places: Places) -> tuple[Gateway, Post]:
    """The two ways out; Problem where the settings cannot be carried out."""
    sms, post = writing.sms, writing.mail
    quiet_hours(writing.notify)
    for template in writing.templates:
        if template.name not in TEMPLATES:
            raise Problem("notify.no_such_kind", name=template.name[:40], known=", ".join(TEMPLATES))
    found = Gateway(sms, writing.templates, places.secret), Post(post, places.secret)
    if (writing.writes_to_callers or writing.notify.alarm_sms) and not sms.url:
        raise Problem("notify.no_way", what="SMS", section="sms", setting="url")
    if writing.notify.alarm_mail and not post.server:
        raise Problem("notify.no_way", what="e-mail", section="mail", setting="server")
    if writing.notify.survey_url:
        _check_link(writing.notify.survey_url)
    return found


def inbox_of(writing: Writing, places: Places) -> Inbox:
    """Where answers are asked for; Problem where the settings cannot be carried out."""
    notify = writing.notify
    found = Inbox(writing.sms, places.secret)
    if not found.is_there and (notify.survey_reply or notify.reply_pin):
        raise Problem("notify.no_inbox", setting="survey_reply" if notify.survey_reply else "reply_pin")
    if notify.reply_pin and not notify.alarm_sms:
        raise Problem("notify.no_owner")
    return found


def _of_templates(templates: Sequence[SmsTemplate]) -> list[str]:
    return [text for template in templates for text in (template.url, *template.sends)]


def _check_link(url: str) -> None:
    """A link in an SMS is the owner's page: over TLS, and it says whose answer it is."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))) or "{id}" not in url:
        raise Problem("notify.bad_link", url=url[:80])


def _check_secret(places: Places, name: str, *, is_needed: bool) -> None:
    """There where it is needed, and nobody else's to read."""
    path = places.secrets / name
    if places.secret(name) in (None, ""):
        if is_needed:
            raise Problem("notify.no_secret", file=str(path))
        return
    if path.is_file() and (mode := path.stat().st_mode & 0o077):
        raise Problem("notify.open_secret", file=str(path), mode=f"{mode:03o}")
