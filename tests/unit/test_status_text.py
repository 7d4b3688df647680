"""The overview as people see it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from nethook.changes import ADD, REMOVE, Effect
from nethook.commands import status as status_verb
from nethook.commands.parser import build_parser
from nethook.config.routed_ips import parse_routed_ips
from nethook.errors import NethookError
from nethook.host.traffic import Traffic
from nethook.libvirt import Network
from nethook.libvirt.details import Details, GuestDetails
from nethook.libvirt.live import LiveGuest, LiveNetwork
from nethook.placement.forwarded import FORWARDED, Forwarding
from nethook.status.forward_states import ForwardState
from nethook.status.hindrances import Note
from nethook.status.intentions import Intentions
from nethook.status.line_states import LineState
from nethook.status.overview import Overview
from nethook.status.status_text import messages, result, status_text
from nethook.status.traffic_text import RATES, human
from nethook.status.watch import Rates
from tests.unit.lines import configuration, forwarded, routed

if TYPE_CHECKING:
    from argparse import Namespace

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


def test_the_result_of_a_verb() -> None:
    states = overview().lines
    assert result(states[:1]) == "1 line: 1 routed"
    assert result(states) == "3 lines: 1 routed, 1 waiting, 1 not applied; to see why, run `nethook status`"
    assert result([]) == "no lines"


def test_plain() -> None:
    assert status_text(overview(), None) == (
        "1 of 3 lines routed, 1 waiting, 1 not applied.\n"
        "\n"
        "ADDRESS                                 STATE        NETWORK                     BRIDGE"
        "       IN       OUT  LINE\n"
        f"{LONG}  not applied  a-network-with-a-long-name  virbr10       -         -     2  run nethook apply\n"
        "203.0.113.12                            waiting      gone                        -"
        "             -         -     3  libvirt has no network gone\n"
        "203.0.113.10                            routed       public                      virbr1"
        "   7 448B  12k 99MB     1\n"
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


def test_who_may_use_a_forward() -> None:
    """The column is there only where a line limits that."""
    for limit, shown in (
        ("", ""),
        (" from=198.51.100.0/24", "198.51.100.0/24"),
        (" from=198.51.100.1,198.51.100.2,198.51.100.3,198.51.100.4", "198.51.100.1, 198.51.100.2 and 2 more"),
    ):
        lines = forwarded(f"203.0.113.1:22 public to=10.0.0.7{limit}\n203.0.113.1:80 public to=10.0.0.7\n")
        states = [ForwardState(Forwarding(line, FORWARDED, target="10.0.0.7"), FORWARDED, "") for line in lines]
        text = status_text(Overview([], [], forwards=states), None)
        _, _, headings, first, second, *_ = text.splitlines()
        assert ("FROM" in headings, "FROM: who may use it; '-' is everybody." in text) == (bool(limit), bool(limit))
        assert shown in first
        assert second.split()[-4:] == [*(["-"] if limit else ["10.0.0.7:80"]), "-", "-", "2"]


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
    lines = lines[lines.index("") + 1 :]  # what follows the sentence
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
    (at,) = [number for number, line in enumerate(lines) if line.startswith("203.0.113.12 ")]
    assert lines[at + 1] == "    libvirt has no network gone"


def test_a_terminal_of_80_columns_has_room_for_a_bound_address() -> None:
    (line,) = routed("203.0.113.10 public guest=web1")
    state = LineState(line, "virbr1", "routed", "", "52:54:00:00:00:01")
    state.received, state.sent, state.spoofed = Traffic(7, 448), Traffic(12_345, 98_765_432), 0
    assert status_text(Overview([state], []), 80).split("\n") == [
        "1 of 1 line routed.",
        "",
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
        "the files have no lines: write ADDRESS NETWORK, a line each, see routed-ips(5) and forwarded-ports(5)"
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


def asked(*words: str) -> Namespace:
    """The options of `nethook status` with these words."""
    return build_parser().parse_args(["status", *words])


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
    assert status_verb.run(asked()) == status
    # the wrong line is not about this one
    assert status_verb.run(asked("203.0.113.10")) == {"routed": 0, "unknown": 2}[states[0]]


def test_a_wrong_line_may_be_meant_for_what_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = configuration("203.0.113.300 public").problems
    monkeypatch.setattr(status_verb, "overview", lambda: Overview([], wrong))
    with pytest.raises(NethookError, match=r"no line of the files names 203.0.113.30, .*; but the files have mistakes"):
        status_verb.run(asked("203.0.113.30"))


@pytest.mark.parametrize(
    ("states", "sentence"),
    [
        (["routed"], "1 of 1 line routed."),
        (["routed"] * 3, "3 of 3 lines routed."),
        (["blocked", "routed", "waiting", "routed"], "2 of 4 lines routed, 1 waiting, 1 blocked."),
        (["unknown", "not applied"], "0 of 2 lines routed, 1 not applied, 1 unknown."),
    ],
)
def test_one_sentence_says_it_all(states: list[str], sentence: str) -> None:
    lines = routed("".join(f"203.0.113.{number} public\n" for number in range(len(states))))
    found = Overview([LineState(line, "virbr1", state, "") for line, state in zip(lines, states)], [])
    assert status_text(found, None).split("\n")[:2] == [sentence, ""]


def several() -> Overview:
    """Lines of two networks, a guest, and each state that most lines have."""
    lines = routed(
        "203.0.113.10 public guest=web1\n203.0.113.11 public\n203.0.113.16/29 other\n203.0.113.17 other guest=web1"
    )
    states = [LineState(line, "virbr1", state, "") for line, state in zip(lines, ["routed", "blocked"] * 2)]
    return Overview(states, [], notes=[Note("other", "tap vnet2 of guest web2 is not in bridge virbr2")])


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ([], [11, 17, 10, 16]),
        (["--network", "public"], [11, 10]),
        (["--guest", "web1"], [17, 10]),
        (["--network", "other", "--guest", "web1"], [17]),
        (["203.0.113.18"], [16]),
        (["203.0.113.0/24", "--network", "public"], [11, 10]),
        (["--state", "blocked"], [11, 17]),
        (["--state", "blocked", "--state", "waiting", "--network", "public"], [11]),
        (["--state", "not-applied"], []),
    ],
)
def test_lines_are_chosen(
    words: list[str], shown: list[int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(status_verb, "overview", several)
    status_verb.run(asked(*words))
    printed = capsys.readouterr().out
    assert [int(each) for each in re.findall(r"^203.0.113.(\d+)", printed, re.M)] == shown
    assert ("tap vnet2" in printed) == ("public" not in words)
    status_verb.run(asked("--json", *words))
    found = json.loads(capsys.readouterr().out)
    assert len(found["lines"]) == len(shown)
    assert sum(found["summary"]["lines"].values()) == int(printed.split()[2])


@pytest.mark.parametrize("words", [["--network", "pubic"], ["--guest", "web9"]])
def test_a_name_without_lines_is_said(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_verb, "overview", several)
    with pytest.raises(NethookError, match=f"no line of the files is for .* {words[1]}"):
        status_verb.run(asked(*words))


def test_a_line_that_is_only_in_an_ignored_file_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    found = several()
    found.unread = routed("203.0.113.30 public")
    monkeypatch.setattr(status_verb, "overview", lambda: found)
    with pytest.raises(NethookError, match=r"no line that is read names 203.0.113.30: routed-ips:1 does, but"):
        status_verb.run(asked("203.0.113.30"))


def test_files_that_are_not_read_are_named() -> None:
    found = Overview([], [], ignored=["/etc/default/routed-ips is ignored, because /etc/nethook/routed-ips exists"])
    assert "/etc/default/routed-ips is ignored, because /etc/nethook/routed-ips exists" in messages(found)


OFF, ON = LiveGuest([("public", "52:54:00:00:00:01")], is_running=False), LiveGuest([], is_running=True)


@pytest.mark.parametrize(
    ("line", "is_on_purpose"),
    [
        ("203.0.113.10 public guest=off", True),
        ("203.0.113.10 public guest=auto", False),
        ("203.0.113.10 public guest=on", False),  # it runs, and is not plugged in
        ("203.0.113.10 public guest=typo", False),
        ("203.0.113.10 public", False),  # auto would use it
        ("203.0.113.10 lonely", True),
        ("203.0.113.10 stopped", True),
        ("203.0.113.10 stopped-auto", False),
        ("203.0.113.10 typo", False),
    ],
)
def test_what_is_off_on_purpose(line: str, is_on_purpose: bool) -> None:
    names = {"public": True, "lonely": True, "stopped": False, "stopped-auto": False}
    networks = {name: LiveNetwork(Network(name, "virbr1", "nat"), is_active=on) for name, on in names.items()}
    starts = {name: GuestDetails("", False, name == "auto", ()) for name in ("off", "auto", "on")}
    known = Intentions(networks, {"off": OFF, "auto": OFF, "on": ON}, Details(starts, frozenset({"stopped"})))
    (entry,) = routed(line)
    assert known.is_off_on_purpose(entry) == is_on_purpose


@pytest.mark.parametrize("is_on_purpose", [True, False])
def test_strict(is_on_purpose: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = routed("203.0.113.10 lonely")
    networks = {"lonely": LiveNetwork(Network("lonely", "virbr1", "nat"), is_active=False)}
    known = Intentions(networks, {}, Details(off_at_boot=frozenset({"lonely"} if is_on_purpose else ())))
    monkeypatch.setattr(status_verb, "overview", lambda: Overview([LineState(line, "", "waiting", "")], []))
    monkeypatch.setattr(status_verb, "intentions", lambda: known)
    assert status_verb.run(asked()) == 0
    assert status_verb.run(asked("--strict")) == (not is_on_purpose)
