"""What the settings say of phones, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance import config
from appliance.errors import Problem

BASE = '[[trunk]]\nname = "main"\nproxy = "192.0.2.9"\nregisters = false\n'
PHONE = '[[phone]]\nname = "desk1"\nmac = "00:15:65:12:34:56"\nmodel = "T46U"\n'


def load(folder: Path, text: str) -> config.Config:
    file = folder / "pasokh.toml"
    file.write_text(BASE + text, encoding="utf-8")
    return config.load(file)


def test_a_phone_with_mac_and_model_has_a_file_and_one_without_has_none(tmp_path: Path) -> None:
    phones = load(tmp_path, PHONE + '[[phone]]\nname = "soft"\n').signalling.phones
    assert [(phone.name, bool(phone.mac)) for phone in phones] == [("desk1", True), ("soft", False)]


@pytest.mark.parametrize(
    ("text", "problem", "field"),
    [
        (PHONE.replace("34:56", "34:5"), "config.not_a_mac", "00:15:65:12:34:5"),
        (PHONE.replace("00:15", "01:00"), "config.not_a_mac", "01:00:65:12:34:56"),
        (PHONE + PHONE.replace("desk1", "desk2").replace(":", "-"), "config.mac_twice", "desk1"),
        (PHONE.replace("T46U", "T99"), "config.no_model", "T99"),
        (PHONE.replace('model = "T46U"\n', ""), "config.missing_setting", "model"),
        (PHONE.replace('mac = "00:15:65:12:34:56"\n', ""), "config.missing_setting", "mac"),
        (PHONE + 'names = "greek"\n', "config.not_a_choice", "greek"),
        (PHONE + '[provisioning]\nnetworks = ["office"]\n', "config.not_a_network", "office"),
        (PHONE + '[provisioning]\naddress = "box.local"\n', "config.not_an_address", "box.local"),
        (PHONE + '[[agent]]\nname = "a"\nphone = "desk1"\nextension = "110"\n', "config.hides_emergency", "110"),
        ("[calls]\nvip_priority = 10\n", "config.out_of_range", "10"),
        ('[calls]\nblocked_callers = "music"\n', "config.not_a_choice", "music"),
    ],
)
def test_what_cannot_be_is_named_with_where_it_stands(tmp_path: Path, text: str, problem: str, field: str) -> None:
    with pytest.raises(Problem) as refused:
        load(tmp_path, text)
    assert refused.value.key == problem and field in map(str, refused.value.fields.values())
