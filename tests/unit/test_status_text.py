"""The overview as people see it."""

from __future__ import annotations

import re
from argparse import Namespace

import pytest

from nethook.commands import status as status_verb
from nethook.commands.line_states import LineState
from nethook.commands.overview import Overview
from nethook.commands.status_text import human, messages, status_text
from nethook.commands.watch import Rates, per_second
from nethook.effect import ADD, REMOVE, Effect
from nethook.errors import NethookError
from nethook.kernel.counters import Traffic
from tests.unit.lines import configuration, routed

LONG = "2001:db8:1234:5678:9abc:def0:1234:5678"


def overview() -> Overview:
    lines = routed(f"203.0.113.10 public\n{LONG} a-network-with-a-long-name\n203.0.113.12 gone")
    states = [
        LineState(lines[0], "virbr1", "routed", ""),
        LineState(lines[1], "virbr10", "not applied", "run nethook apply"),
        LineState(lines[2], "", "waiting", "libvirt has no network gone"),
    ]
    states[0].received, states[0].sent = Traffic(7, 448), Traffic(12_345, 98_765_432)
    changes = [
        Effect(ADD, "route", prefix=LONG, bridge="virbr10"),
        Effect(ADD, "isolated", bridge="virbr2"),
        Effect(REMOVE, "route", prefix="203.0.113.99", bridge="virbr1"),
    ]
    return Overview(states, [], [("ip libvirt_network forward", "open")], changes)


def test_plain() -> None:
    assert status_text(overview(), None) == (
        "ADDRESS                                 STATE        NETWORK                     BRIDGE"
        "       IN       OUT  LINE\n"
        "203.0.113.10                            routed       public                      virbr1"
        "   7 448B  12k 99MB     1\n"
        f"{LONG}  not applied  a-network-with-a-long-name  virbr10       -         -     2  run nethook apply\n"
        "203.0.113.12                            waiting      gone                        -"
        "             -         -     3  libvirt has no network gone\n"
        "\n"
        "IN, OUT: packets, bytes. LINE: of routed-ips\n"
        "\n"
        "Gates in other firewalls:\n"
        "  ip libvirt_network forward: open\n"
        "\n"
        "The kernel is not as it should be; `nethook apply` changes this:\n"
        "  + bridge virbr2 as isolated\n"
        "  - route 203.0.113.99 → virbr1"
    )


@pytest.mark.parametrize("width", [80, 200])
def test_on_a_terminal_nothing_is_cut(width: int) -> None:
    painted = status_text(overview(), width).split("\n\n")[0]
    assert "\033[32mrouted" in painted
    lines = re.sub(r"\033\[[0-9;]*m", "", painted).split("\n")
    assert max(len(line) for line in lines) <= width
    together = "".join("".join(line.split()) for line in lines)
    for text in ("not applied", "12k 99MB", "virbr10", "waiting"):
        assert text.replace(" ", "") in together
    for characters in (LONG, "a-network-with-a-long-name"):
        assert len(together) > len(characters)


def test_lines_of_several_files_are_told_apart() -> None:
    (first,) = routed("203.0.113.10 public")
    (second,) = routed("203.0.113.11 public")
    first._line.file, second._line.file = "/etc/nethook/routed-ips", "/etc/nethook/routed-ips.d/more.conf"
    text = status_text(Overview([LineState(line, "virbr1", "routed", "") for line in (first, second)], []), None)
    assert "routed-ips:1\n" in text
    assert "routed-ips.d/more.conf:1\n" in text
    assert "LINE: below /etc/nethook" in text


def test_a_forged_name_cannot_paint_the_terminal() -> None:
    (line,) = routed('203.0.113.10 "\t\x85evil"')
    assert "\x85" not in status_text(Overview([LineState(line, "", "waiting", "")], []), None)


def test_nothing_to_show_says_what_to_write() -> None:
    assert status_text(Overview([], []), None) == ""
    assert list(messages(Overview([], []))) == [
        "the files have no lines: write ADDRESS NETWORK, a line each, see routed-ips(5)"
    ]


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (1000, "1.0k"), (9_940, "9.9k"), (12_345, "12k"), (5 * 10**18, "5E"), (10**12, "1.0T")],
)
def test_numbers_for_people(number: int, text: str) -> None:
    assert human(number) == text


def test_rates_are_what_was_added() -> None:
    rates = Rates()
    for second, packets in enumerate((100, 104, 3)):
        found = overview()
        found.lines[0].received = Traffic(packets, packets * 100)
        rates.take(found, 2.0 * second)
        rate = found.lines[0].received
        if packets == 104:
            assert rate is not None
            assert per_second(rate) == "2/s 1.6kb/s"
        else:  # the first time, and when the counter began anew
            assert rate is None


@pytest.mark.parametrize(
    ("states", "problems", "status"),
    [
        (["routed"], 0, 0),
        (["routed", "unknown"], 0, 2),
        (["unknown", "waiting"], 0, 2),
        (["unknown", "not applied"], 0, 1),
        (["unknown"], 1, 1),
    ],
)
def test_the_exit_status(states: list[str], problems: int, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = routed("203.0.113.10 public\n203.0.113.11 public")
    shown = [LineState(line, "virbr1", state, "") for line, state in zip(lines, states)]
    wrong = configuration("203.0.113.300 public\n" * problems).problems
    monkeypatch.setattr(status_verb, "overview", lambda: Overview(shown, wrong))
    assert status_verb.run(Namespace(addresses=[], watch=False, json=False)) == status
    # the wrong line is not about this one
    alone = Namespace(addresses=["203.0.113.10"], watch=False, json=False)
    assert status_verb.run(alone) == {"routed": 0, "unknown": 2}[states[0]]


def test_a_wrong_line_may_be_meant_for_what_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = configuration("203.0.113.300 public").problems
    monkeypatch.setattr(status_verb, "overview", lambda: Overview([], wrong))
    with pytest.raises(
        NethookError, match=r"no line of the files names 203.0.113.30, .*; but there are mistakes in them"
    ):
        status_verb.run(Namespace(addresses=["203.0.113.30"], watch=False, json=False))
