"""The adapter to the owner's SMTP server. The only module that imports smtplib; to be called in a thread.

Over a network it is TLS from the first byte or STARTTLS before anything else, with the server's certificate checked,
or nothing. A message that the server has taken, or may have taken, is never handed over again.
"""

from __future__ import annotations

import email.policy
import hashlib
import smtplib
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path

from appliance.errors import Problem
from appliance.lookup.gateway import Outcome, is_loopback
from appliance.notify.settings import Mail

SECRET = "mail"  # noqa: S105 - the name of a secret


class Post:
    """``secret`` gives the password. Problem where the settings would send in clear over a network."""

    def __init__(self, settings: Mail, secret: Callable[[str], str | None]) -> None:
        self._settings = settings
        self._secret = secret
        if settings.server and settings.tls == "none" and not is_loopback(settings.server):
            raise Problem("notify.mail_needs_tls", server=settings.server)
        if settings.server and not (settings.sender or settings.user):
            raise Problem("notify.no_sender")
        self._tls = ssl.create_default_context(cafile=self._ca_file())

    @property
    def is_there(self) -> bool:
        return bool(self._settings.server)

    def send(self, to: str, subject: str, text: str, name: str) -> Outcome:
        """Hands one message over; never raises for what a server or network does."""
        if not self.is_there:
            return Outcome("refused", "no_server")
        message = composed(self._settings.sender or self._settings.user, to, subject, text, name)
        try:
            server = self._connected()
        except smtplib.SMTPAuthenticationError as error:
            return Outcome("later", f"auth {error.smtp_code}")
        except ssl.SSLError as error:
            return Outcome("later", f"tls {error.reason or ''}".strip())
        except (OSError, smtplib.SMTPException) as error:
            return Outcome("later", type(error).__name__)
        try:
            return _handed(server, message)
        finally:
            server.close()

    def _connected(self) -> smtplib.SMTP:
        """Connected, in TLS where it must be, and signed in."""
        settings = self._settings
        if settings.tls == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                settings.server, settings.port, timeout=settings.wait_seconds, context=self._tls
            )
        else:
            server = smtplib.SMTP(settings.server, settings.port, timeout=settings.wait_seconds)
        try:
            if settings.tls == "starttls":
                server.starttls(context=self._tls)
            server.ehlo_or_helo_if_needed()
            if settings.user:
                server.login(settings.user, self._secret(SECRET) or "")
        except BaseException:
            server.close()
            raise
        return server

    def _ca_file(self) -> str | None:
        if not self._settings.ca_file:
            return None
        if not Path(self._settings.ca_file).is_file():
            raise Problem("notify.no_ca_file", file=self._settings.ca_file)
        return self._settings.ca_file


def _handed(server: smtplib.SMTP, message: EmailMessage) -> Outcome:
    """MAIL, RCPT and DATA one by one: what failed says whether the message may be tried again."""
    try:
        for code, _ in (server.mail(str(message["From"])), server.rcpt(str(message["To"]))):
            if code >= 400:
                return Outcome("refused" if code >= 500 else "later", str(code))
    except (OSError, smtplib.SMTPException) as error:
        return Outcome("later", type(error).__name__)
    try:
        code, _ = server.data(message.as_bytes(policy=email.policy.SMTP))
    except smtplib.SMTPDataError as error:
        return Outcome("refused" if error.smtp_code >= 500 else "later", str(error.smtp_code))
    except (OSError, smtplib.SMTPException) as error:
        return Outcome("unknown", type(error).__name__)
    if code >= 400:
        return Outcome("refused" if code >= 500 else "later", str(code))
    return Outcome("sent", reference=str(message["Message-ID"]))


def composed(sender: str, to: str, subject: str, text: str, name: str) -> EmailMessage:
    """One message in UTF-8; no value can add a header (the library refuses line ends)."""
    message = EmailMessage()
    message["From"], message["To"] = sender, to
    message["Subject"] = " ".join(subject.split())[:200]
    message["Date"] = formatdate(localtime=False)
    message["Message-ID"] = make_msgid(
        idstring=hashlib.sha256(name.encode()).hexdigest()[:16], domain=sender.rpartition("@")[2] or "pasokh.local"
    )
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text, cte="base64")  # for servers that know no 8 bits
    return message
