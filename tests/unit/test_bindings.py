"""What stays bound while a run decides about some of the lines only, whatever has become of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from nethook.host.nftables import Table
from nethook.libvirt import Network, Port, Ports
from nethook.parts.binding import BINDING, SETS
from nethook.placement.scope import Scope
from nethook.prefix import Longest, Prefix, parse_prefix
from tests.unit.cases import case, empty
from tests.unit.lines import configuration, configured, routed

if TYPE_CHECKING:
    from collections.abc import Collection

    from nethook.config import RoutedIP
    from nethook.host.nftables import Elements

BLOCK = parse_prefix("203.0.113.0/28")
MACS = {"a": "52:54:00:00:00:0a", "b": "52:54:00:00:00:0b"}
NOBODY = "nobody"


def prefixes() -> st.SearchStrategy[str]:
    """Those within the block, single addresses among them."""
    lengths = st.integers(BLOCK.length, 32)
    return st.builds(
        lambda number, length: Prefix(4, BLOCK.first | number & -(1 << 32 - length), length).text,
        st.integers(0, 15),
        lengths,
    )


def files() -> st.SearchStrategy[list[RoutedIP]]:
    """Lines of two networks, with a guest or without."""
    ends = st.sampled_from(
        [f"{network}{guest}" for network in ("one", "two") for guest in ("", " guest=a", " guest=b")]
    )
    return st.dictionaries(prefixes(), ends, max_size=6).map(
        lambda lines: routed("".join(f"{prefix} {end}\n" for prefix, end in lines.items()))
    )


def after(there: Elements, lines: list[RoutedIP], names: Collection[str], *, doubt: bool) -> Elements:
    """The elements after a run that decides about these networks; all guests but b are plugged in.

    With ``doubt``, a line of the files cannot be read, and may be about anything.
    """
    ports = Ports([Port("", MACS["a"], "a")], all_known=True)
    networks = [Network(name, "virbr1", "nat", ports) for name in names]
    states = empty()
    states[BINDING] = Table(SETS)
    states[BINDING].elements = there
    problems = configuration("nonsense").problems if doubt else []
    scope = Scope({"virbr1": ()}, names, networks)
    made = case(configured(lines, problems), networks, states, scope)
    wanted = BINDING.elements(made)
    return {
        name: wanted[name]
        | (there[name] - wanted[name] - BINDING.decides_about(made, name, there[name] - wanted[name]))
        for name in SETS
    }


def owner(elements: Elements, address: Prefix) -> str | None:
    """Who may use the address, as the rules find it: a MAC, NOBODY, or None for everybody."""
    for prefixes in ("", "_prefixes"):
        holders = [mac for mac, text in elements[f"holders4{prefixes}"] if address.lies_in(parse_prefix(text))]
        if holders:
            return holders[0]
        if any(address.lies_in(parse_prefix(text)) for (text,) in elements[f"bound4{prefixes}"]):
            return NOBODY
        if (address.text,) in elements["apart4"]:
            return None
    return None


@given(files(), files(), st.booleans())
def test_what_a_run_does_not_decide_about_stays(before: list[RoutedIP], lines: list[RoutedIP], doubt: bool) -> None:
    there = after({name: set() for name in SETS}, before, ("one", "two"), doubt=False)
    now = after(there, lines, ("one",), doubt=doubt)
    for name in ("bound4_prefixes", "holders4_prefixes"):
        found = [parse_prefix(element[-1]) for element in now[name]]
        assert not any(one.overlaps(other) for one in found for other in found if one is not other)
    for number in range(BLOCK.first, BLOCK.last + 1):
        address = Prefix(4, number, 32)
        prefix = Longest(line.prefix for line in lines).around(address)
        line = next((line for line in lines if line.prefix == prefix), None)
        if doubt or line is None or not line.guest:  # in doubt, what is there stays, whoever has it
            continue
        if line.network == "one":
            assert owner(now, address) == (MACS["a"] if line.guest == "a" else NOBODY)
        elif not line.prefix.is_address and address.text not in {line.prefix.text for line in before}:
            assert owner(now, address) == owner(there, address)


@given(files(), files())
def test_what_was_before_does_not_matter_to_a_run_that_decides_about_all(
    before: list[RoutedIP], lines: list[RoutedIP]
) -> None:
    nothing: Elements = {name: set() for name in SETS}
    both = ("one", "two")
    there = after(nothing, before, both, doubt=False)
    assert after(there, lines, both, doubt=False) == after(nothing, lines, both, doubt=False)
