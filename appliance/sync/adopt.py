"""``pasokh upstream adopt``: this box says that a target is its own from now on, and its marker replaces the other."""

from __future__ import annotations

from appliance.errors import Problem
from appliance.places import DATABASE_KEY, Places
from appliance.records import database
from appliance.records.reader import Reader
from appliance.sync import targets
from appliance.sync.faults import Fault
from appliance.sync.main import box_marker, records_of
from appliance.sync.settings import Sync


def take_over(box: str, places: Places, sync: Sync, name: str) -> None:
    """Problem where there is no such target, or it cannot be reached."""
    target = next((each for each in sync.targets if each.name == name), None)
    if target is None:
        raise Problem("sync.no_such_target", target=name)
    if not (places.data / "sync" / "box-id").is_file():
        raise Problem("sync.stopped")  # it has never run: the box has no id yet
    secret = places.secret(DATABASE_KEY)
    if secret is None:
        raise Problem("records.no_key", file=str(places.secrets / DATABASE_KEY))
    reader = Reader(places.database, database.key_from(secret))
    place = targets.make(target, box, places, records_of(reader), sync.upstream.answer_seconds)
    try:
        place.greet(box_marker(box, places), takes_over=True)
    except Fault as fault:
        raise Problem("sync.not_adopted", target=name, reason=f"{fault.why}: {fault.detail}") from fault
    finally:
        place.close()
