"""The setting no_linklocal_learn of bridges, without which a guest can take what is sent to another guest's MAC.

A bridge takes frames to 01:80:c2:00:00:00 … 0f for itself (IEEE 802.1D, table 7-10). They pass no chain of ours, but
the kernel learns the MAC of their sender all the same: net/bridge/br_input.c, __br_handle_local_finish. So the setting
is switched on where something is bound, and off again where we have switched it on. That is recorded with the number of
the device: when the network starts anew, its bridge has another one.

Messages and attributes: linux/rtnetlink.h, linux/if_link.h, linux/if_bridge.h.
"""

from __future__ import annotations

from _socket import if_nametoindex
from struct import pack, unpack_from

from nethook.host import recorded
from nethook.host.netlink import attributes, routing
from nethook.host.process import Call

SETTING = "no_linklocal_learn"
FILE = f"/run/nethook/{SETTING}"
"""Each bridge on which we have switched it on, and the number of this device, a line each."""

GET_LINKS = 18
HEADER, HEADER_SIZE = "BBHiII", 16
NAME, LINK_INFO, EXTENDED_MASK = 3, 18, 29
KIND, DATA = 1, 2
OPTIONS = 46
NO_LEARNING = 1
WITHOUT_STATISTICS = 8
BRIDGES_ONLY = pack("HHHH8s", 20, LINK_INFO, 11, KIND, b"bridge") + pack("HHI", 8, EXTENDED_MASK, WITHOUT_STATISTICS)


def learning() -> set[str]:
    """Return the bridges that learn from such frames; ReadError if they cannot be known."""
    header = pack(HEADER, *[0] * 6)
    found = set()
    for data, begin, end in routing("bridges", GET_LINKS, header + BRIDGES_ONLY):
        link = _parts(data, begin + HEADER_SIZE, end)
        info = _parts(data, *link[LINK_INFO]) if LINK_INFO in link else {}
        options = _parts(data, *info[DATA]) if DATA in info else {}
        if OPTIONS in options and not unpack_from("I", data, options[OPTIONS][0])[0] & NO_LEARNING:
            first, last = link[NAME]
            found.add(data[first : last - 1].decode(errors="replace"))
    return found


def _parts(data: bytes, begin: int, end: int) -> dict[int, tuple[int, int]]:
    return {number: (first, last) for number, first, last in attributes(data, begin, end)}


def switched_on() -> set[str]:
    """Return the bridges on which we have switched it on; OSError if the record cannot be read."""
    return {bridge for bridge, index in _record().items() if _index(bridge) == index}


def switch(bridge: str, *, on: bool) -> Call:
    """Return the call that switches it on or off."""
    return Call(("ip", "link", "set", "dev", bridge, "type", "bridge", SETTING, str(int(on))))


def remember(bridge: str, *, on: bool) -> None:
    """Record that we have switched it on, or that we have not; OSError if that fails."""
    record = _record()
    if on:
        record[bridge] = _index(bridge)
    else:
        record.pop(bridge, None)
    recorded.write(FILE, "".join(f"{name} {index}\n" for name, index in record.items()))


def _index(bridge: str) -> str:
    try:
        return str(if_nametoindex(bridge))
    except OSError:
        return ""


def _record() -> dict[str, str]:
    lines = [line.split() for line in recorded.read(FILE).splitlines()]
    return {line[0]: line[1] for line in lines if len(line) == 2}
