"""Digest authentication from both sides, against the examples of the RFCs."""

from __future__ import annotations

import itertools

import pytest

from appliance.signalling import digest, wire

NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
MUFASA = {"user": "Mufasa", "realm": "http-auth@example.org", "password": "Circle of Life", "method": "GET"}
GUARD_KEY = b"k" * 32


def test_the_examples_of_rfc_7616_come_out() -> None:
    fields = {"uri": "/dir/index.html", "nonce": NONCE, "count": "00000001", "qop": "auth"}
    fields["cnonce"] = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    assert digest.response_to(algorithm="MD5", **MUFASA, **fields) == "8ca523f5e9506fed4657c9700eebdbec"
    assert (
        digest.response_to(algorithm="SHA-256", **MUFASA, **fields)
        == "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
    )


def test_the_example_of_rfc_2617_comes_out_with_and_without_qop() -> None:
    fields = {"user": "Mufasa", "realm": "testrealm@host.com", "password": "Circle Of Life", "method": "GET"}
    fields |= {"uri": "/dir/index.html", "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093"}
    with_qop = digest.response_to(algorithm="MD5", **fields, cnonce="0a4f113b", count="00000001", qop="auth")
    assert with_qop == "6629fae49393a05397450978507c4ef1"
    assert digest.response_to(algorithm="MD5", **fields) == "670fd8c2df070c60b045671b8b24ff02"
    assert digest.response_to(algorithm="SHA-1", **fields) is None


def challenge(code: int = 401, call_id: str = "c", cseq: int = 1, *values: str) -> wire.Response:
    name = "www-authenticate" if code == 401 else "proxy-authenticate"
    pairs = [("call-id", call_id), ("cseq", f"{cseq} INVITE"), *((name, value) for value in values)]
    return wire.Response(code, "x", wire.Headers(pairs))


def authorizer() -> digest.Authorizer:
    return digest.Authorizer('a"li', "secret", lambda: "c0")


def test_the_stronger_of_two_challenges_is_answered() -> None:
    md5, sha = 'Digest realm="r", nonce="1", qop="auth"', 'Digest realm="r", nonce="2", algorithm=SHA-256, qop="auth"'
    header = authorizer().answer(challenge(401, "c", 1, md5, sha), "INVITE", "sip:x@y")
    assert header is not None and header[0] == "authorization"
    assert "algorithm=SHA-256" in header[1] and 'username="a\\"li"' in header[1] and "nc=00000001" in header[1]


@pytest.mark.parametrize(
    "value",
    [
        'Basic realm="r"',
        'Digest realm="r"',
        'Digest realm="r", nonce="n", algorithm=SHA-1',
        "",
        "Digest " + "x" * 5000,
        'Digest realm="r", nonce="n", qop="auth-int"',
    ],
)
def test_a_challenge_that_cannot_be_answered_is_left_alone(value: str) -> None:
    assert authorizer().answer(challenge(401, "c", 1, value), "INVITE", "sip:x@y") is None


def test_a_second_challenge_is_answered_only_where_the_nonce_had_grown_stale() -> None:
    ours = authorizer()
    assert ours.answer(challenge(407, "c", 1, 'Digest realm="r", nonce="1"'), "INVITE", "sip:x@y") is not None
    assert ours.answer(challenge(407, "c", 2, 'Digest realm="r", nonce="2"'), "INVITE", "sip:x@y") is None
    ours = authorizer()
    ours.answer(challenge(407, "c", 1, 'Digest realm="r", nonce="1"'), "INVITE", "sip:x@y")
    stale = 'Digest realm="r", nonce="2", stale=TRUE'
    assert ours.answer(challenge(407, "c", 2, stale), "INVITE", "sip:x@y") is not None
    forever = (
        ours.answer(challenge(407, "c", n, stale.replace("2", str(n))), "INVITE", "sip:x@y") for n in range(3, 9)
    )
    assert sum(answer is not None for answer in forever) <= 1


def test_the_same_nonce_again_is_used_with_the_next_count() -> None:
    ours = authorizer()
    for number, count in ((1, "00000001"), (10, "00000002")):
        value = 'Digest realm="r", nonce="1", qop="auth"'
        header = ours.answer(challenge(401, "c", number, value), "INVITE", "sip:x@y")
        assert header is not None and f"nc={count}" in header[1]


