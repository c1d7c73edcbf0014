"""Digest authentication (RFC 7616, 8760; the older forms of RFC 2617 and 2069), from both sides.

``Authorizer`` answers the challenges of a trunk; ``Guard`` challenges desk phones. What a newcomer gets wrong: a
challenge after an answer means a wrong password unless it says ``stale``, and trying on would lock the account; and a
server that looks a user up before it challenges tells a scanner which names exist.

The guard's policy: nonces are signed, not stored, and live for five minutes; only those that were used with a right
password are remembered, so that none of their counts is taken twice. An unknown user costs the same work as a known
one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from typing import Literal

from appliance.signalling import headers as h
from appliance.signalling.wire import Response

Verdict = Literal["ok", "no", "stale"]
Algorithm = Literal["SHA-256", "MD5"]

NONCE_SECONDS = 300.0
MAX_HEADER = 4_096
MAX_REMEMBERED = 4_096  # used nonces; beyond it the oldest become stale, never replayable
WINDOW = 64  # how far behind the highest count an unused one may come, for requests that overtake each other
MAX_CHALLENGED = 512  # requests of ours whose challenges are remembered
MAX_CHAIN = 3  # answers to challenges that one request may get: its first, and stale ones
UNKNOWN_PASSWORD = "no such user"  # noqa: S105 - gives an unknown user the same work; its result is never used

_HASHES: dict[str, Callable[[bytes], str]] = {
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
}
_PARAMETER = re.compile(r'([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))')
_DIGEST = re.compile(r"\s*digest\s+", re.IGNORECASE)


def parameters_of(header: str) -> dict[str, str] | None:
    """The fields of one Digest challenge or answer, names in lower case; None for another scheme."""
    scheme = _DIGEST.match(header)
    if scheme is None or len(header) > MAX_HEADER:
        return None
    found: dict[str, str] = {}
    for match in _PARAMETER.finditer(header, scheme.end()):
        quoted, plain = match[2], match[3]
        found.setdefault(match[1].lower(), quoted if quoted is not None else plain)
    return found


def response_to(
    *,
    algorithm: str,
    user: str,
    realm: str,
    password: str,
    method: str,
    uri: str,
    nonce: str,
    cnonce: str = "",
    count: str = "",
    qop: str = "",
) -> str | None:
    """The ``response`` field (RFC 7616, 3.4.1); without ``qop`` as in RFC 2069. None: an unknown algorithm."""
    name, _, suffix = algorithm.upper().partition("-SESS")
    digest = _HASHES.get(name)
    if digest is None or suffix:
        return None

    def hashed(*parts: str) -> str:
        return digest(":".join(parts).encode("utf-8", "surrogateescape"))

    first = hashed(user, realm, password)
    if algorithm.upper() != name:
        first = hashed(first, nonce, cnonce)
    second = hashed(method, uri)
    if not qop:
        return hashed(first, nonce, second)
    return hashed(first, nonce, count, cnonce, qop, second)


class Authorizer:
    """Our account at one provider. Answers each challenge once; remembers counts per nonce."""

    __slots__ = ("_answered", "_counts", "_new_cnonce", "_password", "_user")

    def __init__(self, user: str, password: str, new_cnonce: Callable[[], str]) -> None:
        self._user = user
        self._password = password
        self._new_cnonce = new_cnonce
        self._counts: dict[str, int] = {}
        self._answered: dict[str, tuple[int, int, frozenset[str]]] = {}  # Call-ID: last CSeq, answers, nonces

    def __repr__(self) -> str:
        return f"Authorizer({self._user!r}, ***)"

    def answer(self, response: Response, method: str, uri: str) -> tuple[str, str] | None:
        """The header's name and value for the next try, or None where it would be useless."""
        asked, given = (
            ("proxy-authenticate", "proxy-authorization")
            if response.code == 407
            else ("www-authenticate", "authorization")
        )
        challenge = _best([parameters_of(header) for header in response.headers.all(asked)])
        if challenge is None or not self._may_answer(response, challenge):
            return None
        return given, self._credentials(challenge, method, uri)

    def _may_answer(self, response: Response, challenge: Mapping[str, str]) -> bool:
        """Not where this very request was answered before, unless the nonce had grown stale or is another's."""
        call_id = response.headers.get("call-id") or ""
        try:
            number = h.parse_cseq(response.headers.get("cseq") or "")[0]
        except ValueError:
            return False
        last, answers, nonces = self._answered.pop(call_id, (-1, 0, frozenset()))
        if number != last + 1:
            answers, nonces = 0, frozenset()
        nonce = f"{response.code} {challenge.get('realm')} {challenge['nonce']}"
        is_stale = challenge.get("stale", "").lower() == "true"
        is_other_server = answers > 0 and all(known.rpartition(" ")[0] not in nonce for known in nonces)
        may = nonce not in nonces and answers < MAX_CHAIN and (answers == 0 or is_stale or is_other_server)
        self._answered[call_id] = (number, answers + may, nonces | {nonce})
        if len(self._answered) > MAX_CHALLENGED:
            del self._answered[next(iter(self._answered))]
        return may

    def _credentials(self, challenge: Mapping[str, str], method: str, uri: str) -> str:
        nonce, realm = challenge["nonce"], challenge.get("realm", "")
        algorithm = challenge.get("algorithm", "MD5")
        qop = "auth" if "qop" in challenge else ""
        count = self._counts.pop(nonce, 0) + 1
        self._counts[nonce] = count
        if len(self._counts) > MAX_CHALLENGED:
            del self._counts[next(iter(self._counts))]
        cnonce, nc = self._new_cnonce(), f"{count:08x}"
        result = response_to(
            algorithm=algorithm,
            user=self._user,
            realm=realm,
            password=self._password,
            method=method,
            uri=uri,
            nonce=nonce,
            cnonce=cnonce,
            count=nc,
            qop=qop,
        )
        user = self._user.replace("\\", "\\\\").replace('"', '\\"')
        fields = [f'username="{user}"', f'realm="{realm}"', f'nonce="{nonce}"', f'uri="{uri}"', f'response="{result}"']
        if "algorithm" in challenge:
            fields.append(f"algorithm={algorithm}")
        if qop:
            fields += [f'cnonce="{cnonce}"', f"nc={nc}", f"qop={qop}"]
        elif algorithm.upper().endswith("-SESS"):
            fields.append(f'cnonce="{cnonce}"')
        if "opaque" in challenge:
            fields.append(f'opaque="{challenge["opaque"]}"')
        return "Digest " + ", ".join(fields)


