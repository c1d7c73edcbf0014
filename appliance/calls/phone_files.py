"""Desk phones fetch their files through the page, which may read no secret: calls alone knows what stands in them."""

from __future__ import annotations

import logging
from collections.abc import Callable

from appliance.calls.features import PICK_UP
from appliance.calls.settings import Calls
from appliance.control import wire
from appliance.errors import Problem
from appliance.provisioning.desk import Person
from appliance.provisioning.files import DeskFiles, DeskSettings
from appliance.provisioning.settings import Provisioning
from appliance.signalling.settings import Signalling

log = logging.getLogger(__name__)


def desk_files(
    settings: Provisioning, signalling: Signalling, calls: Calls, secret: Callable[[str], str | None], key: bytes
) -> DeskFiles:
    """The files of this box's phones; ``secret`` reads its secrets, ``key`` is that of the tokens."""
    people = tuple(
        Person(agent.phone, agent.display or agent.name, agent.name, agent.extension or agent.name)
        for agent in calls.agents
    )
    made_of = DeskSettings(settings=settings, signalling=signalling, people=people, pick_up=PICK_UP)
    return DeskFiles(made_of, secret, key)


class PhoneFiles:
    """``count`` counts what was fetched. Nothing of a token or a file is logged."""

    def __init__(self, files: DeskFiles, count: Callable[[str], None]) -> None:
        self._files = files
        self._count = count

    def answer(self, asked: wire.AskPhoneFile) -> wire.PhoneFile:
        """The file, or the same Problem whatever was wrong."""
        found = self._files.fetched(asked.path_token, asked.name, asked.page)
        if found is None:
            self._count("phone_files_refused")
            raise Problem("provisioning.no_file")
        phone, content = found
        self._count("phone_files")
        log.info("phone %s has fetched a file of its settings", phone)
        return wire.PhoneFile(content)
