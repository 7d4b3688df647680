"""Programs that the kernel runs on each message for a socket, to drop what nobody here needs: classic BPF.

A message that is dropped in the kernel wakes nobody and costs us nothing. https://docs.kernel.org/networking/filter.html
"""

from __future__ import annotations

import sys
from array import array
from socket import SOL_SOCKET
from struct import pack
from typing import TYPE_CHECKING

from nethook.host.netlink import attribute

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from socket import socket

ATTACH = 26
"""SO_ATTACH_FILTER: asm/socket.h."""
LOAD_BYTE, LOAD_WORD, LOAD_LENGTH = 0x30, 0x20, 0x80
SET, SET_X, MOVE_TO_X = 0x00, 0x01, 0x07
SHIFT_LEFT, OR_X = 0x64, 0x4C
IF_EQUAL, IF_EQUAL_X, IF_AT_LEAST = 0x15, 0x1D, 0x35
RETURN = 0x06
"""Codes of instructions: linux/bpf_common.h."""
FIND_ATTRIBUTE = 0xFFFFF000 + 12
"""SKF_AD_OFF and SKF_AD_NLATTR: where the first attribute with the number in X is, from A on; 0 without one."""
LITTLE = sys.byteorder == "little"
LOW, HIGH = (0, 1) if LITTLE else (1, 0)
"""Where in a number of two bytes these bytes are: the header of a message is in the host's order."""
TYPE, BODY = 4, 16
"""Where in a message are its type, and what follows the header: linux/netlink.h."""
PASS, DROP = "pass", "drop"

NEW_ELEMENT, DELETED_ELEMENT, NEW_GENERATION = 12, 14, 15
"""Messages of nftables: linux/netfilter/nf_tables.h."""
NEW_ROUTE, DELETED_ROUTE, NEW_NEIGHBOUR, DELETED_NEIGHBOUR = 24, 25, 28, 29
"""Messages of the routing part: linux/rtnetlink.h."""
ROUTE_PROTOCOL, ROUTING_BODY, NEIGHBOUR_PROTOCOL = 21, 12, 12
ROUTING_DAEMONS = ((8, 16), (18, 19), (42, 43), (80, 81), (84, 85), (99, 100), (186, 199))
"""Ranges of route protocols of programs that may change a million routes: BIRD, FRR, Calico … linux/rtnetlink.h."""

Step = tuple[int, int, str, str]
"""An instruction: its code, its number, and the labels where it goes on if a condition is true and if not."""


def attach(listener: socket, program: Sequence[bytes]) -> None:
    """Have the kernel run this program on each message for the socket. OSError if it refuses."""
    code = array("B", b"".join(program))
    listener.setsockopt(SOL_SOCKET, ATTACH, pack("HL", len(program), code.buffer_info()[0]))


def of_nftables(table: str) -> list[bytes]:
    """Return the program that drops single changes of elements in tables of other names, and ends of transactions.

    A transaction of others may fill one message with many changes. Those are not looked through here, so they pass.
    """
    name = attribute(1, table.encode() + b"\0")
    words = [int.from_bytes(name[at : at + 4], "big") for at in range(0, len(name), 4)]
    lines: list[tuple[str, Step]] = [
        ("", (LOAD_BYTE, TYPE + LOW, "", "")),
        ("", (IF_EQUAL, NEW_ELEMENT, "single", "")),
        ("", (IF_EQUAL, DELETED_ELEMENT, "single", "")),
        ("", (IF_EQUAL, NEW_GENERATION, "single", PASS)),
        ("single", (LOAD_BYTE, HIGH if LITTLE else 2, "", "")),
        ("", (SHIFT_LEFT, 8, "", "")),
        ("", (MOVE_TO_X, 0, "", "")),
        ("", (LOAD_BYTE, LOW if LITTLE else 3, "", "")),
        ("", (OR_X, 0, "", "")),
        ("", (MOVE_TO_X, 0, "", "")),
        ("", (LOAD_LENGTH, 0, "", "")),
        ("", (IF_EQUAL_X, 0, "", PASS)),
        ("", (LOAD_BYTE, TYPE + LOW, "", "")),
        ("", (IF_EQUAL, NEW_GENERATION, DROP, "")),
    ]
    for number, word in enumerate(words):
        lines.append(("", (LOAD_WORD, BODY + 4 + 4 * number, "", "")))
        lines.append(("", (IF_EQUAL, word, "", DROP)))
    return assembled(lines)


def of_routes() -> list[bytes]:
    """Return the program that drops routes of routing daemons, and neighbour entries without a protocol number."""
    lines: list[tuple[str, Step]] = [
        ("", (LOAD_BYTE, TYPE + LOW, "", "")),
        ("", (IF_EQUAL, NEW_ROUTE, "route", "")),
        ("", (IF_EQUAL, DELETED_ROUTE, "route", "")),
        ("", (IF_EQUAL, NEW_NEIGHBOUR, "neighbour", "")),
        ("", (IF_EQUAL, DELETED_NEIGHBOUR, "neighbour", PASS)),
        ("neighbour", (SET_X, NEIGHBOUR_PROTOCOL, "", "")),
        ("", (SET, BODY + ROUTING_BODY, "", "")),
        ("", (LOAD_WORD, FIND_ATTRIBUTE, "", "")),
        ("", (IF_EQUAL, 0, DROP, PASS)),
        ("route", (LOAD_BYTE, ROUTE_PROTOCOL, "", "")),
    ]
    for first, end in ROUTING_DAEMONS:
        lines.append(("", (IF_AT_LEAST, first, "", PASS)))
        lines.append(("", (IF_AT_LEAST, end, "", DROP)))
    return assembled(lines)


def assembled(lines: Iterable[tuple[str, Step]]) -> list[bytes]:
    """Return the instructions; each line is a label ('' without one) and a step. What comes to the end passes."""
    steps = [*lines, (PASS, (RETURN, 0xFFFFFFFF, "", "")), (DROP, (RETURN, 0, "", ""))]
    labels = {label: at for at, (label, _) in enumerate(steps) if label}

    def jump(at: int, label: str) -> int:
        return labels[label] - at - 1 if label else 0

    return [
        pack("HBBI", code, jump(at, if_true), jump(at, if_not), number)
        for at, (_, (code, number, if_true, if_not)) in enumerate(steps)
    ]
