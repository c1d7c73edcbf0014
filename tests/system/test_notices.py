"""A real box that writes to people: an SMS gateway and a mail server of the tests, and kill -9 in between."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import signal
from collections import Counter
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs

from appliance.lookup import pins
from appliance.records import ledger
from appliance.records.database import Connection
from tests.lookup.test_gateway import Heard
from tests.notify.test_mail import Server, listening
from tests.support.box import Box, free_ports, running
from tests.support.waiting import until
from tests.system.test_callbacks import FLOW, QUEUE, Office

KEY = "k3y-of-the-gateway"
LONG = bool(os.environ.get("PASOKH_LONG"))
KILLS = 40 if LONG else 4


class SmsGateway:
    """The key in its path, and a form; hangs or fails when told to."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str]] = []
        self.hangs = False
        self.is_busy = False
        self.port = 0
        self.arrived: list[dict[str, object]] = []
        self.looks = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = Heard(await reader.readuntil(b"\r\n\r\n"), b"")
            body = await reader.readexactly(int(request.headers.get("content-length", "0")))
            assert request.target.startswith(f"/v1/{KEY}/")
            if request.target.endswith("/receive.json"):
                self.looks += 1
                self._say(writer, json.dumps({"entries": self.arrived}).encode())
            elif self.is_busy:
                writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
            else:
                fields = parse_qs(body.decode())
                self.got.append((fields["receptor"][0], fields["message"][0]))
                if self.hangs:
                    await reader.read()  # until the box has had enough
                    return
                self._say(writer, b'{"return": {"status": 200}, "entries": [{"messageid": 85}]}')
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # the box was killed
        finally:
            writer.close()

    @staticmethod
    def _say(writer: asyncio.StreamWriter, body: bytes) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    def arrives(self, sender: str, text: str) -> None:
        """Somebody writes to the box."""
        self.arrived.append({"messageid": len(self.arrived) + 1, "sender": sender, "message": text})

    @property
    def asking(self) -> str:
        """The settings that let the box ask for what people have written."""
        return f'inbox_url = "http://127.0.0.1:{self.port}/v1/{{key}}/sms/receive.json"\ninbox_seconds = 0.5\n'

    @property
    def settings(self) -> str:
        return f"""
[sms]
url = "http://127.0.0.1:{self.port}/v1/{{key}}/sms/send.json"
form = "form"
sends = ["receptor = {{number}}", "message = {{text}}"]
accepted = "return.status = 200"
reference = "entries[0].messageid"
allows_private = true
wait_seconds = 4
"""


NOTIFY = """
[notify]
firm = "Pasokh"
requests = true
quiet_from = "00:00"
quiet_until = "00:00"
alarm_minutes = 0
"""


def the_box(trunk: int, extra: str, has_key: bool = True) -> Box:
    box = Box(f"127.0.0.2:{trunk}", phones=("desk1", "desk2"), flow=FLOW, extra=QUEUE + NOTIFY + extra, has_key=has_key)
    secret = box.folder / "secrets" / "sms"
    secret.write_text(KEY)
    secret.chmod(0o600)
    return box


def states(box: Box) -> list[tuple[str, str]]:
    """Name and state of every message, by the records."""

    def query(db: Connection) -> list[tuple[str, str]]:
        return [(str(row[0]), str(row[1])) for row in db.execute("SELECT name, state FROM notice").fetchall()]

    with box.reader() as reader:
        return reader.within(query)


def test_a_caller_gets_the_code_by_sms_while_a_gateway_that_hangs_holds_up_no_call() -> None:
    (trunk,) = free_ports(1, "127.0.0.2")

    async def scene() -> None:
        async with SmsGateway() as gateway:
            box = the_box(trunk, gateway.settings)
            starting = running(box)
            await asyncio.to_thread(starting.__enter__)
            try:
                async with Office(box, trunk) as office:
                    await office.asks("09121110001", 0.5)
                    await until(lambda: len(gateway.got) == 1, 20)
                    with box.reader() as reader:
                        [request] = reader.within(ledger.requests)
                    number, text = gateway.got[0]
                    assert number == "09121110001" and text.startswith("Pasokh")
                    assert request.code in text.translate(str.maketrans("۰۱۲۳۴۵۶۷۸۹", "0123456789"))
                    gateway.hangs = True
                    await office.asks("09121110002", 0.5)
                    await until(lambda: len(gateway.got) == 2, 20)
                    for each in range(3):  # the gateway has the second message and does not answer
                        talk = office.provider.call("02188123456", f"0912333000{each}")
                        await until(lambda talk=talk: talk.is_up, 3)  # bound at once
                        office.provider.hang_up(talk)
                    wanted = {"sent", "unknown"}
                    await until(lambda: {state for _, state in states(box)} == wanted, 30)
                    assert KEY not in box.log and "09121110001" not in box.log and "Traceback" not in box.log
            finally:
                await asyncio.to_thread(starting.__exit__, None, None, None)

    asyncio.run(scene())


