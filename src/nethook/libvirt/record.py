"""What libvirt has told and the kernel cannot tell, kept in files: the networks that are up, and who is plugged in.

Our table in the kernel holds the networks too, as long as nobody deletes that (``nft flush ruleset`` does). Afterwards
only libvirt could tell, and a hook must not ask. Without the record, guests of isolated networks would reach routed IPs
until libvirt speaks of their networks again. And the kernel knows guests by their MACs, but not their names.
"""

from __future__ import annotations

from nethook import recorded
from nethook.errors import ReadError
from nethook.kernel import device
from nethook.libvirt.network import Network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nethook.scope import Scope

    Modes = dict[str, str]
    """Forward modes of networks, by bridge."""
    Plugged = dict[str, dict[str, str]]
    """Guests by the MAC of their NIC, by network."""

NETWORKS_FILE = "/run/nethook/networks"
"""Bridge and forward mode, a line each."""
PORTS_FILE = "/run/nethook/ports"
"""Network, MAC and guest, each with a zero behind it: names may hold anything else."""


def networks_outside(scope: Scope) -> list[Network]:
    """The networks that were up when libvirt last told, nameless, whose bridges are still there; ReadError."""
    try:
        modes = _modes()
    except OSError as error:
        raise ReadError(f"cannot read {NETWORKS_FILE}: {error.strerror}") from None
    found = ((bridge, mode) for bridge, mode in modes.items() if not scope.has(bridge) and device.exists(bridge))
    return [Network("", bridge, mode) for bridge, mode in found]


def ports() -> Plugged:
    """Who was plugged in when libvirt last told; ReadError if that is not known."""
    try:
        return _plugged()
    except OSError as error:
        raise ReadError(f"cannot read {PORTS_FILE}: {error.strerror}") from None


def update(networks: Sequence[Network], scope: Scope) -> list[str]:
    """Record that of the scope exactly these networks are up, and who is plugged in there. Returns what failed."""
    try:
        _update_modes(networks, scope)
    except OSError as error:
        return [f"cannot record which networks are up in {NETWORKS_FILE}: {error.strerror}"]
    try:
        _update_plugged(networks, scope)
    except OSError as error:
        return [f"cannot record who is plugged in, in {PORTS_FILE}: {error.strerror}"]
    return []


def _update_modes(networks: Iterable[Network], scope: Scope) -> None:
    before = _modes()
    after = {bridge: mode for bridge, mode in before.items() if not scope.has(bridge)}
    after.update({network.bridge: network.forward_mode for network in networks if network.is_libvirts_own})
    if after != before:
        recorded.write(NETWORKS_FILE, "".join(f"{bridge} {mode}\n" for bridge, mode in after.items()))


def _update_plugged(networks: Iterable[Network], scope: Scope) -> None:
    before = _plugged()
    after = {name: guests for name, guests in before.items() if not scope.has_network(name)}
    after.update({network.name: dict(network.ports.guests) for network in networks if network.ports.guests})
    if after != before:
        fields = [field for network, guests in after.items() for port in guests.items() for field in (network, *port)]
        recorded.write(PORTS_FILE, "".join(f"{field}\0" for field in fields))


def _modes() -> Modes:
    lines = recorded.read(NETWORKS_FILE).splitlines()
    return {bridge: mode for bridge, _, mode in (line.partition(" ") for line in lines)}


def _plugged() -> Plugged:
    plugged: Plugged = {}
    fields = iter(recorded.read(PORTS_FILE).split("\0"))
    for network, mac, guest in zip(fields, fields, fields):
        plugged.setdefault(network, {})[mac] = guest
    return plugged
