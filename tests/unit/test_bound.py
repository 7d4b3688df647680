"""Which part of which line is bound, and to which NIC."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nethook.doctor.host_problems import guest_problems, via_problems
from nethook.doctor.programs import why_it_cannot_bind
from nethook.host.process import Call, Result, Tools
from nethook.libvirt import Port, Ports
from nethook.libvirt.live import LiveGuest
from nethook.parts.flows import handed_on
from nethook.placement import apart, blocks, held, is_undecided, nic
from nethook.prefix import Prefix, parse_prefix, without
from tests.unit.lines import routed

if TYPE_CHECKING:
    from nethook.host.nftables import Elements

ONE, TWO, OTHER = "52:54:00:00:00:01", "52:54:00:00:00:02", "52:54:00:00:00:03"


def test_a_longer_prefix_takes_what_it_is_about() -> None:
    lines = (
        "203.0.113.16/29 public guest=a\n203.0.113.20/31 public\n203.0.113.22/31 other guest=b\n203.0.113.0/24 public"
    )
    found = {text: [block.text for block in parts] for text, parts in blocks(routed(lines)).items()}
    assert found == {"203.0.113.16/29": ["203.0.113.16/30"], "203.0.113.22/31": ["203.0.113.22/31"]}
    assert apart(routed(lines)) == []


def test_a_single_address_within_a_prefix_is_apart_and_no_hole() -> None:
    lines = routed(
        "203.0.113.16/29 public guest=a\n203.0.113.20 public\n203.0.113.21 other guest=b\n203.0.113.24 public\n"
        "2001:db8:7::1 public guest=a"
    )
    assert {text: [block.text for block in parts] for text, parts in blocks(lines).items()} == {
        text: [text] for text in ("203.0.113.16/29", "203.0.113.21", "2001:db8:7::1")
    }
    assert [line.prefix.text for line in apart(lines)] == ["203.0.113.20", "203.0.113.21"]


def test_without_bound_lines_there_are_no_blocks() -> None:
    lines = routed("203.0.113.16/29 public\n203.0.113.20 public via=203.0.113.17")
    assert (blocks(lines), apart(lines)) == ({}, [])


@given(st.lists(st.integers(0, 255), unique=True, max_size=20))
def test_what_is_left_of_a_block_is_all_but_the_holes(holes: list[int]) -> None:
    block = parse_prefix("203.0.113.0/24")
    left = without(block, [Prefix(4, block.first + hole, 32) for hole in sorted(holes)])
    numbers = [number - block.first for part in left for number in range(part.first, part.last + 1)]
    assert sorted([*numbers, *holes]) == list(range(256))


def test_a_block_is_held_by_who_holds_what_it_is_cut_out_of() -> None:
    parts = blocks(routed("203.0.113.16/29 public guest=a\n203.0.113.20/31 public\n203.0.113.10 public guest=a"))
    holders = {"203.0.113.16/29": {ONE}, "203.0.113.10": {TWO}}
    assert held(parts, holders) == {**holders, "203.0.113.16/30": {ONE}, "203.0.113.22/31": {ONE}}


@pytest.mark.parametrize(
    ("gone", "new", "blocks_on"),
    [
        ({"holders4": {(ONE, "203.0.113.10")}}, {"holders4": {(TWO, "203.0.113.10")}}, {"203.0.113.10"}),
        ({"holders4": {(ONE, "203.0.113.10")}}, {}, {"203.0.113.10"}),
        ({}, {"holders4": {(ONE, "203.0.113.10")}}, set()),
        (
            {"holders4_prefixes": {(ONE, "203.0.113.16/29")}},
            {"holders4_prefixes": {(ONE, "203.0.113.16/30"), (ONE, "203.0.113.22/31"), (TWO, "203.0.113.20/31")}},
            {"203.0.113.20/31"},
        ),
        (
            {"holders4_prefixes": {(ONE, "203.0.113.16/30"), (ONE, "203.0.113.22/31"), (TWO, "203.0.113.20/31")}},
            {"holders4_prefixes": {(ONE, "203.0.113.16/29")}},
            {"203.0.113.20/31"},
        ),
        ({}, {"apart4": {("203.0.113.20",)}}, {"203.0.113.20"}),
        ({}, {"apart4": {("203.0.113.20",)}, "bound4_prefixes": {("203.0.113.16/29",)}}, set()),
    ],
)
def test_what_belongs_to_another_now(gone: Elements, new: Elements, blocks_on: set[str]) -> None:
    assert handed_on(gone, new) == blocks_on


def plugged(*ports: tuple[str, str]) -> list[Port]:
    """Ports with these MACs and guests."""
    return [Port(f"uuid {number}", *port) for number, port in enumerate(ports)]


@pytest.mark.parametrize(
    ("options", "ports", "holders", "chosen"),
    [
        ("guest=a", [(ONE, "a")], [], ONE),
        ("guest=a", [(OTHER, "b")], [OTHER], None),
        ("guest=a", [(ONE, "a"), (TWO, "a")], [], ONE),
        ("guest=a", [(ONE, "a"), (TWO, "a")], [TWO], TWO),
        ("guest=a", [(ONE, "a"), (ONE, "b")], [], ONE),
        ("guest=b", [(ONE, "a"), (ONE, "b")], [], ONE),
        (f"guest=a mac={TWO}", [(ONE, "a"), (TWO, "a")], [ONE], TWO),
        (f"guest=a mac={TWO}", [(TWO, "b")], [TWO], None),
    ],
)
def test_the_nic_of_a_line(options: str, ports: list[tuple[str, str]], holders: list[str], chosen: str | None) -> None:
    (line,) = routed(f"203.0.113.10 public {options}")
    assert nic(line, Ports(plugged(*ports), all_known=True), holders) == chosen


def test_a_nic_with_two_ports_is_one() -> None:
    ports = Ports(plugged((ONE, "a"), (TWO, "a"), (ONE, "a")), all_known=True)
    assert ports.of("a", None) == [ONE, TWO]
    assert ports.of("a", ONE) == [ONE]


@pytest.mark.parametrize(
    ("known", "gone", "holders", "undecided"),
    [
        ([], None, [], True),
        ([], None, [ONE], True),
        ([(OTHER, "b")], None, [ONE], True),
        ([(OTHER, "b")], None, [OTHER], True),  # until apply, or an event of one of both
        ([], (OTHER, "b"), [OTHER], False),
        ([], (OTHER, "b"), [ONE], True),
        ([], (ONE, "a"), [], False),
        ([(ONE, "a")], None, [], False),
        ([(ONE, "a")], (ONE, "a"), [ONE], False),
    ],
)
def test_a_guest_that_nobody_told_of_may_be_there(
    known: list[tuple[str, str]], gone: tuple[str, str] | None, holders: list[str], undecided: bool
) -> None:
    (line,) = routed("203.0.113.10 public guest=a")
    ports = Ports(plugged(*known), all_known=False, gone=Port("gone", *gone) if gone else None)
    assert is_undecided(line, ports, holders) == undecided
    assert not is_undecided(line, Ports(plugged(*known), all_known=True), holders)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("guest=web1", None),
        ("guest=somewhere-else", "a:1:21: libvirt has no guest somewhere-else; choose from: db, two, web1"),
        ("guest=web2", "a:1:21: libvirt has no guest web2; did you mean web1?"),
        ("guest=wbe1", "a:1:21: libvirt has no guest wbe1; did you mean web1?"),
        ("guest=db", "a:1:21: guest db has no NIC on network public; it has NICs on: inner"),
        (f"guest=web1 mac={OTHER}", f"a:1:32: guest web1 has no NIC {OTHER} on network public; write mac={ONE}"),
        ("guest=two", f"a:1:21: guest two has 2 NICs on network public; choose one with mac={ONE} or mac={TWO}"),
        (f"guest=two mac={TWO}", None),
    ],
)
def test_what_check_says_of_guests(line: str, problem: str | None) -> None:
    nics = {"web1": [("public", ONE)], "db": [("inner", OTHER)], "two": [("public", ONE), ("public", TWO)]}
    guests = {name: LiveGuest(of_guest, is_running=True) for name, of_guest in nics.items()}
    (routed_ip,) = routed(f"203.0.113.10 public {line}")
    assert [str(found).replace("routed-ips", "a") for found in guest_problems(routed_ip, guests, {})] == (
        [problem] if problem else []
    )


@pytest.mark.parametrize(("guest", "is_wrong"), [("a", False), ("b", True)])
def test_the_next_hop_of_a_bound_line_is_not_anothers(guest: str, is_wrong: bool) -> None:
    lines = routed(f"203.0.113.10 public guest=a\n203.0.113.16/29 public guest={guest} via=203.0.113.10")
    found = [str(problem) for problem in via_problems(lines[1], {line.prefix.text: line for line in lines})]
    assert (
        found
        == [
            "routed-ips:2:32: 203.0.113.10 is bound to guest a, at routed-ips:1:1; "
            "write an address of b, or bind both to one guest"
        ]
        * is_wrong
    )


class Nft(Tools):
    """Prints this as its version."""

    def __init__(self, printed: str) -> None:
        super().__init__(1)
        self._printed = printed

    def run(self, call: Call) -> Result:
        return Result(call, 0, self._printed, "")


@pytest.mark.parametrize(
    ("printed", "why"),
    [
        ("nftables v0.9.8 (E.D.S.)", "nft 0.9.8 cannot bind an address to its guest, 1.0.3 and later can"),
        ("nftables v1.0.2 (Lester Gooch)", "nft 1.0.2 cannot bind an address to its guest, 1.0.3 and later can"),
        ("nftables v1.0.3 (Pumpernickel)", ""),
        ("nftables v1.0.10 (Old Doc Yak)", ""),
        ("nftables v1.1 (Commodore)", ""),
        ("of another kind", ""),
    ],
)
def test_an_nft_that_cannot_bind(printed: str, why: str) -> None:
    assert why_it_cannot_bind(Nft(printed)) == why
