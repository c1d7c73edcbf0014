"""A small box on disk: settings, flows, secrets, records with an open callback, spoken prompts, a published flow."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from appliance import config
from appliance.clock import VirtualClock
from appliance.places import Places, shipped_flows
from appliance.recorder import keys
from appliance.recorder.keys import Identity
from appliance.records.database import Connection
from appliance.records.store import Store
from tests.records.given import KEY, asked, whole_call

MADE = 1_790_000_000_000

SETTINGS = """\
# the owner's remark
[box]
name = "shop"   # its name
language = "fa"
data_folder = "data"
run_folder = "run"
secrets_folder = "secrets"
flows_folder = "flows"

[[trunk]]
name = "main"
proxy = "192.0.2.1"
user = "02188123456"

[[line]]
name = "office"
trunk = "main"
flow = "welcome"
"""


@dataclass(frozen=True)
class Given:
    folder: Path
    settings: Path
    places: Places
    owner: Identity
    store: Store  # open, as calls keeps it


def a_box(folder: Path, kind: keys.Kind = "classic") -> Given:
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "pasokh.toml"
    settings.write_text(SETTINGS, encoding="utf-8")
    places = config.load(settings).places
    texts = places.flows / "prompts" / "texts"
    texts.mkdir(parents=True)
    shutil.copy(shipped_flows() / "welcome.toml", places.flows / "welcome.toml")
    (texts / "fa.toml").write_text('greeting = "درود"\n', encoding="utf-8")
    (places.flows / "prompts" / "fa").mkdir()
    (places.flows / "prompts" / "fa" / "greeting.ulaw").write_bytes(bytes(range(256)) * 300)
    (places.flows / "hours").mkdir()
    (places.flows / "hours" / "shop.toml").write_text('[hours]\nname = "shop"\n', encoding="utf-8")
    places.secrets.mkdir(mode=0o700)
    for name, content in (("trunk-main", "s3cret-of-trunk\n"), ("database-key", KEY.hex() + "\n"), ("pins", "{}")):
        (places.secrets / name).write_text(content)
        (places.secrets / name).chmod(0o600)
    store = Store(places.database, KEY, VirtualClock(MADE))
    store.apply([*whole_call("c1"), *whole_call("c2"), asked("c3", "r1", 1)])
    for name, content in (
        ("spoken/spoken.json", '{"fa/greeting": "greeting-1"}'),
        ("spoken/fa/greeting-1.ulaw", "hello"),
        ("flows/welcome/history", "1 - published owner\n"),
        ("first-boot-code", "1234-5678\n"),
        ("live/aa.body", "a recording"),
        ("kept/bb.head", "a recording's key"),
        ("journal/0", "journal"),
        ("runtime/legs.jsonl", "{}"),
        ("web/key.pem", "the page's key"),
        ("backups/old.age", "another backup"),
        ("outbox.db", "another service's"),
    ):
        path = places.data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    owner = keys.new_identity(kind)
    keys.install(keys.recipients_file(places.data), owner.recipient())
    return Given(folder, settings, places, owner, store)


def tables(db: Connection) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, field by field."""
    names = [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
    return {name: sorted(db.execute(f"SELECT * FROM {name}").fetchall(), key=repr) for name in names}


def files(folder: Path) -> dict[str, bytes]:
    """Content by path of every file below."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }
