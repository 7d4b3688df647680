"""What the rest of the program has to know of a kind of objects that ``ip`` makes and deletes, such as routes.

Each kind of ours is a class in a file of its own; ``kinds.py`` lists them. To add one: derive from ``Kind``, put an
instance there at the place where its objects are to be made, have a file in ``desired/`` want some, and give
``effect.py`` the words for it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.host.host import Host
    from nethook.host.process import Call, Result

    Key = tuple[str, ...]
    """What tells an object of a kind from the others.

    First the address or prefix that it is about; then the device that it is on, by which a run knows whether it decides
    about it ('' for what does not depend on a network: every run decides about that); then whatever else.
    """

NO_DEVICE = "Cannot find device "


class Kind:
    """A kind of objects that carry our number, and by that are known as ours."""

    name = ""
    """What effects call it."""
    already_gone: tuple[str, ...] = (NO_DEVICE,)
    """How begins what the kernel says to a deletion of what went by itself, for example with its device."""

    def read_calls(self, protocol: int) -> list[Call]:
        """The programs whose results ``read`` needs. What several kinds ask for alike is run once."""
        del protocol
        return []

    def read(self, host: Host, results: Sequence[Result], protocol: int) -> set[Key]:
        """Our objects; ReadError if they cannot be known."""
        raise NotImplementedError

    def add(self, key: Key, protocol: int) -> str:
        """The line for ``ip -batch`` that adds it."""
        raise NotImplementedError

    def delete(self, key: Key, protocol: int) -> str:
        """The line for ``ip -batch`` that deletes it, if it is ours."""
        raise NotImplementedError

    def leads_to(self, key: Key) -> str:
        """What an effect says that the object leads to: its next hop, NIC or uplink; '' if it has none."""
        return "".join(key[2:])

    def family(self, key: Key) -> str:
        """The option that tells ip the address family, '' where it sees that from the line."""
        del key
        return ""

    def added(self, keys: Sequence[Key], host: Host) -> None:
        """Do what must be done once these have been added."""
        del keys, host

    @staticmethod
    def advice(host: Host, device: str, address: str, said: str) -> str:
        """Return why the kernel refused an address or route on this device, and what to do about it; '' if unknown.

        ``said`` is what the kernel said.
        """
        if said.endswith("is not up"):
            return f"{device} is down: run `ip link set {device} up`, then `nethook apply`"
        if ":" in address and host.number_of(device) and 6 in host.families() and not host.has_ipv6(device):
            return (
                f"{device} has no IPv6, because its MTU is below 1280 bytes: set a larger one, then run `nethook apply`"
            )
        return ""

    def why_not_added(self, key: Key, said: str, host: Host) -> str:
        """Why the kernel refused it, which said this; '' if all is well without it."""
        del key, host
        return "" if said.startswith(NO_DEVICE) else said  # without: its network stopped just now, an event will tell
