"""Our pins: permanent neighbour entries that carry our protocol number, so that no guest can take another's address."""

from __future__ import annotations

from nethook.parts.kind import Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.host.host import Host
    from nethook.host.process import Result
    from nethook.parts.kind import Key


class Neighbours(Kind):
    """Keys are (address, device, MAC)."""

    name = "neighbour"
    already_gone = (*Kind.already_gone, "No such file or directory")

    def read(self, host: Host, results: Sequence[Result], protocol: int) -> set[Key]:
        """Our entries."""
        del results
        return {*host.permanent_neighbours(protocol)}

    def add(self, key: Key, protocol: int) -> str:
        """``replace``, because the kernel may know the address already, from a guest that has answered for it."""
        address, device, mac = key
        return f"neighbour replace {address} lladdr {mac} dev {device} nud permanent protocol {protocol}"

    def delete(self, key: Key, protocol: int) -> str:
        """The entry of this address."""
        del protocol
        address, device, _ = key
        return f"neighbour delete {address} dev {device}"


NEIGHBOURS = Neighbours()
