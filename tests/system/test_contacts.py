"""A box that runs: its contacts by command line, and a desk phone that registers with what its file says."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from unittest import mock

import pytest

from appliance import cli
from tests.contacts.given import many_rows
from tests.provisioning.given import read_grandstream, read_yealink
from tests.support.box import Box, free_ports
from tests.support.softphone import Softphone

PHONES = (
    '[[phone]]\nname = "reception"\nmac = "00:15:65:12:34:56"\nmodel = "T46U"\n'
    '[[phone]]\nname = "office"\nmac = "00:0b:82:ab:cd:ef"\nmodel = "GRP2612"\n'
    "[provisioning]\nserves = true\n"
)


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    it = Box("127.0.0.1:9", services=("media", "calls", "web"), extra=PHONES)
    it.start()
    try:
        yield it
    finally:
        it.stop()


def pasokh(box: Box, *words: str, expect: int = 0) -> str:
    """What the command prints, in English."""
    printed = io.StringIO()
    with mock.patch.dict(os.environ, PASOKH_LANG="en"), contextlib.redirect_stdout(printed):
        assert cli.run([*words, "--config", str(box.file)]) == expect, printed.getvalue()
    return printed.getvalue()


def fetched(url: str) -> str:
    """What the page answers, once it listens."""
    until = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                content: bytes = answer.read()
                return content.decode()
        except urllib.error.HTTPError as error:
            if error.code != 503 or time.monotonic() > until:
                raise
        except urllib.error.URLError:
            if time.monotonic() > until:
                raise


def urls(box: Box) -> dict[str, str]:
    listed = pasokh(box, "provision", "list", f"http://127.0.0.1:{box.page}")
    return {name: url for name, _, _, url in (line.split("\t") for line in listed.splitlines())}


async def registers(user: str, password: str, server: str, port: int) -> bool:
    (mine,) = free_ports(1)
    phone = Softphone((server, port), ("127.0.0.1", mine), user=user, password=password)
    await phone.start()
    try:
        async with asyncio.timeout(5):
            await phone.is_registered.wait()
        return True
    except TimeoutError:
        return False
    finally:
        await phone.stop()


def test_phones_register_with_what_the_files_say_that_they_fetch_and_get_no_others(box: Box) -> None:
    found = urls(box)
    own = read_yealink(fetched(found["reception"] + "001565123456.cfg"))
    server, port = own["account.1.sip_server.1.address"], int(own["account.1.sip_server.1.port"])
    assert asyncio.run(registers(own["account.1.user_name"], own["account.1.password"], server, port))
    other = read_grandstream(fetched(found["office"] + "cfg000b82abcdef.xml"), "000b82abcdef")
    address, _, its_port = other["P47"].partition(":")
    assert asyncio.run(registers(other["P35"], other["P34"], address, int(its_port)))
    for secret in (own["account.1.password"], other["P34"], found["reception"].split("/")[-2]):
        assert secret not in box.log

    for name in ("cfg000b82abcdef.xml", "001565000000.cfg", "", "..%2fsecrets"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(found["reception"] + name, timeout=5)

    folder = box.folder / "usb"
    pasokh(box, "provision", "write", str(folder))
    written = read_yealink((folder / "001565123456.cfg").read_text(encoding="utf-8"))
    assert written == {name: value for name, value in own.items() if name != "static.auto_provision.server.url"}


def test_contacts_are_imported_shown_changed_exported_and_erased_while_the_box_runs(box: Box) -> None:
    lines = list(many_rows(600))
    lines[5] = "بی‌شماره,,"
    lines[300] = '"باز,09120000299,'
    lines[599] = "بد,call me,"
    file = box.folder / "people.csv"
    file.write_text("\n".join(lines), encoding="utf-16")
    shown = pasokh(box, "contacts", "import", str(file), expect=1)
    assert "UTF-16" in shown and "new: 597" in shown and "Nothing is changed yet" in shown
    assert [line.partition(":")[0] for line in shown.splitlines() if line.startswith("line ")] == [
        "line 6", "line 301", "line 600",
    ]  # fmt: skip
    assert "Nobody is found." in pasokh(box, "contacts", "list")
    assert "597 contacts are saved." in pasokh(box, "contacts", "import", str(file), "--go", expect=1)
    assert "as they are: 597" in pasokh(box, "contacts", "import", str(file), expect=1)

    pasokh(box, "contacts", "set", "0912 000 0007", "88111111", "--name", "علي", "--vip", "yes", "--language", "en")
    (found,) = (json.loads(line) for line in pasokh(box, "contacts", "list", "۰۹۱۲۰۰۰۰۰۰۷", "--json").splitlines())
    assert (found["name"], found["numbers"], found["is_vip"]) == ("علی", ["+989120000007", "+982188111111"], True)
    assert found["note"] == "ردیف 7"
    pasokh(box, "contacts", "remove", "88111111")
    assert pasokh(box, "contacts", "list", "09120000007") == "Nobody is found.\n"
    assert pasokh(box, "contacts", "remove", "88111111", expect=2) == ""

    exported = box.folder / "all.csv"
    pasokh(box, "contacts", "export", str(exported))
    assert len(exported.read_text(encoding="utf-8-sig").splitlines()) == 1 + 596
