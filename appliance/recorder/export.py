"""An opened recording as a file for other programs.

WAV has the bytes as they were received, FLAC the decoded samples, Opus is small and for the ear. All three are as long
as the call was, to the sample.
"""

from __future__ import annotations

import audioop
import contextlib
import datetime
import hashlib
import io
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from appliance.errors import Problem
from appliance.recorder.reading import Opened
from appliance.recorder.telling import Occasion
from appliance.recorder.wav import wav_header

BLOCK_SAMPLES = 480_000  # a minute

_TO_LINEAR = {"PCMU": audioop.ulaw2lin, "PCMA": audioop.alaw2lin}


def wav(opened: Opened) -> bytes:
    """A WAV file with exact lengths and every late packet where it belongs."""
    sound = opened.patched()
    return wav_header(opened.law, len(sound)) + sound


def flac(opened: Opened) -> bytes:
    """A FLAC file of the exact 16-bit samples; Problem where the package was installed without its extra ``owner``."""
    return _by_soundfile(opened, "FLAC", "PCM_16")


def opus(opened: Opened) -> bytes:
    """An Opus file in Ogg (RFC 7845), a fifth of the WAV, exact in its length; not the exact samples."""
    return _by_soundfile(opened, "OGG", "OPUS")


ENCODERS: Mapping[str, Callable[[Opened], bytes]] = {".wav": wav, ".flac": flac, ".opus": opus, ".ogg": opus}


def may_write(out: Path) -> None:
    """Problem where no form has such an ending, or the file exists: before anything is put on record."""
    _encoder(out)
    if out.exists():
        raise Problem("recorder.exists", file=str(out))


def report_of(out: Path) -> Path:
    """Where who and why stand of an export that no box has put on record."""
    return out.with_name(out.name + ".report.json")


def report(recording: str, out: Path, occasion: Occasion) -> bytes:
    """The same as JSON, with the digest of the file that was written."""
    digest = hashlib.sha256(out.read_bytes()).hexdigest()
    at = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    said = {"recording": recording, "file": out.name, "sha256": digest, "who": occasion.who, "why": occasion.why}
    return json.dumps({**said, "at_utc": at, "is_on_record": False}, ensure_ascii=False, indent=1).encode() + b"\n"


def encode(opened: Opened, out: Path) -> bytes:
    """The whole file in the form that the ending of ``out`` chooses."""
    return _encoder(out)(opened)


def write(opened: Opened, out: Path) -> int:
    """Writes ``out``, whose ending chooses the form, for this user only; never over a file; returns its bytes."""
    data = encode(opened, out)
    write_new(out, data)
    return len(data)


def write_new(file: Path, data: bytes, mode: int = 0o600) -> None:
    """A new file, synced; nothing is left behind where that fails. Problem where it exists or cannot be written."""
    try:
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, mode)
    except FileExistsError as error:
        raise Problem("recorder.exists", file=str(file)) from error
    except OSError as error:
        raise Problem("recorder.unwritable", file=str(file), reason=error.strerror or "") from error
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())
    except OSError as error:
        with contextlib.suppress(OSError):
            file.unlink()
        raise Problem("recorder.unwritable", file=str(file), reason=error.strerror or "") from error


def _encoder(out: Path) -> Callable[[Opened], bytes]:
    encoder = ENCODERS.get(out.suffix.lower())
    if encoder is None:
        raise Problem("recorder.out_format", file=str(out), known=" ".join(ENCODERS))
    return encoder


def _by_soundfile(opened: Opened, form: str, subtype: str) -> bytes:
    try:
        import numpy as np
        import soundfile
    except ImportError as error:
        raise Problem("recorder.no_soundfile") from error
    linear = _TO_LINEAR[opened.law](opened.patched(), 2)
    samples = np.frombuffer(linear, dtype=np.int16).reshape(-1, 2)
    out = io.BytesIO()
    with soundfile.SoundFile(out, "w", 8000, 2, subtype, format=form) as file:
        for start in range(0, len(samples), BLOCK_SAMPLES):  # the library keeps a block on its stack
            file.write(samples[start : start + BLOCK_SAMPLES])
    return out.getvalue()