def test_the_password_is_in_no_repr() -> None:
    assert "secret" not in repr(authorizer())


class Phone:
    """Answers a guard's challenges."""

    def __init__(self, password: str = "right", user: str = "desk1") -> None:
        self.guard = digest.Guard("office", GUARD_KEY, {"desk1": "right", "desk2": "other"})
        self.ours = digest.Authorizer(user, password, lambda: "c0")
        self._calls = itertools.count()

    def answer(self, now: float, index: int = 0, method: str = "REGISTER", uri: str = "sip:office") -> str:
        value = self.guard.challenges(now)[index]
        header = self.ours.answer(challenge(401, f"c{next(self._calls)}", 1, value), method, uri)
        assert header is not None
        return header[1]


@pytest.mark.parametrize("index", [0, 1])
def test_a_right_password_is_taken_once_with_either_algorithm(index: int) -> None:
    phone = Phone()
    given = phone.answer(5, index)
    assert phone.guard.check(given, "REGISTER", 6) == ("desk1", "ok")
    assert phone.guard.check(given, "REGISTER", 6) == ("desk1", "stale")


def test_counts_may_overtake_each_other_but_none_is_taken_twice() -> None:
    phone = Phone()
    value = phone.guard.challenges(0)[0]
    answers = [phone.ours.answer(challenge(401, f"x{n}", 1, value), "INVITE", "sip:o") or ("", "") for n in range(6)]
    verdicts = [phone.guard.check(answers[n][1], "INVITE", 1)[1] for n in (0, 3, 2, 5, 1, 4, 2, 5)]
    assert verdicts == ["ok"] * 6 + ["stale"] * 2


def test_a_wrong_password_and_an_unknown_name_are_told_apart_by_nobody() -> None:
    wrong, unknown = Phone(password="guess"), Phone(user="nobody")
    assert wrong.guard.check(wrong.answer(5), "REGISTER", 6)[1] == "no"
    assert unknown.guard.check(unknown.answer(5), "REGISTER", 6)[1] == "no"


def test_an_old_nonce_is_stale_and_one_of_another_box_too() -> None:
    phone = Phone()
    given = phone.answer(0)
    assert phone.guard.check(given, "REGISTER", digest.NONCE_SECONDS + 1)[1] == "stale"
    other = digest.Guard("office", b"z" * 32, {"desk1": "right"})
    assert other.check(phone.answer(0), "REGISTER", 1)[1] == "stale"


def test_an_answer_counts_only_for_its_own_method_uri_and_realm() -> None:
    phone = Phone()
    assert phone.guard.check(phone.answer(0), "INVITE", 1)[1] == "no"
    assert phone.guard.check(phone.answer(0), "REGISTER", 1, "sip:elsewhere")[1] == "no"
    assert phone.guard.check(phone.answer(0), "REGISTER", 1, "sip:office;transport=udp")[1] == "ok"
    assert phone.guard.check(phone.answer(0).replace('realm="office"', 'realm="x"'), "REGISTER", 1)[1] == "no"


@pytest.mark.parametrize(
    "given", ["", "Digest", "Basic x", 'Digest username="a', "Digest " + "x=y," * 3000, "Digest nonce=\u0660"]
)
def test_junk_for_credentials_is_stale_or_no_and_never_an_error(given: str) -> None:
    assert Phone().guard.check(given, "REGISTER", 1)[1] in ("no", "stale")


def test_used_nonces_are_bounded_and_a_forgotten_one_cannot_be_replayed() -> None:
    phone = Phone()
    first = phone.answer(1.0)
    assert phone.guard.check(first, "REGISTER", 1.0)[1] == "ok"
    for number in range(digest.MAX_REMEMBERED + 2):
        now = 1.0 + (number + 1) / 1000
        assert phone.guard.check(phone.answer(now), "REGISTER", now)[1] == "ok"
    assert len(phone.guard._used) <= digest.MAX_REMEMBERED
    assert phone.guard.check(first, "REGISTER", 6.0)[1] == "stale"
