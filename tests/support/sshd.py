"""OpenSSH's server with its own SFTP, on a free loopback port, for the user that runs the tests."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType

from tests.support.box import free_ports


class Sshd:
    """Use it with ``with``. Files lie in ``root``; ``key`` is the client's private key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "up"
        self.root.mkdir(parents=True)
        (self.port,) = free_ports(1)
        self.user = getpass.getuser()
        self._process: subprocess.Popen[bytes] | None = None
        for name in ("host", "client"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(folder / name)], check=True
            )
        shutil.copy(folder / "client.pub", folder / "authorized")
        (folder / "authorized").chmod(0o600)

    @property
    def key(self) -> str:
        return (self.folder / "client").read_text()

    @property
    def host_key(self) -> str:
        return " ".join((self.folder / "host.pub").read_text().split()[:2])

    def __enter__(self) -> Sshd:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        program = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        assert program, "openssh-server is not installed"
        config = self.folder / "config"
        config.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.folder}/host\n"
            f"AuthorizedKeysFile {self.folder}/authorized\nStrictModes no\nPermitRootLogin prohibit-password\n"
            f"PasswordAuthentication no\nUsePAM no\nPidFile none\nSubsystem sftp internal-sftp\n"
            f"ForceCommand internal-sftp -d {self.root}\n"
        )
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where it separates privileges
        self._process = subprocess.Popen(
            [program, "-D", "-f", str(config), "-E", str(self.folder / "log")], stdin=subprocess.DEVNULL
        )
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with socket.socket() as asking:
                if asking.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        self.stop()
        raise AssertionError((self.folder / "log").read_text())

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
