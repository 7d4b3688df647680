"""What libvirt has told and the kernel cannot tell, kept in files: the networks that are up, and who is plugged in.

Our table in the kernel holds the networks too, as long as nobody deletes that (``nft flush ruleset`` does). Afterwards
only libvirt could tell, and a hook must not ask. Without the record, guests of isolated networks would reach routed IPs
until libvirt speaks of their networks again. And the kernel knows guests by their MACs, but not their names.
"""

from __future__ import annotations

from nethook import recorded
from nethook.errors import ReadError
from nethook.kernel import device
from nethook.libvirt.network import Network, Port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nethook.scope import Scope

    Modes = dict[str, str]
    """Forward modes of networks, by bridge."""
    Plugged = list[tuple[str, str, str, str]]
    """Network, and UUID, MAC and guest of each port."""

NETWORKS_FILE = "/run/nethook/networks"
"""Bridge and forward mode, a line each."""
PORTS_FILE = "/run/nethook/plugged"
"""Network, UUID, MAC and guest of each port, each with a zero behind it: names may hold anything else."""


def networks_outside(scope: Scope) -> list[Network]:
    """The networks that were up when libvirt last told, nameless, whose bridges are still there; ReadError."""
    try:
        modes = _modes()
    except OSError as error:
        raise ReadError(f"cannot read {NETWORKS_FILE}: {error.strerror}") from None
    found = ((bridge, mode) for bridge, mode in modes.items() if not scope.has(bridge) and device.exists(bridge))
    return [Network("", bridge, mode) for bridge, mode in found]


def ports() -> dict[str, list[Port]]:
    """Which ports there were when libvirt last told, by network; ReadError if that is not known."""
    try:
        plugged = _plugged()
    except OSError as error:
        raise ReadError(f"cannot read {PORTS_FILE}: {error.strerror}") from None
    found: dict[str, list[Port]] = {}
    for network, *fields in plugged:
        found.setdefault(network, []).append(Port(*fields))
    return found


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
    after = [plugged for plugged in before if not scope.has_network(plugged[0])]
    after += [(network.name, port.uuid, port.mac, port.guest) for network in networks for port in network.ports.known]
    if set(after) != set(before):
        recorded.write(PORTS_FILE, "".join(f"{field}\0" for plugged in after for field in plugged))


def _modes() -> Modes:
    lines = recorded.read(NETWORKS_FILE).splitlines()
    return {bridge: mode for bridge, _, mode in (line.partition(" ") for line in lines)}


def _plugged() -> Plugged:
    fields = iter(recorded.read(PORTS_FILE).split("\0"))
    return list(zip(fields, fields, fields, fields))
