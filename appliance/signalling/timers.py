"""Session timers (RFC 4028): who refreshes, when, and when a session counts as gone. A machine without a clock."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.signalling import headers as h
from appliance.signalling.wire import Request, Response

MIN_SECONDS = 90  # RFC 4028, 4: no shorter interval may be asked of anybody


@dataclass(frozen=True, slots=True)
class Session:
    """What was agreed; ``we_refresh`` at half of ``seconds``, else the session ends a little before it."""

    seconds: int
    we_refresh: bool

    @property
    def next_in(self) -> float:
        """Seconds from now to the refresh, or to the end where the other side should have refreshed."""
        return self.seconds / 2 if self.we_refresh else self.seconds - min(32, self.seconds / 3)

    def header(self, we_sent_the_request: bool) -> str:
        """Session-Expires for an answer or a refresh; uac is whoever sends that request."""
        refresher = "uac" if self.we_refresh == we_sent_the_request else "uas"
        return f"{self.seconds};refresher={refresher}"


def asked_too_little(request: Request) -> bool:
    """Whether the request's interval is below what we accept: answered 422 with Min-SE."""
    wanted = _interval(request)
    return wanted is not None and wanted[0] < MIN_SECONDS


def as_server(request: Request, ours_seconds: int) -> Session | None:
    """What our 200 to this request says: None where neither side asks for a timer."""
    supports = "timer" in [option.lower() for option in request.headers.all("supported")]
    wanted = _interval(request)
    if wanted is None:
        # The other side does not ask; if it knows timers we refresh by ourselves, and say so.
        return Session(ours_seconds, True) if supports else None
    seconds, refresher = wanted
    seconds = max(MIN_SECONDS, min(seconds, max(ours_seconds, _least(request))))
    return Session(seconds, refresher == "uas" or not supports)


def as_client(response: Response) -> Session | None:
    """What the 200 to our request agreed."""
    agreed = _interval(response)
    if agreed is None:
        return None
    seconds, refresher = agreed
    return Session(max(MIN_SECONDS, seconds), refresher != "uas")


def least_of(response: Response) -> int | None:
    """The Min-SE of a 422."""
    text = response.headers.get("min-se")
    if text is None:
        return None
    try:
        return h.number_and_parameters(text)[0]
    except ValueError:
        return None


def _least(request: Request) -> int:
    text = request.headers.get("min-se")
    try:
        return h.number_and_parameters(text)[0] if text else 0
    except ValueError:
        return 0


def _interval(message: Request | Response) -> tuple[int, str] | None:
    text = message.headers.get("session-expires")
    if text is None:
        return None
    try:
        seconds, parameters = h.number_and_parameters(text)
    except ValueError:
        return None
    return seconds, dict(parameters).get("refresher", "").lower()