def test_callers_answer_a_survey_and_the_owner_closes_the_box_by_sms() -> None:
    (trunk,) = free_ports(1, "127.0.0.2")
    number, owner, words = "09121110001", "09120000009", "چرا کسی جواب نداد"

    async def scene() -> None:
        async with SmsGateway() as gateway:
            more = 'survey_reply = "csat"\nreply_pin = "boss"\nalarm_sms = ["0912 000 0009"]\n'
            box = the_box(trunk, more + gateway.settings + gateway.asking)
            pins.put(box.folder / "secrets" / "pins", "boss", "47114711")
            starting = running(box)
            await asyncio.to_thread(starting.__enter__)
            try:
                async with Office(box, trunk) as office:
                    await office.asks(number, 0.3)
                    await until(lambda: gateway.looks > 0, 20)
                    await office.agents()
                    working = asyncio.create_task(office.work())
                    await until(lambda: any("1 (bad) to 5" in text or "۱ (بد)" in text for _, text in gateway.got), 60)
                    working.cancel()
                    gateway.arrives(f"98{number[1:]}", " ۴ از ۵ ")
                    gateway.arrives(f"98{number[1:]}", words)
                    gateway.arrives("98" + owner[1:], "۴۷۱۱۴۷۱۱ بسته تا فردا")
                    await until(lambda: any(to == owner for to, _ in gateway.got), 30)
                    os.kill(box.process("calls"), signal.SIGKILL)
                    await asyncio.sleep(0.3)
                    await asyncio.to_thread(box.until_ready, "calls")
                    looks = gateway.looks
                    await until(lambda: gateway.looks > looks + 2, 20)

                def kept(db: Connection) -> list[list[tuple[object, ...]]]:
                    return [
                        [tuple(row) for row in db.execute(query).fetchall()]
                        for query in (
                            "SELECT question, value FROM survey",
                            "SELECT what, detail FROM request WHERE what = 'message'",
                            "SELECT switch, by FROM switch_state WHERE switch = 'closed_until' AND value > 0",
                            "SELECT what FROM reply WHERE name <> 'first look' ORDER BY n",
                        )
                    ]

                with box.reader() as reader:
                    surveys, messages, switches, replies = reader.within(kept)
                assert surveys == [("csat", 4)] and messages == [("message", words)]
                assert switches == [("closed_until", "boss")]
                assert replies == [("survey",), ("words",), ("order",)]  # each once, over the kill
                assert sum(to == owner for to, _ in gateway.got) == 1
                assert "47114711" not in box.log and words not in box.log and "Traceback" not in box.log
            finally:
                await asyncio.to_thread(starting.__exit__, None, None, None)

    asyncio.run(scene())


def test_killing_calls_at_any_moment_sends_no_sms_twice() -> None:
    (trunk,) = free_ports(1, "127.0.0.2")
    chance = random.Random(8)

    async def scene() -> None:
        async with SmsGateway() as gateway:
            box = the_box(trunk, gateway.settings)
            starting = running(box)
            await asyncio.to_thread(starting.__enter__)
            try:
                async with Office(box, trunk) as office:
                    for number in range(KILLS):
                        gateway.is_busy = chance.random() < 0.3
                        asking = asyncio.create_task(office.asks(f"0912444{number:04}", 0.3))
                        await asyncio.sleep(chance.uniform(1.5, 5.0))
                        os.kill(box.process("calls"), signal.SIGKILL)
                        await asyncio.sleep(0.3)
                        await asyncio.to_thread(box.until_ready, "calls")
                        asking.cancel()
                        for talk in [each for each in office.provider.talks.values() if each.is_up]:
                            office.provider.hang_up(talk)
                    gateway.is_busy = False
                    await until(lambda: all(state in ("sent", "unknown") for _, state in states(box)), 120)
                    found = states(box)
                    counts = Counter(number for number, _ in gateway.got)
                    assert not counts or max(counts.values()) == 1, counts
                    sent = sum(state == "sent" for _, state in found)
                    assert sent <= len(gateway.got) <= len(found)
                    assert "Traceback" not in box.log
                    print(f"kills: {KILLS}, messages: {len(found)}, sent: {sent}, at the gateway: {len(gateway.got)}")
            finally:
                await asyncio.to_thread(starting.__exit__, None, None, None)

    asyncio.run(scene())


def test_a_box_whose_key_lies_open_answers_calls_and_sends_nothing() -> None:
    (trunk,) = free_ports(1, "127.0.0.2")

    async def scene() -> None:
        async with SmsGateway() as gateway:
            box = the_box(trunk, gateway.settings)
            (box.folder / "secrets" / "sms").chmod(0o644)
            starting = running(box)
            await asyncio.to_thread(starting.__enter__)
            try:
                async with Office(box, trunk) as office:
                    await office.asks("09121110001", 0.5)
                    assert [state for _, state, _ in office.look()] == ["open"]
                    await until(lambda: "no messages are sent: notify.open_secret" in box.log, 10)
                    assert gateway.got == [] and states(box) == []
            finally:
                await asyncio.to_thread(starting.__exit__, None, None, None)

    asyncio.run(scene())


