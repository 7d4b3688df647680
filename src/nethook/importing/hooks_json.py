"""hooks.json of saschpe/libvirt-hook-qemu: ports by guest, as single ports, pairs and ranges.

The shape: https://github.com/saschpe/libvirt-hook-qemu, hooks.schema.json.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.config.listening import LAST_PORT
from nethook.importing.found import Found, Remark, checked_guest, checked_protocol, left_out, port_of, protocol_of
from nethook.importing.tree import LeftOutError, unknown_keys
from nethook.prefix import BITS, Prefix, parse_address, parse_prefix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.config.listening import Ports
    from nethook.importing.tree import Node

KNOWN = {"interface", "private_ip", "public_ip", "source_ip", "port_map", "port_range"}
NOT_LIMITED = (
    "source_ip now limits this range, too: libvirt-hook-qemu applied it to port_map only; to have it as before, remove "
    "from= in the line with the range"
)


def is_one(top: Node) -> bool:
    """Return whether the file has this shape: objects, or lists of objects, with private_ip."""
    nodes = list(top.value.values()) if isinstance(top.value, dict) else []
    return any(isinstance(part.value, dict) and "private_ip" in part.value for node in nodes for part in _parts(node))


def _parts(node: Node) -> list[Node]:
    return node.value if isinstance(node.value, list) else [node]


def items(top: Node) -> Iterator[Found | Remark]:
    """Yield what the file forwards, guest by guest."""
    for guest, node in top.mapping().items():
        for number, part in enumerate(_parts(node)):
            block = f"{guest} {number}"
            try:
                yield from _Part(checked_guest(guest, node.place), part, block).items()
            except LeftOutError as error:
                yield left_out(error, block)


class _Part:
    """One object: the ports of a guest at one address."""

    def __init__(self, guest: str, node: Node, block: str) -> None:
        self._node = node
        self._block = block
        self._guest = guest
        self._target = node.need("private_ip").address()
        public, interface, source = node.get("public_ip"), node.get("interface"), node.get("source_ip")
        self._listening = public.address() if public else None
        self._bridge = interface.text() if interface else ""
        self._sources = _sources(source) if source else ()

    def items(self) -> Iterator[Found | Remark]:
        for key, value in unknown_keys(self._node, KNOWN):
            yield Remark(value.place, self._block, f"{key} is not a key of hooks.json")
        port_map, ranges = self._node.get("port_map"), self._node.get("port_range")
        for protocol, node in (port_map.mapping() if port_map else {}).items():
            try:
                name = checked_protocol(protocol, node.place)
                entries = node.nodes()
            except LeftOutError as error:
                yield left_out(error, self._block)
                continue
            for entry in entries:
                yield from self._tried(entry, name)
        for entry in ranges.nodes() if ranges else ():
            yield from self._tried(entry, "")
            if self._sources:
                yield Remark(entry.place, self._block, NOT_LIMITED, is_loss=False)

    def _tried(self, entry: Node, protocol: str) -> Iterator[Found | Remark]:
        """Yield an entry of port_map, or of port_range if ``protocol`` is empty; or why it is left out."""
        try:
            if protocol:
                yield self._found(entry, protocol, *_pair(entry))
            else:
                yield self._found(entry, protocol_of(entry.need("protocol")), _range(entry))
        except LeftOutError as error:
            yield left_out(error, self._block)

    def _found(self, entry: Node, protocol: str, ports: Ports, to_ports: Ports = ()) -> Found:
        return Found(
            entry.place,
            self._block,
            self._guest,
            self._listening,
            self._target,
            protocol,
            ports,
            to_ports,
            sources=self._sources,
            bridge=self._bridge,
        )


def _pair(entry: Node) -> tuple[Ports, Ports]:
    """Return the ports of an entry of port_map: one for both, or two."""
    if not isinstance(entry.value, list):
        return port_of(entry), ()
    if len(entry.value) != 2:
        raise entry.left_out(f"this should be two ports, public and private, not {len(entry.value)}")
    return port_of(entry.value[0]), port_of(entry.value[1])


def _range(entry: Node) -> Ports:
    first, number = entry.need("init_port").number(), entry.need("ports_num").number()
    last = first + number - 1
    if not 0 < first <= last <= LAST_PORT:
        raise entry.left_out(f"{number} ports from {first} on are not a range of ports")
    return ((first, last),)


def _sources(node: Node) -> tuple[Prefix, ...]:
    """Return the sources as iptables -s takes them: a list, with bits behind a prefix length ignored."""
    found = []
    for text in node.text().split(","):
        address, slash, length = text.strip().partition("/")
        try:
            if slash:
                family, number = parse_address(address)
                bits = BITS[family] - int(length)
                found.append(Prefix(family, (number >> bits) << bits, int(length)))
            else:
                found.append(parse_prefix(address))
        except (ValueError, KeyError):
            raise node.left_out(f"source_ip {node.shown} is not a list of addresses and prefixes") from None
    return tuple(found)
