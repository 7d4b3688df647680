"""The overview as people see it."""

from __future__ import annotations

import re
from argparse import Namespace

import pytest

from nethook.changes import ADD, REMOVE, Effect
from nethook.commands import status as status_verb
from nethook.config.routed_ips import parse_routed_ips
from nethook.errors import NethookError
from nethook.host.traffic import Traffic
from nethook.status.line_states import LineState
from nethook.status.overview import Overview
from nethook.status.status_text import messages, status_text
from nethook.status.traffic_text import RATES, human
from nethook.status.watch import Rates
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
        "Not in force yet; `nethook apply` changes this:\n"
        "  + bridge virbr2 as isolated\n"
        "  - route 203.0.113.99 → virbr1"
    )


def bound() -> Overview:
    """With all columns, long names, and reasons."""
    found = overview()
    (line,) = routed("2001:db8:abcd:ef01:2345:6789:abcd:ef01 public guest=mail.example.org")
    state = LineState(
        line, "virbr1", "blocked", f"somebody else has a route to it: {LONG} dev eth0", "52:54:00:00:00:01"
    )
    return Overview([*found.lines, state], [], found.gates, found.changes)


def without_colours(text: str) -> list[str]:
    return re.sub(r"\033\[[0-9;]*m", "", text).split("\n")


@pytest.mark.parametrize("coloured", [False, True], ids=["plain", "coloured"])
@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_on_a_terminal_no_line_is_cut_and_no_address_folded(width: int, coloured: bool) -> None:
    found = bound()
    lines = without_colours(status_text(found, width, coloured=coloured))
    assert max(map(len, lines)) <= width
    for state in found.lines:
        (at,) = [number for number, line in enumerate(lines) if line.split()[:1] == [state.line.prefix.text]]
        assert state.state in " ".join(lines[at : at + 2])
    headings = lines[0].split()
    together = " ".join(" ".join(lines).split())
    missing = re.findall("[A-Z]+", together.partition("window is too narrow:")[2].partition(":")[0])
    for heading in ("NETWORK", "BRIDGE", "GUEST", "NIC", "IN", "OUT", "SPOOFED", "LINE"):
        assert (heading in headings) != (heading in missing)
    assert (missing == []) == (width == 200)
    assert "libvirt has no network gone" in together
    assert f"somebody else has a route to it: {LONG} dev eth0".replace(" ", "") in "".join(together.split())


def test_a_reason_is_below_its_line() -> None:
    lines = status_text(bound(), 120).split("\n")
    assert lines[4:6] == [lines[4], "    libvirt has no network gone"]
    assert lines[4].startswith("203.0.113.12 ")


def test_a_terminal_of_80_columns_has_room_for_a_bound_address() -> None:
    (line,) = routed("203.0.113.10 public guest=web1")
    state = LineState(line, "virbr1", "routed", "", "52:54:00:00:00:01")
    state.received, state.sent, state.spoofed = Traffic(7, 448), Traffic(12_345, 98_765_432), 0
    assert status_text(Overview([state], []), 80).split("\n") == [
        "ADDRESS       STATE   NETWORK  GUEST      IN       OUT  SPOOFED  LINE",
        "203.0.113.10  routed  public   web1   7 448B  12k 99MB        0     1",
        "",
        "IN, OUT: packets, bytes. SPOOFED: packets of others that claimed it, dropped.",
        "  LINE: of routed-ips",
        "",
        "Hidden, because the window is too narrow: BRIDGE, NIC.",
    ]


def test_states_have_colours() -> None:
    painted = status_text(overview(), 120, coloured=True)
    for state in ("\033[32mrouted", "\033[33mwaiting", "\033[31mnot applied"):
        assert state in painted
    plain = status_text(overview(), 120)
    assert "\033" not in plain
    assert without_colours(painted) == plain.split("\n")


def test_rates_are_called_rates() -> None:
    assert "IN, OUT: packets and bits per second." in status_text(overview(), 120, RATES)


def test_where_apply_refuses_that_is_said() -> None:
    found = overview()
    _, problems = parse_routed_ips([("routed-ips", b"203.0.113.300 public\n")])
    refusing = Overview(found.lines, problems, found.gates, found.changes)
    assert "changes this, once you have corrected the mistakes in the files:" in status_text(refusing, None)
    assert "`nethook apply` refuses until you correct them" in next(messages(refusing))


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
            assert RATES.text(rate) == "2/s 1.6kb/s"
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
    with pytest.raises(NethookError, match=r"no line of the files names 203.0.113.30, .*; but the files have mistakes"):
        status_verb.run(Namespace(addresses=["203.0.113.30"], watch=False, json=False))
