"""The choice of packets to trace, as rules of nftables. Pure."""

from __future__ import annotations

from struct import pack
from typing import TYPE_CHECKING, NamedTuple

from nethook.host.nft_expressions import (
    CT_DESTINATION,
    CT_DIRECTION,
    CT_PROTO_DESTINATION,
    CT_PROTO_SOURCE,
    CT_SOURCE,
    CT_STATUS,
    L4PROTO,
    NETWORK,
    NFPROTO,
    ORIGINAL,
    PROTOCOL,
    REPLY,
    TRANSPORT,
    UNEQUAL,
    compare,
    connection,
    has_bits,
    limit,
    meta,
    payload,
    trace,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nethook.host.nft_expressions import Expression

TCP, UDP = 6, 17
ICMP = {4: 1, 6: 58}
SOURCE, DESTINATION = {4: 12, 6: 8}, {4: 16, 6: 24}
"""Where in a network header the addresses are."""
LENGTHS = {4: 4, 6: 16}
NFPROTOS, ETHER_TYPES = {4: 2, 6: 10}, {4: 0x0800, 6: 0x86DD}
SOURCE_PORT, DESTINATION_PORT, TCP_FLAGS, SYN = 0, 2, 13, b"\x02"
NAT = pack("=I", 0x30)
"""IPS_SRC_NAT and IPS_DST_NAT, in the host's order: linux/netfilter/nf_conntrack_common.h."""
BEGINNINGS, LATER, OTHERS, ANSWERS = (20, 20), (5, 10), (10, 20), (10, 20)
"""The most packets of a rule: in a second, and at once. A packet makes some 20 messages on its way."""


class Choice(NamedTuple):
    """Packets to or from an address (``number`` of this ``family``: 4, 6), maybe of one port there, or with one peer.

    ``is_to``: to this address. ``protocols`` are numbers; () with a ``port`` stands for TCP and UDP. ``peer`` is the
    number of the other address, None for any.
    """

    family: int
    number: int
    is_to: bool
    port: int = 0
    protocols: tuple[int, ...] = ()
    peer: int | None = None

    @property
    def ends(self) -> list[tuple[bool, bytes]]:
        """The addresses as packets have them, each with True if packets are to it."""
        numbers = [(self.is_to, self.number), *([] if self.peer is None else [(not self.is_to, self.peer)])]
        return [(is_to, number.to_bytes(LENGTHS[self.family], "big")) for is_to, number in numbers]

    @property
    def with_port(self) -> tuple[int, ...]:
        """The protocols whose port is asked for."""
        return (self.protocols or (TCP, UDP)) if self.port else ()


def chosen_at_hook(choices: Sequence[Choice], *, is_bridge: bool) -> Iterator[list[Expression]]:
    """Yield the rules that choose packets by their headers. Beginnings of TCP connections come first."""
    for choice in choices:
        head = _address(choice, is_bridge=is_bridge)
        for of_kind, limits in _kinds(choice):
            yield [*head, meta(L4PROTO), *of_kind, limit(*limits), *trace()]


def _kinds(choice: Choice) -> Iterator[tuple[list[Expression], tuple[int, int]]]:
    """Yield the kinds of packets that have a limit each: expressions, when the protocol is loaded, and the limit.

    So a flood of one kind does not hide a ping, or a new connection.
    """
    port = _port(choice)
    if TCP in (choice.with_port or (TCP,)):
        is_tcp = compare(bytes([TCP]))
        yield [is_tcp, *port, payload(TRANSPORT, TCP_FLAGS, 1), *has_bits(SYN)], BEGINNINGS
        yield [is_tcp, *port], LATER
    if choice.port and UDP in choice.with_port:
        yield [compare(bytes([UDP])), *port], OTHERS
    elif not choice.port:
        icmp = bytes([ICMP[choice.family]])
        yield [compare(icmp)], OTHERS
        yield [compare(icmp, UNEQUAL), compare(bytes([TCP]), UNEQUAL)], OTHERS


def _address(choice: Choice, *, is_bridge: bool) -> list[Expression]:
    family = choice.family
    if is_bridge:
        of_family = [meta(PROTOCOL), compare(pack(">H", ETHER_TYPES[family]))]
    else:
        of_family = [meta(NFPROTO), compare(bytes([NFPROTOS[family]]))]
    for is_to, address in choice.ends:
        offset = (DESTINATION if is_to else SOURCE)[family]
        of_family += [payload(NETWORK, offset, LENGTHS[family]), compare(address)]
    return of_family


def _port(choice: Choice) -> list[Expression]:
    if not choice.port:
        return []
    offset = DESTINATION_PORT if choice.is_to else SOURCE_PORT
    return [payload(TRANSPORT, offset, 2), compare(pack(">H", choice.port))]


def chosen_by_connection(choices: Sequence[Choice]) -> Iterator[list[Expression]]:
    """Yield the rules that choose answers in connections that began at an address, or led there, before NAT.

    Such an answer comes with another address, and gets that of the connection after all chains.
    """
    for choice in choices:
        port_key = CT_PROTO_SOURCE if choice.is_to else CT_PROTO_DESTINATION
        of_ends = []
        for is_to, address in choice.ends:  # the direction of the original packets is the other one
            key = (CT_SOURCE if is_to else CT_DESTINATION)[choice.family]
            of_ends += [connection(key, ORIGINAL), compare(address)]
        of_port = (
            [connection(port_key, ORIGINAL), compare(pack(">H", choice.port)), meta(L4PROTO)] if choice.port else []
        )
        for protocol in choice.with_port or (0,):
            yield [
                meta(NFPROTO),
                compare(bytes([NFPROTOS[choice.family]])),
                connection(CT_DIRECTION),
                compare(bytes([REPLY])),
                connection(CT_STATUS),
                *has_bits(NAT),
                *of_ends,
                *([*of_port, compare(bytes([protocol]))] if protocol else []),
                limit(*ANSWERS),
                *trace(),
            ]
