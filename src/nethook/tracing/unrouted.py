"""Packets that the kernel's routing has dropped. It tells nobody why, so it is asked again for such a packet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.doctor.way_back import SAID_OF, is_refused_as_forged
from nethook.host.files import sysctl
from nethook.prefix import is_safe
from nethook.shell import word

if TYPE_CHECKING:
    from nethook.doctor.ip_answers import Answer
    from nethook.tracing.packet import Packet
    from nethook.tracing.reading import Reading
    from nethook.tracing.way import Station

FORWARDING = {4: "net/ipv4/conf/{}/forwarding", 6: "net/ipv6/conf/all/forwarding"}


def why_unrouted(station: Station, reading: Reading) -> tuple[str, str]:
    """Return why the packet of this station was not routed, '' if that is unknown, and what to look at."""
    packet, device = station.packet, reading.device(station.in_device)
    if packet.hops <= 1:
        return "its TTL has ended here", "a loop on its way, or traceroute"
    if not is_safe(device):
        return "", "see: ip route get"
    mark = f" mark {station.mark_behind:#x}" if station.mark_behind else ""
    question = f"{packet.destination} from {packet.source} iif {device}{mark}"
    see = f"see: ip route get {question}"
    answer = reading.route(packet.family, question)
    if answer.error and (why := _why_forged(packet, device, answer, reading)):
        return why, f"{see}; sysctl {word(f'net/ipv4/conf/{device}/rp_filter')}"
    setting = FORWARDING[packet.family].format(device)
    if sysctl(setting) == 0:
        return f"this host does not forward IPv{packet.family}", f"see: sysctl {setting}"
    if answer.error:
        return SAID_OF.get(answer.error, answer.error), see
    return _why_too_big(packet, answer, reading), f"{see}, which answers now: {answer.first.get('dev', 'no device')}"


def _why_forged(packet: Packet, device: str, answer: Answer, reading: Reading) -> str:
    back = reading.route(packet.family, packet.source)
    if not is_refused_as_forged(answer, packet.family, device, back):
        return ""
    way_back = back.first.get("dev", "no device")
    return f"dropped by the reverse path filter of {device}, as the way back to {packet.source} is {way_back}"


def _why_too_big(packet: Packet, answer: Answer, reading: Reading) -> str:
    out = str(answer.first.get("dev", ""))
    mtu = reading.mtu(out)
    is_too_big = mtu and packet.length > mtu and not packet.is_fragmentable
    return f"its {packet.length} bytes are more than the MTU of {out}, {mtu}" if is_too_big else ""
