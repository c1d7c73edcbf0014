"""Samba's server on a free loopback port, with one share and one user, for tests.

It wants to be root: where the tests are not, it gets a user namespace of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType

from tests.support.box import free_ports

PASSWORD = "Test-only-1"
_AS_ROOT = [] if os.getuid() == 0 else ["unshare", "-Ur", "--"]


class Samba:
    """Use it with ``with``. Files lie in ``root``, which is the share ``files``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "share"
        self.root.mkdir(parents=True)
        (self.port,) = free_ports(1)
        self.user = "root"
        self.password = PASSWORD
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Samba:
        for name in ("private", "lock", "state", "cache", "pid", "ncalrpc", "log"):
            (self.folder / name).mkdir(exist_ok=True)
        (self.folder / "smb.conf").write_text(
            f"""[global]
  server role = standalone server
  interfaces = 127.0.0.1
  bind interfaces only = yes
  smb ports = {self.port}
  disable netbios = yes
  server min protocol = SMB2_10
  map to guest = never
  private dir = {self.folder}/private
  lock directory = {self.folder}/lock
  state directory = {self.folder}/state
  cache directory = {self.folder}/cache
  pid directory = {self.folder}/pid
  ncalrpc dir = {self.folder}/ncalrpc
  log file = {self.folder}/log/smbd
  load printers = no
  printcap name = /dev/null
  rpc_server:spoolss = disabled
[files]
  path = {self.root}
  read only = no
"""
        )
        self.set_password(self.password)
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def set_password(self, password: str) -> None:
        subprocess.run(
            [*_AS_ROOT, _program("smbpasswd"), "-c", str(self.folder / "smb.conf"), "-s", "-a", self.user],
            input=f"{password}\n{password}\n".encode(),
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def start(self) -> None:
        out = (self.folder / "log" / "out").open("ab")
        self._process = subprocess.Popen(
            [*_AS_ROOT, _program("smbd"), "--foreground", "--no-process-group", "-s", str(self.folder / "smb.conf")],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # its children end with it
        )
        out.close()
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with socket.socket() as asking:
                if asking.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        self.stop()
        raise AssertionError((self.folder / "log" / "out").read_text())

    def stop(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    assert found, "samba is not installed"
    return found
