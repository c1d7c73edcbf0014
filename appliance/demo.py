"""``make demo``: a whole box on this machine, three real calls, and what happens told line by line.

Everything is real but the network: the box's three services run as processes, speak SIP and RTP on loopback, and the
caller and the agent's telephone are programs of their own around another SIP stack. The folder and the owner's key are
thrown away at the end.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from appliance import messages
from appliance.errors import Problem
from appliance.keeper import Keeper
from appliance.messages import Language
from appliance.places import shipped_flows
from appliance.recorder import keys, reading
from appliance.records import cdr
from appliance.records.reader import Conversation, Reader, Recording

AGENT_TALKS_SECONDS = 6.0
RECORDS_SECONDS = 25.0
PROVIDER, PHONE = "127.0.0.2", "127.0.0.3"
CALLER = "09121234567"
CALLED = "02188123456"


@dataclass(frozen=True, slots=True)
class _Script:
    """A call: which text tells of it, and what its caller does."""

    key: str
    steps: str


SCRIPTS = (
    _Script("demo.call_persian", "wait 9, press 1, wait 5, talk 6, stay 20"),
    _Script("demo.call_english", "wait 9, press 9, wait 3, press 1, wait 4, talk 6, stay 20"),
    _Script("demo.call_left", "wait 10, hang_up"),
)


def run(players: Path, once: bool, upstream: Literal["folder", "s3"] = "folder") -> int:
    """Exit status 0 if all three calls went as they should, every recording is whole, and has arrived upstream."""
    if not (players / "caller.py").is_file():
        raise Problem("demo.no_players", folder=str(players))
    folder = Path(tempfile.mkdtemp(prefix="pasokh-"))
    try:
        return asyncio.run(_Demo(folder, players, messages.chosen_language(), upstream).play(once))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Demo:
    """One throw-away box and the people around it."""

    def __init__(self, folder: Path, players: Path, language: Language, upstream: Literal["folder", "s3"]) -> None:
        self._upstream = upstream
        self._folder = folder
        self._players = players
        self._language = language
        self._sip, self._page = _free_port("127.0.0.1"), _free_port("127.0.0.1")
        self._trunk, self._desk = _free_port(PROVIDER), _free_port(PHONE)
        self._password = secrets.token_urlsafe(12)
        self._identity = keys.new_identity()

    async def play(self, once: bool) -> int:
        self._say("demo.welcome")
        self._set_up()
        journal = self._folder / "journal.log"
        kept = Keeper(self._folder / "pasokh.toml", self._folder / "run", lambda _event: None, journal=journal)
        phone: asyncio.subprocess.Process | None = None
        storage: asyncio.subprocess.Process | None = None
        try:
            if self._upstream == "s3":
                storage = await self._storage()
            await kept.start()
            self._say("demo.started", folder=str(self._folder))
            phone = await self._player("phone.py", self._phone_arguments(), asyncio.subprocess.PIPE)
            await self._until(phone, "registered")
            self._say("demo.phone_registered")
            for number, script in enumerate(SCRIPTS, 1):
                await self._call(number, script)
            conversations = await self._records()
            found = self._tell(conversations)
            if not once:
                await self._stay()
            print(json.dumps(found), flush=True)
            is_whole = found["verified"] == found["receipts"] == found["recordings"] > 0
            return 0 if found["answered"] == len(SCRIPTS) and is_whole else 1
        finally:
            if storage is not None and storage.stdin is not None:
                storage.stdin.close()  # it ends its server then
                await storage.wait()
            if phone is not None and phone.returncode is None:
                phone.kill()
                await phone.wait()
            await kept.stop()

    # The box ----------------------------------------------------------------------------------------------------------

    def _set_up(self) -> None:
        """Settings, secrets, and the owner's public key; the private one stays in this program's memory."""
        (self._folder / "secrets").mkdir(mode=0o700)
        (self._folder / "secrets" / "phone-desk1").write_text(self._password)
        keys.install(keys.recipients_file(self._folder / "data"), self._identity.recipient())
        (self._folder / "upstream").mkdir()
        first = 20_000 + 2 * secrets.randbelow(15_000)
        (self._folder / "pasokh.toml").write_text(
            f'[box]\nname = "demo"\nlanguage = "{self._language}"\ndata_folder = "data"\nrun_folder = "run"\n'
            f'secrets_folder = "secrets"\n[signalling]\naddress = "127.0.0.1"\nport = {self._sip}\n'
            f"[media]\nfirst_port = {first}\nlast_port = {first + 199}\nreal_time = false\n"
            "[recorder]\nfloor_bytes = 16777216\n"
            f'[web]\naddress = "127.0.0.1"\nport = {self._page}\ntls = false\n'
            f'[[trunk]]\nname = "provider"\nproxy = "{PROVIDER}:{self._trunk}"\nregisters = false\n'
            '[[line]]\nname = "office"\ntrunk = "provider"\nflow = "welcome"\n'
            '[[phone]]\nname = "desk1"\n[[agent]]\nname = "first"\nphone = "desk1"\n'
            "[sync]\nbatch_seconds = 1\n"
        )
        if self._upstream == "folder":
            self._send_to(f'kind = "folder"\nfolder = "{self._folder / "upstream"}"')

    def _send_to(self, place: str) -> None:
        with (self._folder / "pasokh.toml").open("a") as settings:
            settings.write(f'[[target]]\nname = "demo"\n{place}\n')

    async def _storage(self) -> asyncio.subprocess.Process:
        """A real S3 server, a program of its own, with a bucket for this box."""
        access, secret = secrets.token_hex(8), secrets.token_urlsafe(16)
        server = await asyncio.create_subprocess_exec(
            sys.executable, str(self._players / "storage.py"), str(self._folder / "s3"), access, secret, "recordings",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert server.stdout is not None
        async with asyncio.timeout(90):
            said = await server.stdout.readline()
        if not said:
            raise Problem("demo.player_ended", player="storage.py")
        url = json.loads(said)["url"]
        folder = self._folder / "secrets" / "upstream"
        folder.mkdir(mode=0o700)
        (folder / "demo").touch(mode=0o600)
        (folder / "demo").write_text(f"{access}\n{secret}\n")
        self._send_to(f'kind = "s3"\nurl = "{url}"\nbucket = "recordings"')
        self._say("demo.storage", url=url)
        return server

    async def _records(self) -> list[Conversation]:
        """The records of all calls, oldest first, once they are closed, their recordings checked and sent."""
        until = asyncio.get_running_loop().time() + RECORDS_SECONDS
        key = self._database_key()
        while True:
            with Reader(self._folder / "data" / "calls.db", key) as reader:
                found = reader.last(len(SCRIPTS))[::-1]
            checked = all(part.verified and part.sent_at for each in found for part in each.recordings)
            is_whole = len(found) == len(SCRIPTS) and all(each.revision for each in found) and checked
            if is_whole or asyncio.get_running_loop().time() >= until:
                return found
            await asyncio.sleep(0.2)

    # The people -------------------------------------------------------------------------------------------------------

    async def _call(self, number: int, script: _Script) -> None:
        self._say(script.key, number=number)
        arguments = [
            "--box", f"127.0.0.1:{self._sip}", "--mine", f"{PROVIDER}:{self._trunk}", "--caller", CALLER,
            "--number", CALLED, "--voice", str(self._voice("opening_hours")), "--rtp", str(50_000 + 40 * number),
            "--script", script.steps,
        ]  # fmt: skip
        caller = await self._player("caller.py", arguments, None)
        assert caller.stdout is not None
        async for line in caller.stdout:
            self._tell_caller(json.loads(line))
        await caller.wait()

    def _tell_caller(self, event: dict[str, str | float]) -> None:
        match event["event"]:
            case "answered":
                self._say("demo.answered")
            case "pressed":
                self._say("demo.pressed", digit=str(event["digit"]))
            case "ended":
                self._say("demo.ended", seconds=float(event["heard_seconds"]))
            case "not_answered":
                self._say("demo.not_answered")
            case _:
                return

    def _phone_arguments(self) -> list[str]:
        return [
            "--box", f"127.0.0.1:{self._sip}", "--mine", f"{PHONE}:{self._desk}", "--user", "desk1",
            "--voice", str(self._voice("greeting")), "--talk", str(AGENT_TALKS_SECONDS), "--rtp", "50000",
        ]  # fmt: skip

    async def _player(self, program: str, arguments: Sequence[str], stdin: int | None) -> asyncio.subprocess.Process:
        """A program of its own around another SIP stack (GPL: it is started, never imported)."""
        return await asyncio.create_subprocess_exec(
            sys.executable, "-W", "ignore", str(self._players / program), *arguments,
            env={**os.environ, "PLAYER_PASSWORD": self._password},
            stdin=stdin or asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip

    async def _until(self, player: asyncio.subprocess.Process, event: str) -> None:
        """Waits until a player says ``event``; Problem where it ends before."""
        assert player.stdout is not None
        async with asyncio.timeout(20):
            async for line in player.stdout:
                if json.loads(line)["event"] == event:
                    return
        raise Problem("demo.player_ended", player="phone.py")

    @staticmethod
    def _voice(prompt: str) -> Path:
        return shipped_flows() / "prompts" / "en" / f"{prompt}.ulaw"

    # What is told -----------------------------------------------------------------------------------------------------

    def _say(self, key: str, **fields: str | int | float) -> None:
        print(messages.text(key, self._language, **fields), flush=True)

    def _tell(self, conversations: list[Conversation]) -> dict[str, int | float]:
        """Tells the records, opens one recording with the owner's key, and counts."""
        recordings = [part for each in conversations for part in each.recordings]
        for each in conversations:
            outcome = messages.text(f"web.outcome_{each.outcome or 'open'}", self._language)
            self._say("demo.record", outcome=outcome, seconds=(each.total_ms or 0) / 1000, parts=len(each.recordings))
        for part in recordings:
            self._say("demo.recording", recording=part.recording, state=part.verified or part.state)
        self._tell_receipts(recordings)
        talked = next((each for each in conversations if each.talking_ms and each.recordings), None)
        if talked is not None:
            base = self._folder / "data" / "kept" / talked.recordings[0].recording
            opened = reading.open_recording(base, self._identity, talked.recordings[0].recording)
            speech = opened.speech()
            self._say(
                "demo.opened",
                seconds=opened.milliseconds / 1000,
                customer=speech.left_talk_ms / 1000,
                agent=speech.right_talk_ms / 1000,
            )
        clarity = [mos for each in conversations if (mos := cdr.mos(each)) is not None]
        return {
            "calls": len(conversations),
            "answered": sum(any(leg.answered_ms is not None for leg in each.legs) for each in conversations),
            "recordings": len(recordings),
            "verified": sum(part.verified == "verified" for part in recordings),
            "receipts": sum(part.sent_at is not None for part in recordings),
            "mos": min(clarity, default=0.0),
        }

    def _tell_receipts(self, recordings: list[Recording]) -> None:
        """Where each recording lies now, by the receipts in the records."""
        with Reader(self._folder / "data" / "calls.db", self._database_key()) as reader:
            bodies = {one.recording: one for one in reader.receipts(1000) if one.unit == "body"}
        for part in recordings:
            if part.sent_at is not None and part.recording in bodies:
                receipt = bodies[part.recording]
                self._say("demo.receipt", recording=part.recording, place=receipt.place, sha256=receipt.sha256[:16])

    def _database_key(self) -> bytes:
        return bytes.fromhex((self._folder / "secrets" / "database-key").read_text().strip())

    async def _stay(self) -> None:
        """Leaves the page up until Ctrl-C."""
        code_file = self._folder / "data" / "first-boot-code"
        code = code_file.read_text().strip() if code_file.is_file() else ""
        self._say("demo.page", address=f"http://127.0.0.1:{self._page}/", code=code)
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopped.set)
        await stopped.wait()


def _free_port(address: str) -> int:
    """A port that is free for UDP and TCP at ``address`` just now."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream:
            stream.bind((address, 0))
            number = int(stream.getsockname()[1])
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
                try:
                    datagram.bind((address, number))
                except OSError:
                    continue
                return number