def _best(challenges: list[dict[str, str] | None]) -> dict[str, str] | None:
    """The strongest challenge that we can answer; the first of equals (RFC 8760, 2.4)."""
    usable = [each for each in challenges if each is not None and each.get("nonce") and _strength(each) > 0]
    return max(usable, key=_strength, default=None)


def _strength(challenge: Mapping[str, str]) -> int:
    name = challenge.get("algorithm", "MD5").upper().removesuffix("-SESS")
    offered = [qop.strip().lower() for qop in challenge.get("qop", "auth").split(",")]
    if name not in _HASHES or "auth" not in offered:
        return 0  # auth-int would have to cover bodies that proxies may change
    return 2 if name == "SHA-256" else 1


class Guard:
    """Asks desk phones for their passwords (``passwords`` by user). ``key`` signs nonces and stays in the process."""

    __slots__ = ("_algorithms", "_floor", "_key", "_made", "_passwords", "_used", "realm")

    def __init__(
        self,
        realm: str,
        key: bytes,
        passwords: Mapping[str, str],
        algorithms: tuple[Algorithm, ...] = ("MD5", "SHA-256"),
    ) -> None:
        self.realm = realm
        self._key = key
        self._passwords = passwords
        self._algorithms = algorithms
        self._made = 0
        self._floor = 0  # nonces made before this millisecond are stale
        self._used: dict[str, tuple[int, int]] = {}  # nonce: highest count, bits of the counts below it

    def challenges(self, now: float, stale: bool = False) -> list[str]:
        """One WWW-Authenticate value per algorithm."""
        nonce = self._nonce(now)
        ending = ", stale=true" if stale else ""
        return [
            f'Digest realm="{self.realm}", nonce="{nonce}", algorithm={algorithm}, qop="auth"{ending}'
            for algorithm in self._algorithms
        ]

    def check(self, given: str, method: str, now: float, uri: str = "") -> tuple[str, Verdict]:
        """Who the Authorization header says to be, and whether it proves it for this method (and URI)."""
        fields = parameters_of(given) or {}
        user, nonce = fields.get("username", ""), fields.get("nonce", "")
        qop = fields.get("qop", "").lower()
        password = self._passwords.get(user)
        expected = response_to(
            algorithm=fields.get("algorithm", "MD5"),
            user=user,
            realm=self.realm,
            password=UNKNOWN_PASSWORD if password is None else password,
            method=method,
            uri=fields.get("uri", ""),
            nonce=nonce,
            cnonce=fields.get("cnonce", ""),
            count=fields.get("nc", ""),
            qop=qop,
        )
        is_right = hmac.compare_digest(
            (expected or "").encode(), fields.get("response", "").lower().encode("utf-8", "surrogateescape")
        )
        made = self._made_at(nonce)
        if made is None:
            # Ours from before a restart, or another box's: a new challenge costs nothing and is no strike.
            return user, "stale"
        if (
            not is_right
            or expected is None
            or password is None
            or fields.get("realm") != self.realm
            or qop not in ("", "auth")
            or not _is_same_uri(fields.get("uri", ""), uri)
        ):
            return user, "no"
        is_fresh = 0 <= round(now * 1000) - made <= NONCE_SECONDS * 1000 and made >= self._floor
        return user, "ok" if is_fresh and self._counted(nonce, fields.get("nc", ""), qop) else "stale"

    def _nonce(self, now: float) -> str:
        self._made += 1
        body = round(now * 1000).to_bytes(7, "big", signed=True) + (self._made & 0xFFFFFFFF).to_bytes(4, "big")
        return base64.urlsafe_b64encode(body + self._signature(body)).decode()

    def _signature(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, "sha256")[:13]

    def _made_at(self, nonce: str) -> int | None:
        """When (milliseconds) this nonce was made, if it is ours."""
        if len(nonce) != 32 or not nonce.isascii():
            return None
        try:
            raw = base64.urlsafe_b64decode(nonce)
        except ValueError:
            return None
        body, signature = raw[:11], raw[11:]
        if not hmac.compare_digest(signature, self._signature(body)):
            return None
        return int.from_bytes(body[:7], "big", signed=True)

    def _counted(self, nonce: str, count: str, qop: str) -> bool:
        """Marks a count of a nonce as used; False if it was, or if it is no count. Without qop there is one use."""
        try:
            number = int(count, 16) if qop else 1
        except ValueError:
            return False
        if not 1 <= number <= 0xFFFFFFFF:
            return False
        highest, bits = self._used.pop(nonce, (0, 0))
        behind = highest - number
        is_new = behind < 0 or (0 <= behind < WINDOW and not bits >> behind & 1)
        if behind < 0:
            highest, bits = number, (bits << min(-behind, WINDOW) | 1) & (1 << WINDOW) - 1
        elif is_new:
            bits |= 1 << behind
        self._used[nonce] = (highest, bits)
        if len(self._used) > MAX_REMEMBERED:
            self._forget_half()
        return is_new

    def _forget_half(self) -> None:
        """Bounded memory: a nonce that is dropped, and every older one, is stale from then on."""
        for nonce in list(self._used)[: MAX_REMEMBERED // 2]:
            del self._used[nonce]
            self._floor = max(self._floor, (self._made_at(nonce) or 0) + 1)


def _is_same_uri(signed: str, asked: str) -> bool:
    """Whether a digest was made for this request; parameters may differ, because proxies and phones drop them."""
    if not asked or signed == asked:
        return True
    try:
        one, other = h.parse_uri(signed), h.parse_uri(asked)
    except ValueError:
        return False
    return (one.user, one.host.lower()) == (other.user, other.host.lower())
