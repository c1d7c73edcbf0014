"""The demo's S3 server: starts SeaweedFS and makes a bucket (see tests/support/seaweed.py)."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.support.seaweed import main

if __name__ == "__main__":
    main()
