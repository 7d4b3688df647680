"""Our proxy entries: addresses for which the host answers ARP or NDP on an uplink, for guests behind it.

Only for providers that ask for each address on their network instead of routing it to the host, and only while it is
routed here. The kernel asks for more: it has to forward, and for IPv6 the setting proxy_ndp of the uplink has to be on.
Entries carry our protocol number. Read over netlink, because most hosts have none.

Messages and attributes: linux/rtnetlink.h, linux/neighbour.h.
"""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, inet_ntop
from struct import pack, unpack_from

from nethook.kernel import device
from nethook.kernel.kind import NO_DEVICE, Kind
from nethook.kernel.neighbours import ADDRESS, FAMILIES, GET_NEIGHBOURS, HEADER, HEADER_SIZE, PROTOCOL
from nethook.kernel.netlink import NETLINK_ROUTE, Netlink, attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.kernel.kind import Key
    from nethook.kernel.process import Result, Tools

PROXY = 0x08
"""The kernel's NTF_PROXY."""


class Proxies(Kind):
    """Keys are (address, '', uplink): whether there is one depends on the network that the address is routed to."""

    name = "proxy"
    already_gone = (*Kind.already_gone, "No such file or directory")

    def read(self, results: Sequence[Result], protocol: int) -> set[Key]:
        """Ours."""
        del results
        netlink = Netlink(NETLINK_ROUTE, "proxy entries")
        found: set[Key] = set()
        for version in (AF_INET, AF_INET6):
            for data, begin, end in netlink.dump(GET_NEIGHBOURS, pack(HEADER, version, 0, 0, 0, 0, PROXY, 0)) or ():
                family, _, _, index, _, flags, _ = unpack_from(HEADER, data, begin)
                if family not in FAMILIES or not flags & PROXY:
                    continue
                values = {number: data[at:until] for number, at, until in attributes(data, begin + HEADER_SIZE, end)}
                uplink = device.name_of(index)
                if uplink and values.get(PROTOCOL) == bytes([protocol]) and ADDRESS in values:
                    found.add((inet_ntop(family, values[ADDRESS]), "", uplink))
        return found

    def add(self, key: Key, protocol: int) -> str:
        """One that is there already by somebody else's doing is taken over: the kernel does not refuse it."""
        return f"neighbour add proxy {key[0]} dev {key[2]} protocol {protocol}"

    def delete(self, key: Key, protocol: int) -> str:
        """The entry of this address on this uplink."""
        del protocol
        return f"neighbour delete proxy {key[0]} dev {key[2]}"

    def why_not_added(self, key: Key, said: str, tools: Tools) -> str:
        """An uplink that is not there is not right, unlike a bridge."""
        del tools
        return f"there is no device {key[2]}" if said.startswith(NO_DEVICE) else said

    def added(self, keys: Sequence[Key]) -> None:
        """Tell the uplink's network, so that nobody goes on sending to where the address was before."""
        from nethook.kernel.announcement import announce  # noqa: PLC0415 - seldom needed

        for address, _, uplink in keys:
            announce(address, uplink)


PROXIES = Proxies()
