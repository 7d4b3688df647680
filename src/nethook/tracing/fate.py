"""The fate of a packet, by the last that the kernel told of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from nethook.host.trace_messages import DROP, QUEUE
from nethook.host.tracing import BRIDGE, END
from nethook.prefix import is_safe
from nethook.tracing.owners import ADMINISTRATOR, owner
from nethook.tracing.unrouted import why_unrouted

if TYPE_CHECKING:
    from nethook.tracing.packet import Packet
    from nethook.tracing.reading import Reading
    from nethook.tracing.way import Station, Way

PASSED, DROPPED, REJECTED, QUEUED = "passed", "dropped", "rejected", "queued"
LOST, UNANSWERED, ASTRAY = "lost", "unanswered", "astray"
"""No rule has dropped it; nobody has its address; it went, but not to where it should."""
QUOTED = re.compile(r'"[^"]*"')
"""In a rule: names, and comments, which may say anything."""
SILENT = frozenset({"FAILED", "INCOMPLETE"})
"""States of the neighbour entry of somebody who has not answered."""
MOST_REMEMBERED = 10_000
IN_PLACE = "does the guest run, is its NIC in the bridge (bridge link), and has it"
NO_RULE = "no rule of nftables has dropped it"
ON_THE_BRIDGE = "see: bridge link; bridge fdb show; does the guest send to the MAC address of the bridge?"


class Expected(NamedTuple):
    """The right fate of packets: to the guest they leave by this ``bridge``; '' if that is unknown.

    ``is_rewritten``: NAT changes their addresses, as it does for forwarded ports.
    """

    bridge: str
    is_rewritten: bool


class Fate(NamedTuple):
    """The fate of a packet: its kind, a sentence, the text of the rule that has decided, and what to look at.

    The last two are '' if there is no such thing.
    """

    kind: str
    text: str
    rule: str = ""
    advice: str = ""

    @property
    def is_good(self) -> bool:
        """Return whether the packet got where it should."""
        return self.kind == PASSED


def whose(station: Station, reading: Reading) -> tuple[str, str]:
    """Return who has made the rule, or the chain, that has decided at this station, and the text of the rule."""
    met = station.deciding
    text = reading.rule(station, met) if met else ""
    return owner(station.family, station.table, station.path, text), text


def is_reject(rule: str) -> bool:
    """Return whether this rule, which stops packets, answers them."""
    return not {"reject", "REJECT"}.isdisjoint(QUOTED.sub("", rule).split())


class Fates:
    """Tells fates; ``expected`` is what should become of the packets."""

    def __init__(self, reading: Reading, expected: Expected) -> None:
        self._reading = reading
        self._expected = expected
        self._came: dict[tuple[object, ...], str] = {}

    def of(self, way: Way) -> Fate:
        """Return what has become of the packet of this way."""
        found = self._of(way)
        if way.is_to:
            self._remember(way)
        return self._compared(way, found) if found.is_good and not way.is_to else found

    def _remember(self, way: Way) -> None:
        """Remember by which device a packet to the guest came to the router."""
        packet = way.packet
        came = next((station.in_device for station in way.stations if station.family != BRIDGE), 0)
        if came and len(self._came) < MOST_REMEMBERED:
            ends = packet.destination, packet.destination_port, packet.source, packet.source_port, packet.protocol
            self._came[ends] = self._reading.device(came)

    def _compared(self, way: Way, found: Fate) -> Fate:
        """Return the fate of an answer, with advice if it has left by another device than what it answers came by."""
        station = way.passed("postrouting", END)
        if not station:
            return found
        packet, device = station.packet, self._reading.device(station.out_device)
        ends = packet.source, packet.source_port, packet.destination, packet.destination_port, packet.protocol
        came = self._came.get(ends, device)
        if came == device:
            return found
        advice = f"what it answers came in by {came}: many providers drop answers that leave by {device}"
        return found._replace(advice=advice)

    def _of(self, way: Way) -> Fate:
        if way.stopped:
            return self._stopped(way.stopped)._replace(advice=self._by_another_bridge(way, way.stopped))
        on_bridge = [station for station in way.stations if station.family == BRIDGE and station.out_device]
        if on_bridge:
            return self._on_bridge(way, on_bridge[-1])
        return self._behind_routing(way) or self._before_routing(way)

    def _where(self, station: Station) -> str:
        """Return the chain of this station, whose it is, and its hook, for a sentence."""
        by, _ = whose(station, self._reading)
        by = "an administrator" if by == ADMINISTRATOR else by
        chain = self._reading.chain(station)
        at = f", at the hook {chain.hook}" if chain else ""
        return f"chain {station.family} {station.table} {' → '.join(station.path)}, of {by}{at}"

    def _stopped(self, station: Station) -> Fate:
        _, rule = whose(station, self._reading)
        where = self._where(station)
        if station.by_policy:
            return Fate(DROPPED, f"dropped by the policy of {where}")
        if station.verdict == QUEUE:
            return Fate(QUEUED, f"handed to a program, which decides, by {where}", rule)
        if is_reject(rule):
            return Fate(REJECTED, f"rejected by a rule in {where}", rule)
        what = "dropped" if station.verdict == DROP else "taken away"
        return Fate(DROPPED, f"{what} by a rule in {where}", rule)

    def _by_another_bridge(self, way: Way, station: Station) -> str:
        """Return advice about a guest's packet that came by a bridge to which its address is not routed; else ''."""
        expected = self._expected.bridge
        came = self._reading.bridges().get(station.in_device, "")
        if way.is_to or self._expected.is_rewritten or not (expected and came) or came == expected:
            return ""
        source = way.packet.source
        return (
            f"it came by {came}, but {source} is routed to {expected}: correct the default route in the guest; "
            f"nethook guest-config {source} prints it"
        )

    def _on_bridge(self, way: Way, last: Station) -> Fate:
        """Return the fate of a packet that was seen on its way out by a bridge, ``last`` there."""
        port = self._reading.device(last.out_device)
        router = way.passed("postrouting")
        if not way.passed("postrouting", END, bridge=True):
            return Fate(LOST, f"lost on the bridge, on its way to {port}: {NO_RULE}", advice=ON_THE_BRIDGE)
        if not router or way.passed("forward", bridge=True):
            return Fate(PASSED, f"bridged to the port {port}: it stays on its bridge, and is not routed")
        bridge = self._reading.device(router.out_device)
        return self._sent(way, bridge, f"sent by {bridge} to the port {port}", router.packet)

    def _behind_routing(self, way: Way) -> Fate | None:
        """Return the fate of a packet that was seen behind routing; None if it was not."""
        for hook, following in (("postrouting", ""), ("forward", "postrouting"), ("output", "postrouting")):
            if way.passed(hook):
                if not way.passed(hook, END):
                    return self._vanished(hook)
                if not following:
                    return self._left(way)
                return Fate(LOST, f"lost between the hooks {hook} and {following}: {NO_RULE}")
        if way.passed("input"):
            return self._to_host(way) if way.passed("input", END) else self._vanished("input")
        return None

    def _before_routing(self, way: Way) -> Fate:
        station = way.passed("prerouting")
        if not station:
            port = self._reading.device(way.stations[0].in_device)
            what = f"lost on the bridge: it came in by {port}, and went neither to this host nor to another port"
            return Fate(LOST, what, advice=ON_THE_BRIDGE)
        if not way.passed("prerouting", END):
            return self._vanished("prerouting")
        why, advice = why_unrouted(station, self._reading)
        text = "lost in routing: seen in prerouting, never in forward or input"
        return Fate(LOST, f"{text}: {why}" if why else text, advice=advice)

    def _left(self, way: Way) -> Fate:
        """Return the fate of a packet that has passed all hooks of the router."""
        station = way.passed("postrouting", END) or way.stations[-1]
        device, packet = self._reading.device(station.out_device), station.packet
        sent = self._sent(way, device, f"sent by {device}", packet)
        if not sent.is_good or station.out_device not in self._reading.bridges() or not is_safe(device):
            return sent
        answer = self._reading.route(packet.family, f"{packet.destination} oif {device}")
        hop = str(answer.first.get("gateway", packet.destination))
        if self._reading.neighbour(packet.family, hop, device) not in SILENT:
            return sent
        text = f"not delivered: nobody on {device} answers {'ARP' if packet.family == 4 else 'NDP'} for {hop}"
        return Fate(UNANSWERED, text, advice=f"{IN_PLACE} {hop}? nethook doctor looks")

    def _sent(self, way: Way, device: str, text: str, packet: Packet) -> Fate:
        """Return PASSED, or ASTRAY if the packet goes to another device or with another address than it should."""
        was, bridge = way.packet, self._expected.bridge
        before, after = (was.destination, packet.destination) if way.is_to else (was.source, packet.source)
        if before != after and not self._expected.is_rewritten:
            what = f"{text}, but {'to' if way.is_to else 'as'} {after}: NAT has rewritten {before}"
            station = way.rewriter()
            if not station:
                return Fate(ASTRAY, what)
            return Fate(ASTRAY, f"{what} in {self._where(station)}", whose(station, self._reading)[1])
        if way.is_to and bridge and device != bridge:
            advice = f"nethook doctor {was.destination} looks for the cause"
            return Fate(ASTRAY, f"{text}, and not by {bridge}, where the guest is", advice=advice)
        return Fate(PASSED, text)

    @staticmethod
    def _to_host(way: Way) -> Fate:
        packet = (way.passed("input") or way.stations[-1]).packet
        if not way.is_to:
            return Fate(PASSED, f"delivered to this host itself, at {packet.destination}")
        text = f"delivered to this host itself, as if {packet.destination} were its own"
        return Fate(ASTRAY, text, advice=f"see: ip route get {packet.destination}")

    def _vanished(self, hook: str) -> Fate:
        legacy = self._reading.legacy_tables()
        text = f"lost within the hook {hook}: {NO_RULE}"
        if legacy:
            what = f"{text}, but there are rules of {' and '.join(legacy)}, which are not traced"
            return Fate(LOST, what, advice="nethook doctor examines those, too")
        advice = "the table of connections may be full (dmesg says so), or a module of the kernel has dropped it"
        return Fate(LOST, text, advice=advice)
