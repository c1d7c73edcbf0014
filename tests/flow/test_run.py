"""A caller's walk, told what happens and asked what to do; without clock, sound or telephone."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.flow import steps
from appliance.flow.load import load
from appliance.flow.model import Call, Flow
from appliance.flow.run import MOST_AHEAD, TICK_PLAY, Walk
from tests.flow.given import changed, office, passes
from tests.flow.given import walk as begun


def says(play: int, *prompts: str, language: str = "fa") -> steps.Say:
    return steps.Say(play, prompts, language)


def whole(play: int) -> steps.Said:
    return steps.Said(play, is_whole=True)


def in_menu(flow: Flow | None = None) -> Walk:
    """A walk that has heard the notice and the menu; play 2 has ended at 10."""
    walk = begun(flow or office(), "fa")
    walk.start(0)
    walk.receive(whole(1), 5)
    walk.receive(whole(2), 10)
    return walk


def test_the_whole_way_from_notice_to_agent() -> None:
    walk = begun(office(), "fa")
    assert walk.start(0) == [steps.Entered("greeting", "notice"), says(1, "hello", "recorded")]
    assert walk.receive(whole(1), 4) == [
        steps.RecordFromNow("notice", "greeting"),
        steps.Entered("main", "menu"),
        says(2, "choices"),
    ]
    assert walk.receive(whole(2), 9) == []
    assert walk.deadline == 11  # a sound of life; the time-out is at 14
    ring = steps.RingAgents(("sara", "reza"), 20, 120)
    assert walk.receive(steps.Pressed("1"), 10) == [steps.Entered("sales", "call"), ring]
    assert walk.receive(steps.AgentAnswered("sara"), 20) == []
    assert walk.receive(steps.AgentLeft("sara"), 80) == [steps.Finish("served")]
    assert walk.receive(steps.Pressed("1"), 81) == []


def test_a_key_cuts_the_menu_short() -> None:
    walk = begun(office(), "fa")
    walk.start(0)
    walk.receive(whole(1), 4)
    assert walk.receive(steps.Pressed("2"), 5) == [
        steps.StopSaying(2),
        steps.Entered("hours", "say"),
        says(3, "open_from"),
    ]
    assert walk.receive(whole(2), 5.1) == []  # the end of what was cut short comes late, and moves nothing


def test_a_key_does_not_cut_the_notice_short_and_is_kept_for_the_menu() -> None:
    walk = begun(office(), "fa")
    walk.start(0)
    assert walk.receive(steps.Pressed("1"), 1) == []
    assert walk.receive(whole(1), 4) == [
        steps.RecordFromNow("notice", "greeting"),
        steps.Entered("main", "menu"),
        steps.Entered("sales", "call"),
        steps.RingAgents(("sara", "reza"), 20, 120),
    ]


def test_a_notice_that_was_not_heard_whole_is_said_again_and_then_nothing_is_recorded() -> None:
    walk = begun(office(), "fa")
    walk.start(0)
    assert walk.receive(steps.Said(1, is_whole=False), 2) == [says(2, "hello", "recorded")]
    assert walk.receive(steps.Said(2, is_whole=False), 4) == [steps.Entered("main", "menu"), says(3, "choices")]


def test_a_flow_that_needs_no_notice_records_from_the_start() -> None:
    walk = begun(office('name = "office"', 'name = "office"\nneeds_notice = false'), "fa")
    assert walk.start(0)[0] == steps.RecordFromNow("none_needed", "greeting")
    assert steps.RecordFromNow("notice", "greeting") not in walk.receive(whole(1), 4)


def test_a_caller_who_presses_nothing_is_asked_three_times_and_let_go() -> None:
    walk = in_menu()
    assert passes(walk, 14.9) == []
    assert passes(walk, 15) == [says(3, "nothing", "choices")]
    walk.receive(whole(3), 20)
    assert passes(walk, 25) == [says(4, "nothing", "choices")]
    walk.receive(whole(4), 30)
    assert passes(walk, 35) == [steps.Entered("bye", "goodbye"), says(5, "goodbye")]
    assert walk.receive(whole(5), 37) == [steps.Finish("no_choice")]


def test_wrong_keys_and_silence_count_together() -> None:
    walk = in_menu()
    assert walk.receive(steps.Pressed("7"), 11) == [says(3, "wrong", "choices")]
    walk.receive(whole(3), 15)
    assert passes(walk, 20) == [says(4, "nothing", "choices")]
    assert walk.receive(steps.Pressed("#"), 21) == [
        steps.StopSaying(4),
        steps.Entered("bye", "goodbye"),
        says(5, "goodbye"),
    ]


def test_attempts_begin_anew_in_each_menu() -> None:
    walk = in_menu()
    walk.receive(steps.Pressed("7"), 11)
    walk.receive(steps.Pressed("7"), 12)
    walk.receive(steps.Pressed("2"), 13)
    walk.receive(steps.Pressed("7"), 14)  # heard in `hours`, and wrong for the menu behind it
    assert walk.receive(steps.Pressed("1"), 15)[1] == steps.Entered("sales", "call")


def test_the_language_changes_for_all_that_follows() -> None:
    walk = in_menu()
    assert walk.receive(steps.Pressed("9"), 11) == [
        steps.Entered("english", "goto"),
        steps.SetLanguage("en"),
        steps.Entered("main", "menu"),
        says(3, "choices", language="en"),
    ]
    again = walk.receive(steps.Pressed("9"), 12)
    assert steps.SetLanguage("en") not in again and says(4, "choices", language="en") in again


def test_a_language_the_flow_does_not_speak_becomes_its_first() -> None:
    assert begun(office('languages = ["fa", "en"]', 'languages = ["en"]'), "fa").language == "en"
    assert begun(office(), "en").language == "en"


def test_keys_pressed_ahead_skip_what_the_caller_knows() -> None:
    walk = begun(office(), "fa")
    walk.start(0)
    for digit in "291":
        walk.receive(steps.Pressed(digit), 1)
    entered = [each.node for each in walk.receive(whole(1), 4) if isinstance(each, steps.Entered)]
    assert entered == ["main", "hours", "main", "english", "main", "sales"]


def test_only_so_many_keys_are_kept_and_the_first_ones_count() -> None:
    walk = begun(office(), "fa")
    walk.start(0)
    for digit in ["1", *["7"] * (MOST_AHEAD * 2)]:
        walk.receive(steps.Pressed(digit), 1)
    assert steps.Entered("sales", "call") in walk.receive(whole(1), 4)


def test_a_wrong_key_ahead_forgets_the_rest() -> None:
    walk = begun(office(), "fa")
    walk.start(0)
    for digit in "71":
        walk.receive(steps.Pressed(digit), 1)
    assert walk.receive(whole(1), 4)[-1] == says(2, "wrong", "choices")


def test_nobody_who_answers_leads_where_the_flow_says() -> None:
    walk = in_menu()
    walk.receive(steps.Pressed("1"), 11)
    assert walk.receive(steps.Pressed("5"), 12) == []  # keys while it rings are not for us
    assert walk.receive(steps.NobodyAnswered("busy"), 30) == [
        steps.Entered("sorry", "goodbye"),
        says(3, "nobody_there"),
    ]
    assert walk.receive(whole(3), 33) == [steps.Finish("nobody")]


def test_a_key_pressed_before_it_rings_does_not_hide_that_nobody_answers() -> None:
    flow = load(
        changed('on_nobody = "sorry"', 'on_nobody = "hours"').replace('1 = "sales"', '1 = "wait"')
        + '[node.wait]\nkind = "say"\nprompt = "hold"\nnext = "sales"\n',
        "office.toml",
    )
    walk = in_menu(flow)
    walk.receive(steps.Pressed("1"), 11)
    assert walk.receive(steps.Pressed("1"), 12)[1] == steps.Entered("sales", "call")
    assert walk.receive(steps.NobodyAnswered("busy"), 13) == [steps.Entered("hours", "say"), says(4, "open_from")]


def test_after_the_agent_the_caller_may_be_led_on() -> None:
    walk = in_menu(office('on_nobody = "sorry"', 'on_nobody = "sorry"\nnext = "bye"'))
    walk.receive(steps.Pressed("1"), 11)
    walk.receive(steps.AgentAnswered("sara"), 15)
    assert walk.receive(steps.AgentLeft("sara"), 60) == [steps.Entered("bye", "goodbye"), says(3, "goodbye")]


def test_what_does_not_fit_the_moment_moves_nothing() -> None:
    walk = in_menu()
    for event in (steps.AgentLeft("sara"), steps.NobodyAnswered("busy"), whole(1), whole(2), whole(99)):
        assert walk.receive(event, 11) == [], event
    assert walk.receive(steps.Pressed("1"), 12)[0] == steps.Entered("sales", "call")


# A flow in which everything may lead to everything.
WILD = (
    changed('open_from"\nnext = "main"', 'open_from"\nnext = "second"')
    + """
