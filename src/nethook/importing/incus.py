"""Network forwards of Incus and LXD, as ``incus network forward show NETWORK ADDRESS`` prints them.

``incus network forward list NETWORK --format yaml`` or ``json`` prints a list of the same. The fields:
https://linuxcontainers.org/incus/docs/main/howto/network_forwards
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.config.text import excerpt
from nethook.importing.found import Found, Remark, left_out, ports_of, protocol_of
from nethook.importing.tree import LeftOutError, unknown_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.importing.tree import Node

KNOWN = {"config", "description", "listen_address", "location", "ports", "project"}
KNOWN_OF_PORT = {"description", "listen_port", "protocol", "snat", "target_address", "target_port"}
BOTH_WAYS = (
    "what the guest sends now leaves as this address, too: the target_address of Incus is for incoming packets; to "
    "have it as before, add outgoing=no"
)


def is_one(top: Node) -> bool:
    """Return whether the file has this shape: an object with listen_address, or a list of these."""
    return any(isinstance(node.value, dict) and "listen_address" in node.value for node in _forwards(top))


def _forwards(top: Node) -> list[Node]:
    return top.value if isinstance(top.value, list) else [top]


def items(top: Node) -> Iterator[Found | Remark]:
    """Yield what the file forwards, address by address."""
    for node in _forwards(top):
        try:
            yield from _of_address(node)
        except LeftOutError as error:
            yield left_out(error, "")


def _of_address(node: Node) -> Iterator[Found | Remark]:
    listening = node.need("listen_address").address()
    block = listening.text
    for key, value in unknown_keys(node, KNOWN):
        yield Remark(value.place, block, f"{excerpt(key)} is not a key of a network forward")
    description = node.get("description")
    if description:
        yield Remark(description.place, block, description.shown, is_loss=False)
    config, ports = node.get("config"), node.get("ports")
    for key, value in (config.mapping() if config else {}).items():
        if key == "target_address" and value.value:
            try:
                yield Found(value.place, block, "", listening, value.address())
                yield Remark(value.place, block, BOTH_WAYS, is_loss=False)
            except LeftOutError as error:
                yield left_out(error, block)
        elif key != "target_address":
            yield Remark(value.place, block, f"{excerpt(key)} has no counterpart", is_loss=not key.startswith("user."))
    for entry in ports.nodes() if ports else ():
        try:
            for key, value in unknown_keys(entry, KNOWN_OF_PORT):
                yield Remark(value.place, block, f"{excerpt(key)} is not a key of a port")
            to_ports, snat = entry.get("target_port"), entry.get("snat")
            yield Found(
                entry.place,
                block,
                "",
                listening,
                entry.need("target_address").address(),
                protocol_of(entry.need("protocol")),
                ports_of(entry.need("listen_port")),
                ports_of(to_ports) if to_ports else (),
                outgoing=snat is not None and str(snat.value).lower() == "true",
            )
        except LeftOutError as error:
            yield left_out(error, block)
