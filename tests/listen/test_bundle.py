"""What a browser runs is made from the sources beside it and from nothing else."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from appliance.recorder import viewer

KEPT = re.compile(r"innerHTML|insertAdjacent|localStorage|sessionStorage|indexedDB|document\.cookie|eval\(")
LOADS = re.compile(r"<(?:link|img|iframe|object|embed)\b|\bsrc=|\bhref=|@import|url\(")
HASH = r"'sha256-[\w+/=]+'"
POLICY = rf"default-src 'none'; script-src {HASH}; style-src {HASH}; base-uri 'none'; form-action 'none'"
FOLDER = Path(str(viewer.files()[0])).parent


def test_the_script_that_is_shipped_is_made_from_its_sources_byte_for_byte(tmp_path: Path) -> None:
    subprocess.run(["node", "build.mjs", str(tmp_path / "made.js")], cwd=FOLDER, check=True, timeout=120)
    assert (tmp_path / "made.js").read_bytes() == (FOLDER / "listen.js").read_bytes()


def test_the_lock_names_no_registry_and_a_digest_for_every_package() -> None:
    lock = (FOLDER / "package-lock.json").read_text()
    assert "resolved" not in lock
    assert lock.count('"version"') == lock.count('"integrity": "sha512-') > 8


def test_no_source_makes_html_of_what_it_reads_or_keeps_a_key_where_a_browser_writes_it_down() -> None:
    for file in sorted((FOLDER / "src").glob("*.js")):
        code = re.sub(r"//.*", "", file.read_text(encoding="utf-8"))
        assert not re.search(
            r"innerHTML|insertAdjacent|localStorage|sessionStorage|indexedDB|document\.cookie|eval\(", code
        )


def test_the_offline_viewer_loads_nothing_and_runs_only_what_its_policy_names_by_hash() -> None:
    page = viewer.html()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', page)
    assert re.fullmatch(POLICY, policy)
    assert not LOADS.search(page.partition("<script>")[0])
    assert page.count("<script") == page.count("</script>") == 2
