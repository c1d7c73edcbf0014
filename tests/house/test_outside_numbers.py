"""Where agents are: at a telephone or at a number outside, and every wrong way of writing it is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance import config
from appliance.errors import Problem
from appliance.messages import LANGUAGES, problem_lines
from tests.house.test_config import WHOLE, written

SECOND = '[[trunk]]\nname = "pbx"\nproxy = "192.0.2.2"\nregisters = false\nuser = "200"\n'
WHOLE_WITH_LINE = WHOLE.replace('flow = "welcome"', 'flow = "welcome"\nnumber = "021-88123456"')


def agent(text: str, name: str = "reza") -> str:
    return f'[[agent]]\nname = "{name}"\n{text}\n'


def test_an_agent_may_be_a_number_outside_or_an_extension_of_another_exchange(tmp_path: Path) -> None:
    text = WHOLE + SECOND + agent('number = "۰۹۱۲ ۱۲۳ ۴۵۶۷"') + agent('number = "312"\ntrunk = "pbx"', "mina")
    sara, reza, mina = config.load(written(tmp_path, text)).calls.agents
    assert (sara.phone, sara.number) == ("desk1", "")
    assert (reza.phone, reza.number, reza.trunk) == ("", "۰۹۱۲ ۱۲۳ ۴۵۶۷", "")
    assert (mina.number, mina.trunk, mina.language) == ("312", "pbx", "fa")


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ('phone = "desk1"\nnumber = "09121234567"', "agent_where"),
        ('phone = "desk1"\ntrunk = "main"', "agent_where"),
        ('number = "09121234567"\ntrunk = "nowhere"', "no_such"),
        ('number = "115"', "agent_emergency"),
        ('number = "0909 123 4567"', "agent_forbidden"),
        ('number = "+44 20 7946 0000"', "agent_forbidden"),
        ('number = "ali"', "agent_forbidden"),
        ('number = "091212345670912123456709121234567"', "agent_forbidden"),
        ('number = "+98 21 88123456"', "agent_own_number"),
        ('number = "02112345678"', "agent_own_number"),
        ('number = "200"\ntrunk = "pbx"', "agent_own_number"),
        ('number = "0098 912 111 2233"', "agent_number_taken"),
    ],
)
def test_every_wrong_place_of_an_agent_is_refused_in_both_languages(tmp_path: Path, settings: str, key: str) -> None:
    others = agent('number = "09121112233"', "mina")
    with pytest.raises(Problem, match=rf"config\.{key}") as caught:
        config.load(written(tmp_path, WHOLE_WITH_LINE + SECOND + others + agent(settings)))
    for language in LANGUAGES:
        what, todo = problem_lines(caught.value, language)
        assert "reza" in what and todo


def test_the_same_extension_is_another_telephone_behind_another_trunk(tmp_path: Path) -> None:
    text = WHOLE + SECOND + agent('number = "312"\ntrunk = "pbx"') + agent('number = "312"\ntrunk = "main"', "mina")
    assert len(config.load(written(tmp_path, text)).calls.agents) == 3


def test_without_a_trunk_nobody_is_outside(tmp_path: Path) -> None:
    text = f'[box]\ndata_folder = "data"\n{agent("number = " + chr(34) + "09121234567" + chr(34))}'
    with pytest.raises(Problem, match=r"config\.no_such"):
        config.load(written(tmp_path, text))


def test_two_agents_at_one_extension_of_a_peer_are_refused(tmp_path: Path) -> None:
    peer = '[[trunk]]\nname = "old"\nkind = "peer"\nproxy = "192.0.2.3"\nregisters = false\nextensions = ["3XX"]\n'
    found = config.load(written(tmp_path, WHOLE + peer + agent('number = "312"')))
    assert found.calls.agents[-1].number == "312"
    with pytest.raises(Problem, match=r"config\.agent_number_taken"):
        config.load(written(tmp_path, WHOLE + peer + agent('number = "312"') + agent('number = "312"', "mina")))
