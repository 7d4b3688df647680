"""What libvirt has told and the kernel cannot tell, kept in files: the networks that are up, and who is plugged in.

Our table in the kernel holds the networks too, as long as nobody deletes that (``nft flush ruleset`` does). Afterwards
only libvirt could tell, and a hook must not ask. Without the record, guests of isolated networks would reach routed IPs
until libvirt speaks of their networks again. And the kernel knows guests by their MACs, but not their names.
"""

from __future__ import annotations

from nethook import recorded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = "/run/nethook/networks"
"""Bridge and forward mode, a line each."""
PORTS_FILE = "/run/nethook/ports"
"""Network, MAC and guest, each with a zero behind it: names may hold anything else."""


def read() -> dict[str, str]:
    """The recorded forward modes, by bridge; OSError if the file is there and cannot be read."""
    return {bridge: mode for bridge, _, mode in (line.partition(" ") for line in recorded.read(FILE).splitlines())}


def write(modes: Mapping[str, str]) -> None:
    """Record these, in one step; OSError if that is not possible."""
    recorded.write(FILE, "".join(f"{bridge} {mode}\n" for bridge, mode in modes.items()))


def read_ports() -> dict[str, dict[str, str]]:
    """The recorded guests by MAC, by network; OSError if the file is there and cannot be read."""
    ports: dict[str, dict[str, str]] = {}
    fields = iter(recorded.read(PORTS_FILE).split("\0"))
    for network, mac, guest in zip(fields, fields, fields):
        ports.setdefault(network, {})[mac] = guest
    return ports


def write_ports(ports: Mapping[str, Mapping[str, str]]) -> None:
    """Record these, in one step; OSError if that is not possible."""
    fields = [field for network, guests in ports.items() for port in guests.items() for field in (network, *port)]
    recorded.write(PORTS_FILE, "".join(f"{field}\0" for field in fields))
