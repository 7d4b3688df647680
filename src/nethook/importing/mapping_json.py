"""mapping.json of se1by/libvirt-hook-nftables: pairs of ports by guest.

The shape: README.md of https://github.com/se1by/libvirt-hook-nftables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.importing.found import Found, Remark, checked_guest, left_out, port_of, protocol_of
from nethook.importing.tree import LeftOutError, unknown_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.importing.tree import Node

KNOWN = {"guest_ip", "host_ip", "ports"}
KNOWN_OF_PORT = {"host", "guest", "protocol"}


def is_one(top: Node) -> bool:
    """Return whether the file has this shape: objects with guest_ip."""
    return isinstance(top.value, dict) and any(
        isinstance(node.value, dict) and "guest_ip" in node.value for node in top.value.values()
    )


def items(top: Node) -> Iterator[Found | Remark]:
    """Yield what the file forwards, guest by guest."""
    for guest, node in top.mapping().items():
        try:
            yield from _of_guest(checked_guest(guest, node.place), node)
        except LeftOutError as error:
            yield left_out(error, guest)


def _of_guest(guest: str, node: Node) -> Iterator[Found | Remark]:
    target, listening = node.need("guest_ip").address(), node.need("host_ip").address()
    for key, value in unknown_keys(node, KNOWN):
        yield Remark(value.place, guest, f"{key} is not a key of mapping.json")
    for entry in node.need("ports").nodes():
        try:
            for key, value in unknown_keys(entry, KNOWN_OF_PORT):
                yield Remark(value.place, guest, f"{key} is not a key of a port in mapping.json")
            own, protocol = entry.get("guest"), protocol_of(entry.need("protocol"))
            ports, to_ports = port_of(entry.need("host")), port_of(own) if own else ()
            yield Found(entry.place, guest, guest, listening, target, protocol, ports, to_ports)
        except LeftOutError as error:
            yield left_out(error, guest)
