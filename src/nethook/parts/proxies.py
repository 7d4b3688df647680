"""Our proxy entries: addresses for which the host answers ARP or NDP on an uplink, for guests behind it.

Only for providers that ask for each address on their network instead of routing it to the host, and only while it is
routed here. The kernel asks for more: it has to forward, and for IPv6 the setting proxy_ndp of the uplink has to be on.
Entries carry our protocol number.
"""

from __future__ import annotations

from nethook.parts.kind import NO_DEVICE, Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.host.host import Host
    from nethook.host.process import Result
    from nethook.parts.kind import Key


class Proxies(Kind):
    """Keys are (address, '', uplink): whether there is one depends on the network that the address is routed to."""

    name = "proxy"
    already_gone = (*Kind.already_gone, "No such file or directory")

    def read(self, host: Host, results: Sequence[Result], protocol: int) -> set[Key]:
        """Ours."""
        del results
        return {(address, "", uplink) for address, uplink in host.proxies(protocol)}

    def add(self, key: Key, protocol: int) -> str:
        """One that is there already by somebody else's doing is taken over: the kernel does not refuse it."""
        return f"neighbour add proxy {key[0]} dev {key[2]} protocol {protocol}"

    def delete(self, key: Key, protocol: int) -> str:
        """The entry of this address on this uplink."""
        del protocol
        return f"neighbour delete proxy {key[0]} dev {key[2]}"

    def why_not_added(self, key: Key, said: str, host: Host) -> str:
        """An uplink that is not there is not right, unlike a bridge."""
        del host
        return f"there is no device {key[2]}" if said.startswith(NO_DEVICE) else said

    def added(self, keys: Sequence[Key], host: Host) -> None:
        """Tell the uplink's network, so that nobody goes on sending to where the address was before."""
        for address, _, uplink in keys:
            host.announce(address, uplink)


PROXIES = Proxies()
