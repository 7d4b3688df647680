"""Lines that are bound to a guest: what of each is nobody else's, and at which NIC it is now. Pure."""

from __future__ import annotations

from nethook.net import Ordered, disjoint, parse_prefix, without

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from nethook.config import RoutedIP
    from nethook.libvirt.network import Ports
    from nethook.net import Prefix

    Blocks = dict[str, list[Prefix]]
    """Of each bound line, by the text of its prefix, what of that no longer prefix of the files is about.

    Addresses in it that have a line of their own are ``apart``."""


def blocks(routed_ips: Sequence[RoutedIP]) -> Blocks:
    """Return the blocks of all bound lines. A longer prefix wins, so it may belong to another guest, or to none.

    Single addresses within a prefix are not cut out of it, since for each of them the rest of an IPv6 prefix is some 60
    blocks: see ``apart``.
    """
    bound = [routed.prefix for routed in routed_ips if routed.guest]
    found = {prefix.text: [prefix] for prefix in bound}
    if _are_single(bound):
        return found
    prefixes = Ordered(routed.prefix for routed in routed_ips if not routed.prefix.is_address)
    found.update((prefix.text, without(prefix, disjoint(prefixes.within(prefix)))) for prefix in bound)
    return found


def apart(routed_ips: Sequence[RoutedIP]) -> list[RoutedIP]:
    """Return the lines of single addresses within a bound prefix. The binding of the prefix is not about them."""
    bound = [routed.prefix for routed in routed_ips if routed.guest]
    if _are_single(bound):
        return []
    around = Ordered(disjoint(prefix for prefix in bound if not prefix.is_address))
    return [routed for routed in routed_ips if routed.prefix.is_address and around.around(routed.prefix)]


def _are_single(prefixes: Iterable[Prefix]) -> bool:
    return all(prefix.is_address for prefix in prefixes)


def held(blocks: Blocks, holders: Mapping[str, Collection[str]]) -> Mapping[str, Collection[str]]:
    """Return the MACs that each block is bound to, also if new lines cut it out of a larger one.

    ``holders`` are the MACs that each block is bound to as it was cut before.
    """
    cut = [block for parts in blocks.values() for block in parts if block.text not in holders and not block.is_address]
    if not cut:
        return holders
    before = Ordered(parse_prefix(text) for text in holders if "/" in text)
    found = dict(holders)
    for block in cut:
        around = before.around(block)
        if around:
            found[block.text] = holders[around.text]
    return found


def macs_of(blocks: Iterable[Prefix], holders: Mapping[str, Collection[str]]) -> set[str]:
    """Return the MACs that any of these blocks is bound to."""
    return {mac for block in blocks for mac in holders.get(block.text, ())}


def nic(routed: RoutedIP, ports: Ports, holders: Collection[str]) -> str | None:
    """Return the MAC of the NIC that a bound line is for; None if its guest is not plugged in.

    Of several that might be meant, the one that has it already: ``holders`` are the MACs that it is bound to.
    """
    found = ports.of(routed.guest, routed.mac)
    return next((mac for mac in found if mac in holders), found[0] if found else None)


def is_undecided(routed: RoutedIP, ports: Ports, holders: Collection[str]) -> bool:
    """Return whether nobody knows if the guest of the line is plugged in: then what is in force for it stays."""
    if ports.all_known or any(port.is_of(routed.guest, routed.mac) for port in ports.known):
        return False
    gone = ports.gone
    return not (gone and (gone.is_of(routed.guest, routed.mac) or gone.mac in holders))
