"""Only the folders of the settings change; remarks, order and every other setting stay."""

from __future__ import annotations

import tomllib

import pytest

from appliance.backup.relocated import relocated
from appliance.errors import Problem

FOLDERS = {("box", "data_folder"): "data", ("media", "prompts_folder"): 'a "b"'}


def test_a_folder_that_is_set_is_set_anew_where_it_stands() -> None:
    text = (
        '# top\n[box]\nname = "x" # mine\ndata_folder = "/var/lib/pasokh"\n\n'
        '[media]\nprompts_folder="/p" # old\nport = 1\n'
    )
    assert relocated(text, FOLDERS) == (
        '# top\n[box]\nname = "x" # mine\ndata_folder = "data"\n\n[media]\nprompts_folder = "a \\"b\\""\nport = 1\n'
    )


def test_a_folder_that_is_not_set_is_added() -> None:
    changed = relocated('[box]\nname = "x"\n[[trunk]]\nname = "t"', FOLDERS)
    assert tomllib.loads(changed) == {
        "box": {"name": "x", "data_folder": "data"},
        "trunk": [{"name": "t"}],
        "media": {"prompts_folder": 'a "b"'},
    }
    assert tomllib.loads(relocated("", FOLDERS))["box"] == {"data_folder": "data"}


@pytest.mark.parametrize(
    "text", ["[box\n", 'box = { data_folder = "x" }\n', '[box]\ndata_folder = """\nx"""\nname = "y"']
)
def test_settings_that_cannot_be_changed_line_by_line_are_refused(text: str) -> None:
    with pytest.raises(Problem, match=r"backup\.bad_settings"):
        relocated(text, FOLDERS)
