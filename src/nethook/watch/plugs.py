"""Taps of running guests that are in no bridge: plugged in again where nothing else is missing, and named elsewhere.

While a guest starts, its tap is in no bridge, either, and libvirt would not start it if somebody else plugged that in.
So libvirt is asked for guests that run. After a restart of their network, the daemon that runs the guests has to give
them their ports again.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nethook.changes import ADD, Effect
from nethook.config.text import one_line
from nethook.host.links import TAP, TAP_IF_NIC_HAS_THAT
from nethook.host.process import batch
from nethook.libvirt.details import details
from nethook.prefix import is_safe
from nethook.shell import operand

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nethook.host import Host
    from nethook.libvirt.details import Details, Tap
    from nethook.libvirt.live import LiveNetwork

KIND = "tun"
"""The kind of a tap."""
SETTLED_SECONDS = 0.15
"""libvirt moves a tap from one bridge to another in much less."""
SECONDS = 2.0


class Loose:
    """The taps in no bridge: those that were ``plugged`` in just now, and a sentence for each that is left."""

    def __init__(self) -> None:
        self.plugged: list[Effect] = []
        self.left: list[str] = []


def plug_in(live: Mapping[str, LiveNetwork], host: Host) -> Loose:
    """Plug in what libvirt says is in a bridge, of the networks that it has told. ReadError, LibvirtError."""
    found = Loose()
    if not _loose(host):
        return found
    time.sleep(SETTLED_SECONDS)
    devices = _loose(host)
    if not devices:
        return found
    told = details(SECONDS)
    devices &= _loose(host)  # libvirt may have moved one meanwhile, and it would be taken from that bridge
    for guest, tap in _of_running(told):
        network = live.get(tap.network)
        if tap.device not in devices or network is None or not network.is_active:
            continue
        bridge = network.network.bridge
        what = f"{tap.device} of guest {one_line(guest)}"
        if not told.can_be_plugged(tap, network.network):
            restart = f"nethook restart-network {operand(tap.network)}"
            found.left.append(f"{what} is in no bridge; {restart} plugs it into {bridge}")
        elif failures := plug([tap.device], bridge, host):
            found.left += failures
        else:
            found.plugged.append(Effect(ADD, "tap", note=f"{what} into {bridge}"))
    return found


def plug(devices: Sequence[str], bridge: str, host: Host) -> list[str]:
    """Plug these devices into a bridge. Return a sentence for each failure."""
    named = [device for device in devices if is_safe(device) and is_safe(bridge)]
    others = sorted({*devices} - {*named})
    failures = [f"plug in by hand, because ip cannot write these names: {device} into {bridge}" for device in others]
    if named:
        result = host.run(batch([f"link set {device} master {bridge}" for device in named]))
        failures += [result.failure] if result.status != 0 else []
    return failures


def _loose(host: Host) -> set[str]:
    """Return the names of libvirt's taps that are in no bridge."""
    macs = {TAP, TAP_IF_NIC_HAS_THAT}
    return {link.name for link in host.links() if link.kind == KIND and not link.master and link.mac[:2] in macs}


def _of_running(told: Details) -> Iterator[tuple[str, Tap]]:
    for guest, of_guest in told.guests.items():
        if not of_guest.is_libvirts_pause:
            yield from ((guest, tap) for tap in of_guest.taps)
