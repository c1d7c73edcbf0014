"""The page's routes with a made-up calls behind them: who sees what, and what a browser is given."""

from __future__ import annotations

import pytest

from appliance.control.wire import Role
from tests.web.given import NUMBER, WAITS, Browser, MadeUpCalls


def ask(
    calls: MadeUpCalls, method: str, path: str, *, token: str = "", body: bytes = b"", chunks: int = 1
) -> tuple[int, dict[str, str], str]:
    """Status, headers and text of one request."""
    return Browser(calls, token=token).ask(method, path, body, chunks)


@pytest.mark.parametrize("path", ["/", "/password"])
def test_who_is_not_signed_in_is_sent_to_the_door(path: str) -> None:
    status, headers, _ = ask(MadeUpCalls(), "GET", path, token="stolen")
    assert (status, headers["location"]) == (303, "/sign-in")


def test_a_stream_without_a_session_is_told_so_and_not_led_to_a_page() -> None:
    status, headers, text = ask(MadeUpCalls(), "GET", "/live")
    assert status == 200 and headers["content-type"].startswith("text/event-stream")
    assert text == "event: gone\ndata: {}\n\n"


@pytest.mark.parametrize("path", ["/", "/live"])
def test_nothing_is_shown_before_the_first_boot_code_became_a_password(path: str) -> None:
    status, headers, text = ask(MadeUpCalls(must_set_password=True), "GET", path, token="good")
    assert (status, headers["location"]) == (303, "/password") and NUMBER not in text


@pytest.mark.parametrize(
    ("role", "sees"), [("owner", True), ("supervisor", True), ("agent", True), ("technician", False)]
)
def test_a_technician_never_sees_a_number(role: Role, sees: bool) -> None:
    for path in ("/", "/live"):
        status, _, text = ask(MadeUpCalls(role), "GET", path, token="good")
        assert status == 200 and (NUMBER in text) is sees and (WAITS in text) is sees


@pytest.mark.parametrize(
    ("role", "sees"), [("owner", True), ("technician", True), ("supervisor", False), ("agent", False)]
)
def test_counters_are_for_the_owner_and_the_technician(role: Role, sees: bool) -> None:
    assert ("sip.strangers" in ask(MadeUpCalls(role), "GET", "/", token="good")[2]) is sees


def test_the_page_opens_also_while_calls_has_just_stopped() -> None:
    calls = MadeUpCalls()
    calls.has_picture = False
    status, _, text = ask(calls, "GET", "/", token="good")
    assert status == 200 and "finding stopped" in text


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/password", "/language"])
@pytest.mark.parametrize("body", [b"", b"form=wrong", b"&".join(b"a=1" for _ in range(50)), b"\xff=%ff&form=\xff"])
def test_a_form_that_is_not_ours_does_nothing(path: str, body: bytes) -> None:
    calls = MadeUpCalls()
    status, headers, _ = ask(calls, "POST", path, token="good", body=body)
    assert status in (400, 403) and "set-cookie" not in headers and calls.signed_out == []


def test_a_body_in_pieces_that_is_too_long_is_cut_off_in_order() -> None:
    assert ask(MadeUpCalls(), "POST", "/sign-in", body=b"x" * 4096, chunks=8)[0] == 413


@pytest.mark.parametrize("is_tls", [True, False])
def test_the_sessions_cookie_is_for_this_host_and_no_script(is_tls: bool) -> None:
    browser = Browser(MadeUpCalls(), is_tls=is_tls, token="")
    headers = browser.post("/sign-in", name="owner", secret="right")[1]
    parts = {part.strip().lower() for part in headers["set-cookie"].split(";")}
    assert {"httponly", "samesite=strict", "path=/"} <= parts and ("secure" in parts) is is_tls
    assert ("__host-pasokh=good" in parts) is is_tls
