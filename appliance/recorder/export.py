"""An opened recording as a file for other programs: WAV with the bytes as received, or FLAC of the decoded samples."""

from __future__ import annotations

import audioop
import contextlib
import io
import os
from pathlib import Path

from appliance.errors import Problem
from appliance.recorder.reading import Opened
from appliance.recorder.wav import wav_header

FORMATS = (".wav", ".flac")

_TO_LINEAR = {"PCMU": audioop.ulaw2lin, "PCMA": audioop.alaw2lin}


def wav(opened: Opened) -> bytes:
    """A WAV file with exact lengths and every late packet where it belongs."""
    sound = opened.patched()
    return wav_header(opened.law, len(sound)) + sound


def flac(opened: Opened) -> bytes:
    """A FLAC file of the exact 16-bit samples; Problem where the package was installed without its extra ``owner``."""
    try:
        import numpy as np
        import soundfile
    except ImportError as error:
        raise Problem("recorder.no_flac") from error
    samples = np.frombuffer(_TO_LINEAR[opened.law](opened.patched(), 2), dtype=np.int16).reshape(-1, 2)
    out = io.BytesIO()
    soundfile.write(out, samples, 8000, format="FLAC", subtype="PCM_16")
    return out.getvalue()


def write(opened: Opened, out: Path) -> int:
    """Writes ``out``, whose ending chooses the form, for this user only; never over a file; returns its bytes."""
    if out.suffix.lower() not in FORMATS:
        raise Problem("recorder.out_format", file=str(out), known=" ".join(FORMATS))
    data = wav(opened) if out.suffix.lower() == ".wav" else flac(opened)
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
