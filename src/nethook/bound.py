"""Lines that are bound to a guest: what of each is nobody else's, and at which NIC it is now. Pure."""

from __future__ import annotations

from bisect import bisect_right

from nethook.prefixes import in_order, without

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from nethook.config import RoutedIP
    from nethook.libvirt.network import Ports
    from nethook.prefix import Prefix

    Blocks = dict[str, list[Prefix]]
    """Of each bound line, by the text of its prefix, what of that no longer prefix of the files is about."""


def blocks(routed_ips: Sequence[RoutedIP]) -> Blocks:
    """The blocks of all bound lines. A longer prefix wins, so it may belong to another guest, or to none."""
    bound = [routed.prefix for routed in routed_ips if routed.guest]
    if not bound:
        return {}
    prefixes = sorted((routed.prefix for routed in routed_ips), key=in_order)
    keys = [in_order(prefix) for prefix in prefixes]
    found: Blocks = {}
    for prefix in bound:
        at = bisect_right(keys, in_order(prefix))
        inside: list[Prefix] = []
        while at < len(prefixes) and prefixes[at].lies_in(prefix):
            if not inside or not prefixes[at].lies_in(inside[-1]):
                inside.append(prefixes[at])
            at += 1
        found[prefix.text] = without(prefix, inside)
    return found


def macs_of(blocks: Iterable[Prefix], holders: Mapping[str, Collection[str]]) -> set[str]:
    """The MACs that any of these blocks is bound to."""
    return {mac for block in blocks for mac in holders.get(block.text, ())}


def nic(routed: RoutedIP, ports: Ports, holders: Collection[str]) -> str | None:
    """The MAC of the NIC that a bound line is for, None if its guest is not plugged in.

    Of several that might be meant, the one that has it already: ``holders`` are the MACs that it is bound to.
    """
    found = ports.of(routed.guest, routed.mac)
    return next((mac for mac in found if mac in holders), found[0] if found else None)


def is_undecided(routed: RoutedIP, ports: Ports, holders: Collection[str]) -> bool:
    """Whether it is not known whether its guest is plugged in, so that what is there for it has to stay."""
    if ports.all_known:
        return False
    told = (*ports.known, ports.gone) if ports.gone else ports.known
    return not any(port.is_of(routed.guest, routed.mac) or port.mac in holders for port in told)