def test_the_owner_gets_an_e_mail_when_the_box_cannot_record(tmp_path: Path) -> None:
    (trunk,) = free_ports(1, "127.0.0.2")
    server = Server()
    with listening(tmp_path, server, "none") as (port, _):
        mail = f'alarm_mail = ["owner@firm.example"]\n[mail]\nserver = "127.0.0.1"\nport = {port}\ntls = "none"\n'
        box = Box(
            f"127.0.0.2:{trunk}", has_key=False,
            extra='[notify]\nalarm_minutes = 0\n' + mail + 'sender = "box@firm.example"\n',
        )  # fmt: skip
        with running(box):
            asyncio.run(until(lambda: bool(server.got), 40))
            assert "Traceback" not in box.log
    text = server.got[0].get_content()
    assert server.got[0]["To"] == "owner@firm.example" and re.search("keys|کلید", text) and len(text.splitlines()) >= 2


def test_the_journal_holds_none_of_fifty_seeded_secrets_and_numbers(tmp_path: Path) -> None:
    (trunk,) = free_ports(1, "127.0.0.2")
    numbers = [f"0912{7_310_000 + 97 * each}" for each in range(36)]
    keys = [f"seeded-key-{each}" for each in range(6)]
    passwords = {
        "mail": "seeded-mail",
        "trunk-provider": "seeded-trunk",
        "lookup-orders": "seeded-lookup",
        "old": "seeded-old",
    }
    answers = ("fine", "echo", "busy", "hangs", "500", "cut")

    class Talkative(SmsGateway):
        """Answers in every bad way, and says the key and the number where it can."""

        how = "fine"

        async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                request = Heard(await reader.readuntil(b"\r\n\r\n"), b"")
                body = await reader.readexactly(int(request.headers.get("content-length", "0")))
                key, number = request.target.split("/")[2], parse_qs(body.decode())["receptor"][0]
                self.got.append((number, key))
                said = f'{{"return": {{"status": "{key} {number}"}}, "entries": [{{"messageid": "{key}"}}]}}'.encode()
                if self.how == "hangs":
                    await reader.read()
                elif self.how in ("busy", "500"):
                    code = "503" if self.how == "busy" else "500"
                    writer.write(f"HTTP/1.1 {code} {key}\r\nContent-Length: {len(said)}\r\n\r\n".encode() + said)
                elif self.how == "cut":
                    writer.write(said)
                else:
                    self._say(writer, said if self.how == "echo" else b'{"return": {"status": 200}}')
                await writer.drain()
            except (ConnectionError, asyncio.IncompleteReadError):
                return
            finally:
                writer.close()

    async def scene(port: int) -> str:
        async with Talkative() as gateway:
            mail = f'[mail]\nserver = "127.0.0.1"\nport = {port}\ntls = "none"\nuser = "somebody@firm.example"\n'
            box = the_box(trunk, 'alarm_mail = ["owner@firm.example"]\n' + mail + gateway.settings, has_key=False)
            secrets = box.folder / "secrets"
            for name, content in passwords.items():
                (secrets / name).write_text(content)
                (secrets / name).chmod(0o600)
            seeded = [*keys, *passwords.values(), box.password, box.identity.encode(), "seeded-wrong-password"]
            starting = running(box)
            await asyncio.to_thread(starting.__enter__)
            try:
                seeded.append((secrets / "database-key").read_text().strip())
                async with Office(box, trunk) as office:
                    for batch, key in enumerate(keys):
                        (secrets / "sms").write_text(key)
                        gateway.how = answers[batch % len(answers)]
                        here = numbers[6 * batch : 6 * batch + 6]
                        await asyncio.gather(*(office.asks(number, 0.3) for number in here))
                        await until(lambda here=here: {number for number, _ in gateway.got} >= {here[0]}, 30)
                    await office.agents()
                assert {key for _, key in gateway.got} == set(keys)
                journal = box.log
                with box.reader() as reader:
                    told = reader.within(
                        lambda db: db.execute(
                            "SELECT group_concat(CAST(body AS TEXT)) FROM event JOIN event_body USING (n)"
                            " WHERE kind LIKE 'notice.%'"
                        ).fetchall()
                    )[0][0]
            finally:
                await asyncio.to_thread(starting.__exit__, None, None, None)
        found = [each for each in (*seeded, *numbers, *(f"+98{each[1:]}" for each in numbers)) if each in journal]
        assert found == [], "in the journal"
        assert [each for each in (*seeded, *numbers, *(each[1:] for each in numbers)) if each in told] == []
        assert len(seeded) + len(numbers) >= 50
        return journal

    server = Server()
    with listening(tmp_path, server, "none") as (port, _):
        journal = asyncio.run(scene(port))
    assert "notice callback by sms" in journal and "notice alarm by mail" in journal
