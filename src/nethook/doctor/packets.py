"""The two packets that are judged for each target: one from outside to the guest, and the answer to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.doctor.facts import SOMEBODY
from nethook.doctor.nft_match import Packet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.doctor.facts import AnyTarget, Facts

TO_GUEST, FROM_GUEST = "packets to the guest", "answers of the guest"
KNOWS_IN, KNOWS_OUT = frozenset({"prerouting", "forward"}), frozenset({"forward", "postrouting"})
"""The hooks of a router in which the incoming device of a packet is known, and those in which the outgoing one is."""
UNTRACKED = "invalid"
BRIDGE_HOOKS = {TO_GUEST: frozenset({"output", "postrouting"}), FROM_GUEST: frozenset({"prerouting", "input"})}
"""The hooks of a bridge that routed packets pass: those that leave by it, and those that come to the host."""


def routed(
    facts: Facts, target: AnyTarget, hook: str, *, is_marked: bool = False, is_tracked: bool = True
) -> Iterator[tuple[str, Packet]]:
    """Yield the packets as they are in this hook (in small letters) of a router, with our mark or without it.

    Where no connections are known yet (not ``is_tracked``), the kernel takes each packet for an invalid one.
    """
    uplink = next(iter(facts.uplinks(target.family)), "")
    for what, device_in, device_out in ((TO_GUEST, uplink, target.bridge), (FROM_GUEST, target.bridge, uplink)):
        yield (
            what,
            _packet(
                facts,
                target,
                what,
                device_in if hook in KNOWS_IN else "",
                device_out if hook in KNOWS_OUT else "",
                is_marked=is_marked,
                is_tracked=is_tracked,
            ),
        )


def own(facts: Facts, target: AnyTarget, hook: str, *, is_marked: bool = False, is_tracked: bool = True) -> Packet:
    """Return the first packet of a connection that the guest itself opens, as it is in this hook."""
    uplink = next(iter(facts.uplinks(target.family)), "")
    device_in, device_out = target.bridge if hook in KNOWS_IN else "", uplink if hook in KNOWS_OUT else ""
    answer = _packet(facts, target, FROM_GUEST, device_in, device_out, is_marked=is_marked, is_tracked=is_tracked)
    return answer._replace(state="new") if is_tracked else answer


def bridged(facts: Facts, target: AnyTarget, hook: str) -> Iterator[tuple[str, Packet]]:
    """Yield the packets that pass this hook of bridges. Their port and bridge are unknown."""
    for what, hooks in BRIDGE_HOOKS.items():
        if hook in hooks:
            yield what, _packet(facts, target, what, is_tracked=False)


def at_device(facts: Facts, target: AnyTarget, hook: str, device: str) -> Iterator[tuple[str, Packet]]:
    """Yield the packets that pass the ingress or egress hook of this device."""
    is_outside = device in facts.uplinks(target.family)
    if is_outside or device == target.bridge or device in facts.ports(target.bridge):
        what = TO_GUEST if is_outside == (hook == "ingress") else FROM_GUEST
        yield what, _packet(facts, target, what, is_tracked=False)


def _packet(
    facts: Facts,
    target: AnyTarget,
    what: str,
    device_in: str = "",
    device_out: str = "",
    *,
    is_marked: bool = False,
    is_tracked: bool = True,
) -> Packet:
    outside, bit = SOMEBODY[target.family], facts.settings.mark_bit
    source, destination = (outside, target.address) if what == TO_GUEST else (target.address, outside)
    state = UNTRACKED if not is_tracked else "new" if what == TO_GUEST else "established"
    mark = bit if is_marked else 0
    return Packet(
        target.family, device_in, device_out, source, destination, bit, mark, state, is_forwarded=target.is_forwarded
    )