[node.second]
kind = "menu"
prompt = "choices"
timeout_seconds = 2
attempts = 1
on_failure = "greeting_again"

[node.second.keys]
"*" = "hours"
"#" = "english"
0 = "back"

[node.greeting_again]
kind = "notice"
prompt = "recorded"
next = "desk"

[node.desk]
kind = "call"
agents = ["sara"]
on_nobody = "bye"
next = "second"

[node.back]
kind = "say"
prompt = "hello"
next = "main"
"""
)

EVENTS = st.one_of(
    st.sampled_from("0129*#").map(steps.Pressed),
    st.sampled_from(["say", "say", "say cut", "time"]),
    st.integers(0, 30).map(lambda play: steps.Said(play, is_whole=True)),
    st.sampled_from([steps.AgentAnswered("sara"), steps.AgentLeft("sara"), steps.NobodyAnswered("busy")]),
)


class Watched:
    """Carries a walk's commands out as a session does, and knows what it waits for."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.walk = begun(flow, "fa")
        self.now = 0.0
        self.saying = 0
        self.is_ringing = self.is_over = False
        self.recorded = self.plays = 0
        self._do(self.walk.start(0))

    def happens(self, event: steps.Event | str) -> None:
        self.now += 0.5
        if event == "time":
            self.now = max(self.now, self.walk.deadline or 0)
            self._do(self.walk.due(self.now))
        elif isinstance(event, str):
            play, self.saying = self.saying, 0
            self._do(self.walk.receive(steps.Said(play, is_whole=event == "say"), self.now))
        elif not isinstance(event, steps.Said) or event.play != self.saying:
            self._do(self.walk.receive(event, self.now))

    def waits_for_something(self) -> bool:
        return bool(self.is_over or self.saying or self.is_ringing or self.walk.deadline is not None)

    def _do(self, commands: list[steps.Command]) -> None:
        assert not (self.is_over and commands)
        for command in commands:
            match command:
                case steps.Say(play) if play == TICK_PLAY:
                    assert not self.saying
                case steps.Say(play, prompts, language):
                    assert play > self.plays and prompts and language in self.flow.languages
                    self.plays = self.saying = play
                case steps.StopSaying(play):
                    assert play == self.saying
                    self.saying = 0
                case steps.Entered(node, kind):
                    assert self.flow.nodes[node].kind == kind
                    self.is_ringing = isinstance(self.flow.nodes[node], Call)
                case steps.RecordFromNow():
                    self.recorded += 1
                case steps.Finish():
                    self.is_over = True
                case _:
                    assert isinstance(command, steps.RingAgents | steps.SetLanguage)


@settings(max_examples=200, deadline=None)
@given(st.lists(EVENTS, max_size=40))
def test_whatever_happens_the_walk_waits_for_something_and_a_caller_who_does_nothing_comes_to_the_end(
    events: list[steps.Event | str],
) -> None:
    watched = Watched(load(WILD, "wild.toml"))
    for event in events:
        watched.happens(event)
        assert watched.waits_for_something()
        assert watched.recorded <= 1
    for _ in range(200):
        if watched.is_over:
            break
        watched.happens("say" if watched.saying else steps.NobodyAnswered("busy") if watched.is_ringing else "time")
    assert watched.is_over
