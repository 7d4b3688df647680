"""Findings of ``nethook doctor --probe``: what has become of real packets of an address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.doctor.finding import FAILURE, OK, WARNING, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nethook.tracing.session import Found, Session

STATION = "trace"
ONE_WAY = "the guest got packets, and has sent none from this address meanwhile"
IN_THE_GUEST = "look inside the guest: its firewall, the program at the port, its address and its default route"


def findings(session: Session, names: Sequence[str], not_sent: str = "") -> Iterator[Finding]:
    """Yield what the trace has found, for the lines with these names: each packet that was lost, and what got through.

    Packets of one kind with the same fate, such as connections that a client repeats, are one finding.
    One packet of the host itself to the guest was sent meanwhile, unless ``not_sent`` says why it was not.
    """
    alike: dict[tuple[object, ...], list[Found]] = {}
    for each in session.found:
        alike.setdefault((each.way.is_to, each.way.packet.kind, each.fate), []).append(each)
    for each, *others in alike.values():
        verdict = OK if each.fate.is_good else FAILURE
        rule = f": {each.fate.rule}" if each.fate.rule else ""
        more = f" (and {len(others)} more of this kind)" if others else ""
        text = f"{_packet(each)}{more} was {each.fate.text}{rule}"
        yield Finding(verdict, STATION, text, advice=each.fate.advice, addresses=names)
    if not any(each.way.is_to and each.way.stations[0].in_device for each in session.found):
        tried = f"and {not_sent}" if not_sent else "so only a packet of this host to the guest was tried"
        text = f"no packet from outside came meanwhile, {tried}"
        advice = "run it again, and ping the address from outside meanwhile"
        yield Finding(WARNING, STATION, text, advice=advice, addresses=names)
    if session.is_one_way:
        yield Finding(WARNING, STATION, ONE_WAY, advice=IN_THE_GUEST, addresses=names)


def _packet(found: Found) -> str:
    packet = found.way.packet
    return f"{packet.kind} {packet.from_end} → {packet.to_end}"
