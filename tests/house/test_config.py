"""pasokh.toml is read strictly, and every complaint names the file, the place and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance import config
from appliance.errors import Problem
from appliance.messages import LANGUAGES, problem_lines

WHOLE = """
[box]
language = "en"
data_folder = "data"

[[trunk]]
name = "main"
proxy = "192.0.2.1:5060"
user = "02112345678"

[[line]]
name = "office"
trunk = "main"
flow = "welcome"

[[phone]]
name = "desk1"

[[agent]]
name = "sara"
phone = "desk1"
"""

SHIPPED = Path(__file__).parents[2] / "firmware_config" / "pasokh.toml"


def written(folder: Path, text: str) -> Path:
    file = folder / "pasokh.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_settings_that_ship_with_the_box_are_valid() -> None:
    assert config.load(SHIPPED).calls.lines[0].flow == "welcome"


def test_relative_folders_are_relative_to_the_file(tmp_path: Path) -> None:
    assert config.load(written(tmp_path, WHOLE)).places.data == tmp_path.resolve() / "data"


def test_lists_of_tables_become_trunks_phones_lines_and_agents(tmp_path: Path) -> None:
    loaded = config.load(written(tmp_path, WHOLE))
    assert [trunk.name for trunk in loaded.signalling.trunks] == ["main"]
    assert [phone.name for phone in loaded.signalling.phones] == ["desk1"]
    assert loaded.calls.lines[0].trunk == "main" and loaded.calls.agents[0].phone == "desk1"


def test_a_queue_of_the_file_has_its_agents(tmp_path: Path) -> None:
    queue = '[[queue]]\nname = "sales"\nagents = ["sara"]\nstrategy = "ring_all"\n'
    (loaded,) = config.load(written(tmp_path, WHOLE + queue)).calls.queues
    assert loaded.agents == ("sara",) and loaded.rules.strategy == "ring_all"


def test_an_agent_serves_lines_by_skill_at_a_level(tmp_path: Path) -> None:
    skilled = WHOLE.replace('phone = "desk1"', 'phone = "desk1"\nskills = ["sales:3", "support"]')
    queues = "".join(f'[[queue]]\nname = "{name}"\nagents = []\n' for name in ("sales", "support"))
    rules = config.load(written(tmp_path, skilled + queues)).calls.rules
    assert [list(each.agents.values()) for each in rules] == [[3], [1]]
    for wrong, key in (
        ("sales:0", "not_a_skill"),
        ("sales:x", "not_a_skill"),
        ("", "not_a_skill"),
        ("nowhere", "no_such"),
    ):
        with pytest.raises(Problem, match=rf"config\.{key}"):
            config.load(written(tmp_path, skilled.replace("sales:3", wrong) + queues))


def test_an_agent_may_listen_to_those_who_serve_the_lines_that_are_named_and_to_nobody_by_default(
    tmp_path: Path,
) -> None:
    table = '[[agent]]\nname = "chief"\nphone = "desk1"\n{}[[queue]]\nname = "sales"\nagents = ["sara"]\n'
    calls = config.load(written(tmp_path, WHOLE + table.format('supervises = ["sales"]\n'))).calls
    assert calls.may_supervise("chief", "sara") and calls.supervision_tone == "agent"
    assert not calls.may_supervise("sara", "chief") and not calls.may_supervise("", "sara")
    assert not config.load(written(tmp_path, WHOLE + table.format(""))).calls.may_supervise("chief", "sara")


def test_every_line_has_one_to_nine_dispositions_to_choose_from(tmp_path: Path) -> None:
    def loaded(dispositions: str) -> config.Config:
        return config.load(written(tmp_path, '[[queue]]\nname = "sales"\nagents = []\n' + dispositions))

    def named(count: int, queues: str = "[]") -> str:
        texts = f'persian = "نتیجه"\nenglish = "d"\nqueues = {queues}\n'
        return "".join(f'[[disposition]]\nname = "d{number}"\n{texts}' for number in range(count))

    assert len(loaded("").calls.dispositions_of("sales")) == 7
    assert len(loaded(named(9)).calls.dispositions_of("")) == 9
    for wrong, key in (
        (named(10), "dispositions"),
        (named(2, '["sales"]'), "dispositions"),  # nothing for a call of no line
        (named(2, '["nowhere"]'), "no_such"),
        (named(1).replace("english", "german"), "unknown_setting"),
    ):
        with pytest.raises(Problem, match=rf"config\.{key}"):
            loaded(wrong)


PEER = "[[trunk]]\nname = 'pbx'\nproxy = 'x'\nregisters = false\nkind = 'peer'"
BROKEN = [
    (
        "[[agent]]\nname = 'a'\nphone = 'desk1'\nsupervises = ['nowhere']\n[[phone]]\nname = 'desk1'",
        "config.no_such",
        "nowhere",
    ),
    ("[calls]\nsupervision_tone = 'loud'", "config.not_a_choice", "supervision_tone"),
    ('[box]\nlanguage = "de"', "config.not_a_choice", "language"),
    ("[box]\nname = 5", "config.needs_text", "name"),
    ("[signalling]\nport = true", "config.needs_whole_number", "port"),
    ("[signalling]\nport = 70000", "config.out_of_range", "port"),
    ("[signalling]\nmax_calls = -1", "config.out_of_range", "max_calls"),
    ("[signalling]\naddress = 'everywhere'", "config.not_an_address", "address"),
    ("[signaling]\nport = 5060", "config.unknown_section", "signaling"),
    ("[media]\nfirst_port = 30000", "config.out_of_range", "last_port"),
    ("box = 3", "config.not_a_table", "box"),
    ("[trunk]\nname = 'a'", "config.not_a_list", "trunk"),
    ("[[trunk]]\nname = 'a'", "config.missing_setting", "proxy"),
    ("[[trunk]]\nname = 'a'\nproxy = 'x'\nsever = 'y'", "config.unknown_setting", "sever"),
    ("[[trunk]]\nname = 'a'\nproxy = 'x'", "config.missing_setting", "user"),
    ("[[trunk]]\nname = 'a'\nproxy = 'x'\nuser = 'u'\nsources = ['10.0.0.999']", "config.not_a_network", "10.0.0.999"),
    ("[[trunk]]\nname = 'a'\nproxy = 'x'\nuser = 'u'\ntones = ['busy 425 9/9']", "config.not_a_tone", "busy 425 9/9"),
    ("[[trunk]]\nname = 'a'\nproxy = 'x'\nuser = 'u'\nsources = 'all'", "config.needs_list", "sources"),
    ("[[phone]]\nname = 'a'\n[[phone]]\nname = 'a'", "config.twice", "phone a"),
    ("[[agent]]\nname = 'a'\nphone = 'nowhere'", "config.no_such", "nowhere"),
    ("[[line]]\nname = 'a'\ntrunk = 'nowhere'\nflow = 'f'", "config.no_such", "nowhere"),
    ("[calls]\nmay_dial = ['mars']", "config.no_such", "mars"),
    ("[calls]\nemergency = ['11a']", "config.not_emergency", "11a"),
    ("[calls]\nemergency = ['12']", "config.not_emergency", "12"),
    ("[calls]\nallow = ['abroad']", "config.not_a_prefix", "abroad"),
    ("[calls]\ndeny = ['']", "config.not_a_prefix", "deny"),
    ("[calls]\noutside_prefix = '*9'", "config.not_a_prefix", "*9"),
    ("[calls]\noutside_prefix = '1'", "config.hides_emergency", "110"),
    ("[calls]\ndaily_cap_rial = 1", "config.no_tariff", "mobile"),
    ("[[tariff]]\nname = 'a'", "config.missing_setting", "kind"),
    ("[[tariff]]\nname = 'a'\nprefix = 'x'", "config.not_a_prefix", "x"),
    ("[[tariff]]\nname = 'a'\nkind = 'emergency'", "config.not_a_choice", "emergency"),
    ("[[tariff]]\nname = 'a'\nkind = 'mobile'\nincrement_seconds = 0", "config.out_of_range", "increment_seconds"),
    ("[[dial_hours]]\nname = 'a'\nkinds = ['all']\ncalendar = 'office'", "config.no_such", "all"),
    ("[[phone]]\nname = '110'", "config.hides_emergency", "110"),
    ("[[phone]]\nname = '11'", "config.hides_emergency", "110"),
    ("[[agent]]\nname = 'a'\nextension = '110'", "config.hides_emergency", "110"),
    ("[[agent]]\nname = 'a'\nextension = '11'", "config.hides_emergency", "110"),
    ("[[away_reason]]\nname = 'a,b'\npersian = 'x'\nenglish = 'x'", "config.away_reason", "a,b"),
    ("[[away_reason]]\nname = 'missed'\npersian = 'x'\nenglish = 'x'", "config.away_reason", "missed"),
    ("[[phone]]\nname = '۱۱۵'", "config.hides_emergency", "115"),
    ("[calls]\nemergency = ['1940']\n[[phone]]\nname = '19'", "config.hides_emergency", "1940"),
    ("[[phone]]\nname = 'd'\n[[agent]]\nname = '12'\nphone = 'd'", "config.hides_emergency", "125"),
    ("[calls]\noutside_prefix = '9'\n[[phone]]\nname = '9115'", "config.hides_emergency", "115"),
    ("[[queue]]\nname = '112'\nagents = []", "config.hides_emergency", "112"),
    (
        "[[trunk]]\nname = 'a'\nproxy = 'x'\nuser = 'u'\nmax_calls = 1\nkept_for_outgoing = 1",
        "config.out_of_range",
        "kept_for_outgoing",
    ),
    (
        "[[trunk]]\nname = 'a'\nproxy = 'x'\nuser = 'u'\nmax_calls = 3\nkept_for_callers = 2\nkept_for_outgoing = 2",
        "config.out_of_range",
        "kept_for_outgoing",
    ),
    (f"{PEER}\nextensions = ['2..']", "config.not_a_pattern", "2.."),
    (f"{PEER}\nextensions = ['2XXXXXX']", "config.not_a_pattern", "2XXXXXX"),
    (PEER, "config.missing_setting", "extensions"),
    (f"{PEER}\nextensions = '2XX'", "config.needs_list", "extensions"),
    ("[[trunk]]\nname = 'a'\nproxy = 'x'\nuser = 'u'\nextensions = ['2XX']", "config.no_peer", "trunk a"),
    (f"{PEER}\nextensions = ['2XX', '1XX']", "config.hides_emergency", "110"),
    (f"{PEER}\nextensions = ['11']", "config.hides_emergency", "110"),
    (f"{PEER}\nextensions = ['9XXX']\n[calls]\noutside_prefix = '9'", "config.hides_emergency", "110"),
    (f"{PEER}\nextensions = ['2XX']\n[[phone]]\nname = '204'", "config.peer_hides", "phone 204"),
    (
        f"{PEER}\nextensions = ['2XX']\n[[queue]]\nname = 'q'\nagents = []\nextension = '250'",
        "config.peer_hides",
        "queue q",
    ),
    (
        f"{PEER}\nextensions = ['2XX']\n{PEER.replace('pbx', 'other')}\nextensions = ['N04']",
        "config.peer_hides",
        "trunk pbx",
    ),
    ("[box\n", "config.not_toml", "line 1"),
]


@pytest.mark.parametrize(("text", "key", "named"), BROKEN, ids=[f"{key}-{named}" for _, key, named in BROKEN])
def test_what_is_wrong_is_named_in_two_lines_of_both_languages(tmp_path: Path, text: str, key: str, named: str) -> None:
    with pytest.raises(Problem) as raised:
        config.load(written(tmp_path, text))
    assert raised.value.key == key
    for language in LANGUAGES:
        what, do = problem_lines(raised.value, language)
        assert what.startswith("pasokh.toml: ") and named in what
        assert do and "\n" not in what + do


@pytest.mark.parametrize(("name", "hidden"), [("118", "118"), ("1500", "1500"), ("15", "1500, 1590"), ("۱۹۷", "197")])
def test_an_extension_that_hides_a_short_number_works_and_is_warned_of(tmp_path: Path, name: str, hidden: str) -> None:
    loaded = config.load(written(tmp_path, f"{WHOLE}\n[[phone]]\nname = '{name}'\n"))
    (warning,) = config.warnings(loaded)
    assert warning.key == "config.hides_service" and warning.fields["number"] == hidden
    for language in LANGUAGES:
        what, do = problem_lines(warning, language)
        assert f"phone {name}" in what and hidden in what and do


@pytest.mark.parametrize("name", ["101", "1101", "200", "desk2", "0110", "9110"])
def test_an_extension_that_neither_equals_nor_begins_such_a_number_is_quiet(tmp_path: Path, name: str) -> None:
    loaded = config.load(written(tmp_path, f"{WHOLE}\n[[phone]]\nname = '{name}'\n"))
    assert config.warnings(loaded) == []


def test_tariffs_hours_and_lists_of_the_file_are_the_policy_of_calls(tmp_path: Path) -> None:
    text = (
        "[calls]\nmay_dial = ['mobile']\nallow = ['+49']\ndeny = ['0912999']\nemergency = ['194']\n"
        "outside_prefix = '9'\ndaily_cap_rial = 5_000_000\nmost_outgoing = 3\n"
        "[[tariff]]\nname = 'mobile'\nkind = 'mobile'\nrial_per_minute = 1200\n"
        "[[dial_hours]]\nname = 'day'\nkinds = ['mobile']\ncalendar = 'office'\n"
    )
    calls = config.load(written(tmp_path, WHOLE + text)).calls
    assert calls.tariffs[0].rial_per_minute == 1200 and calls.tariffs[0].increment_seconds == 60
    assert calls.dial_hours[0].calendar == "office" and calls.most_outgoing == 3
    assert calls.plan.emergency == {"110", "112", "115", "125", "194"} and calls.plan.outside_prefix == "9"


def test_a_file_that_is_not_there_is_a_problem_and_not_a_traceback(tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"config\.unreadable"):
        config.load(tmp_path / "nothing.toml")


def test_a_secret_comes_from_the_credentials_of_the_service_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = config.load(written(tmp_path, WHOLE + "\n[web]\nport = 0\n")).places
    assert places.secret("trunk-main") is None
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "trunk-main").write_text("  hush\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    assert places.secret("trunk-main") == "hush"
