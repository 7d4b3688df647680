"""The station of the guest: whether it answers for an address, when asked on its bridge with ARP or NDP.

The kernel's own neighbour entries are not changed, and not believed: they may be minutes old.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from typing import TYPE_CHECKING, Any

from nethook.doctor.finding import FAILURE, OK, WARNING, Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from nethook.doctor.facts import Facts, Target

    Answers = dict[str, set[str]]
    """The MAC addresses that answer, by address."""

ANSWERS = "guest"
SECONDS = 1.2
ASKED = (0.0, 0.4, 0.8)
"""The times of the questions, in seconds. There are several, because a guest may miss one."""
ETH_P_ARP, REQUEST, REPLY = 0x0806, 1, 2
ARP = struct.Struct("!HHBBH6s4s6s4s")
SOLICITATION, ADVERTISEMENT = 135, 136
SOURCE_LINK_LAYER, TARGET_LINK_LAYER = 1, 2
ICMP6_FILTER = 1
HOPS = 255
PERMANENT = "PERMANENT"


def answering(facts: Facts, targets: Iterable[Target]) -> Iterator[Finding]:
    """Yield, for each target with a link address, whether exactly one guest answers for it now."""
    groups: dict[tuple[str, int], list[Target]] = {}
    for target in targets:
        groups.setdefault((target.bridge, target.family), []).append(target)
    for (bridge, family), members in groups.items():
        if not facts.ports(bridge):
            continue
        exact = [target for target in members if target.link_address]
        if not exact:
            continue
        (entries,) = facts.ask(family, [f"neigh show dev {bridge}"])
        fixed = {
            entry["dst"]: entry.get("lladdr", "")
            for entry in entries.listed
            if PERMANENT in entry.get("state", ()) and "lladdr" in entry
        }
        addresses = [target.link_address for target in exact]
        try:
            answers = (_arp if family == 4 else _ndp)(bridge, addresses, _own(facts, bridge, exact))
        except OSError as error:
            yield Finding(WARNING, ANSWERS, f"guests on {bridge} cannot be asked: {error.strerror}")
            continue
        for target in exact:
            yield _finding(target, answers.get(target.link_address, set()), fixed)


def _finding(target: Target, macs: set[str], fixed: Mapping[str, str]) -> Finding:
    address, bridge = target.link_address, target.bridge
    how = "ARP" if target.family == 4 else "NDP"
    if not macs:
        whole = "" if target.line.via else f"; `nethook guest-config {address}` prints the whole configuration"
        length = 32 if target.family == 4 else 128
        return Finding(
            FAILURE,
            ANSWERS,
            f"no guest on {bridge} answers {how} for {address}",
            advice=f"run in the guest: ip address add {address}/{length} dev NIC{whole}",
            addresses=[target.name],
        )
    if address in fixed and fixed[address] not in macs:
        return Finding(
            FAILURE,
            ANSWERS,
            f"the host's permanent neighbour entry for {address} has {fixed[address]}, but {min(macs)} answers",
            command=f"ip neigh del {address} dev {bridge}",
            addresses=[target.name],
        )
    if len(macs) > 1:
        text = f"several guests answer {how} for {address}: {', '.join(sorted(macs))}"
        return Finding(WARNING, ANSWERS, text, advice="give it to one of them", addresses=[target.name])
    return Finding(OK, ANSWERS, f"{min(macs)} answers {how}", addresses=[target.name])


def _own(facts: Facts, bridge: str, targets: list[Target]) -> str:
    """Return the address from which the host itself would ask."""
    held = [own.address for own in facts.own_addresses if own.device == bridge and own.address.family == 4]
    if held:
        return held[0].text
    (way,) = facts.ask(targets[0].family, [f"route get {targets[0].link_address}"])
    return str(way.first.get("prefsrc", "0.0.0.0"))  # noqa: S104 # stands for no sender


def _arp(bridge: str, addresses: list[str], sender: str) -> Answers:
    """Ask with ARP (RFC 826)."""
    mac = _mac(bridge)
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ARP)) as line:
        line.bind((bridge, ETH_P_ARP))

        def send(address: str) -> None:
            question = ARP.pack(
                1, 0x0800, 6, 4, REQUEST, mac, socket.inet_aton(sender), bytes(6), socket.inet_aton(address)
            )
            line.sendto(question, (bridge, ETH_P_ARP, 0, 0, b"\xff" * 6))

        def understand(data: bytes) -> tuple[str, bytes] | None:
            if len(data) < ARP.size:
                return None
            *_, operation, theirs, of, _, _ = ARP.unpack_from(data)
            return (socket.inet_ntoa(of), theirs) if operation == REPLY else None

        return _collect(line, addresses, send, understand)


def _ndp(bridge: str, addresses: list[str], sender: str) -> Answers:
    """Ask with neighbour solicitations (RFC 4861); the kernel chooses the sender's address and the checksum."""
    del sender
    mac = _mac(bridge)
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, bridge.encode() + b"\0")
        for option in (socket.IPV6_MULTICAST_HOPS, socket.IPV6_UNICAST_HOPS):
            line.setsockopt(socket.IPPROTO_IPV6, option, HOPS)
        wanted = [0xFFFFFFFF] * 8
        wanted[ADVERTISEMENT >> 5] &= ~(1 << (ADVERTISEMENT & 31))
        line.setsockopt(socket.IPPROTO_ICMPV6, ICMP6_FILTER, struct.pack("=8I", *wanted))
        index = socket.if_nametoindex(bridge)

        def send(address: str) -> None:
            packed = socket.inet_pton(socket.AF_INET6, address)
            option = bytes([SOURCE_LINK_LAYER, 1]) + mac
            group = socket.inet_ntop(socket.AF_INET6, bytes.fromhex("ff0200000000000000000001ff") + packed[-3:])
            line.sendto(bytes([SOLICITATION, 0, 0, 0, 0, 0, 0, 0]) + packed + option, (group, 0, 0, index))

        def understand(data: bytes) -> tuple[str, bytes] | None:
            if len(data) < 24 or data[0] != ADVERTISEMENT:
                return None
            theirs = data[26:32] if len(data) >= 32 and data[24] == TARGET_LINK_LAYER else b""
            return socket.inet_ntop(socket.AF_INET6, data[8:24]), theirs

        return _collect(line, addresses, send, understand)


def _collect(line: socket.socket, addresses: list[str], send: Any, understand: Any) -> Answers:
    """Ask for each address until all are answered or time is up, and wait a little longer for second answers."""
    answers: Answers = {}
    started = time.monotonic()
    times = list(ASKED)
    end = started + SECONDS
    while True:
        now = time.monotonic()
        if times and now >= started + times[0]:
            times.pop(0)
            for address in addresses:
                if address not in answers:
                    send(address)
        if all(address in answers for address in addresses):
            end = min(end, now + 0.1)
            addresses = []
        if now >= end:
            return answers
        until = min(end, started + times[0]) if times else end
        if select.select([line], [], [], max(0.0, until - time.monotonic()))[0]:
            heard = understand(line.recv(2048))
            if heard:
                address, mac = heard
                answers.setdefault(address, set()).add(mac.hex(":") or "a guest")


def _mac(bridge: str) -> bytes:
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as line:
        line.bind((bridge, 0))
        address: bytes = line.getsockname()[4]
        return address
