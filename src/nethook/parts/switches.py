"""Settings of devices that our other parts need: switched on where they are needed, and back where they were not.

- ``ipv6`` of bridges: libvirt turns IPv6 off for networks without an IPv6 ``<ip>``, and then no IPv6 route can lead
  there. It is turned on in such a way that no address of the host appears on the bridge but the gateway.
- ``no_linklocal_learn`` of bridges: without it, a guest can receive the frames to another guest's MAC. A bridge takes
  frames to 01:80:c2:00:00:00 … 0f for itself (IEEE 802.1D, table 7-10). They pass no chain of ours, but the kernel
  learns the MAC of their sender all the same: net/bridge/br_input.c, __br_handle_local_finish.
- ``proxy_ndp`` of uplinks: without it, the kernel does not look at its proxy entries for IPv6. For questions that a
  router sends to the address itself, which it does to see whether its neighbour is still there, it looks at ``all``
  alone (net/ipv6/ip6_output.c, ip6_forward; net/ipv6/ndisc.c, ndisc_recv_ns). Without that, the router gives up its
  entry each time, and packets wait up to a second. With it, entries of all devices count. So it stays off where
  somebody has entries on a device for which the setting is off.

The kernel cannot tell what was there before us. So that is recorded in ``/run/nethook``: of bridges with the number of
the device, because the bridge of a network that starts anew has another one.

https://docs.kernel.org/networking/ip-sysctl.html
"""

from __future__ import annotations

from nethook.changes import ADD, REMOVE, SWITCH, SWITCH_OFF, Effect, Step, StepPiece
from nethook.errors import ReadError
from nethook.host.layout import set_name
from nethook.host.process import Call
from nethook.parts.binding import not_kept
from nethook.parts.classifying import CLASSIFYING
from nethook.parts.neighbours import PROXIES
from nethook.parts.part import OUR_TABLE, Part
from nethook.placement import Lack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from typing import TypeVar

    from nethook.changes import Piece
    from nethook.config.text import Entry
    from nethook.engine.case import Case
    from nethook.engine.snapshot import Question
    from nethook.host import Host
    from nethook.placement import Placement
    from nethook.placement.forwarded import Forwarding

    Recorded = TypeVar("Recorded")
    Values = dict[str, str]
    """Settings of a device, by name."""

IPV6_FILE = "/run/nethook/ipv6"
DISABLED, ADDRESSES, ADVERTISEMENTS = "disable_ipv6", "addr_gen_mode", "accept_ra"
NO_ADDRESSES = "1"
"""The kernel's IN6_ADDR_GEN_MODE_NONE."""
NO_LEARNING = "no_linklocal_learn"
NO_LEARNING_FILE = f"/run/nethook/{NO_LEARNING}"
"""Each bridge on which we have switched it on, and the number of this device, a line each."""
PROXY_NDP = "proxy_ndp"
PROXY_NDP_FILE = f"/run/nethook/{PROXY_NDP}"
"""The uplinks on which we have turned it on, a line each."""
ALL = "all"
"""The kernel's word for all devices together."""


def _recorded(read: Callable[[Host], Recorded], host: Host) -> Recorded:
    """Return what ``read`` finds; ReadError if that cannot be read."""
    try:
        return read(host)
    except OSError as error:
        raise ReadError(f"cannot read {error.filename}: {error.strerror}") from None


def path(device: str, name: str) -> str:
    """Return the file of this IPv6 setting of a device."""
    return f"/proc/sys/net/ipv6/conf/{device}/{name}"


def _value(host: Host, device: str, name: str) -> str:
    """Return the value of a setting; '' if there is no such device. ReadError if it cannot be read."""
    file = path(device, name)
    try:
        return (host.read(file) or "").strip()
    except OSError as error:
        raise ReadError(f"cannot read {file}: {error.strerror}") from None


def ipv6_values(*, has_gateway: bool) -> Values:
    """Return the settings that turn IPv6 on.

    Without a gateway of ours, the kernel gives the bridge an address: it needs one for NDP.
    """
    values = {ADVERTISEMENTS: "0"}
    if has_gateway:
        values[ADDRESSES] = NO_ADDRESSES
    return {**values, DISABLED: "0"}


def is_ipv6_off(host: Host, bridge: str) -> bool:
    """Return whether the bridge has no IPv6, where the kernel has; False where there is no such bridge. ReadError."""
    return _value(host, bridge, DISABLED) == "1"


def ipv6_turned_on(host: Host) -> dict[str, Values]:
    """Return the bridges on which we have turned IPv6 on, with the settings that turn it off again. OSError."""
    found: dict[str, Values] = {}
    for bridge, (number, addresses, advertisements) in _ipv6_record(host).items():
        if number == str(host.number_of(bridge)):
            found[bridge] = {DISABLED: "1", ADDRESSES: addresses, ADVERTISEMENTS: advertisements}
    return found


def turn_ipv6_on(host: Host, bridge: str, values: Values) -> None:
    """Write these values, and record what was there before; OSError if that fails.

    Where it has been turned on before, for the same device, what is there now is ours, so the record stays.
    """
    record, number = _ipv6_record(host), str(host.number_of(bridge))
    if bridge not in record or record[bridge][0] != number:
        record[bridge] = [
            number,
            *((host.read(path(bridge, name)) or "").strip() for name in (ADDRESSES, ADVERTISEMENTS)),
        ]
        _write_ipv6_record(host, record)
    _write(host, bridge, values)


def turn_ipv6_off(host: Host, bridge: str, values: Values) -> None:
    """Write these values, and forget the bridge; OSError if that fails."""
    _write(host, bridge, values)
    record = _ipv6_record(host)
    record.pop(bridge, None)
    _write_ipv6_record(host, record)


def _write(host: Host, bridge: str, values: Values) -> None:
    for name, value in values.items():
        host.write(path(bridge, name), value)


def _ipv6_record(host: Host) -> dict[str, list[str]]:
    lines = [line.split() for line in host.recorded(IPV6_FILE).splitlines()]
    return {line[0]: line[1:] for line in lines if len(line) == 4}


def _write_ipv6_record(host: Host, record: dict[str, list[str]]) -> None:
    host.record(IPV6_FILE, "".join(f"{bridge} {' '.join(fields)}\n" for bridge, fields in record.items()))


def no_learning_switched_on(host: Host) -> set[str]:
    """Return the bridges on which we have switched no_linklocal_learn on; OSError if the record cannot be read."""
    return {bridge for bridge, number in _no_learning_record(host).items() if str(host.number_of(bridge)) == number}


def no_learning_call(bridge: str, *, on: bool) -> Call:
    """Return the call that switches no_linklocal_learn on or off."""
    return Call(("ip", "link", "set", "dev", bridge, "type", "bridge", NO_LEARNING, str(int(on))))


def record_no_learning(host: Host, bridge: str, *, on: bool) -> None:
    """Record that we have switched no_linklocal_learn on, or that we have not; OSError if that fails."""
    record = _no_learning_record(host)
    if on:
        record[bridge] = str(host.number_of(bridge))
    else:
        record.pop(bridge, None)
    host.record(NO_LEARNING_FILE, "".join(f"{name} {number}\n" for name, number in record.items()))


def _no_learning_record(host: Host) -> dict[str, str]:
    lines = [line.split() for line in host.recorded(NO_LEARNING_FILE).splitlines()]
    return {line[0]: line[1] for line in lines if len(line) == 2}


def is_proxy_ndp_off(host: Host, uplink: str) -> bool:
    """Return whether it is off; False where there is no such uplink, which then will be said. ReadError."""
    return _value(host, uplink, PROXY_NDP) == "0"


def proxy_ndp_turned_on(host: Host) -> set[str]:
    """Return the uplinks on which we have turned proxy_ndp on; OSError if that is not known."""
    return set(host.recorded(PROXY_NDP_FILE).split())


def turn_proxy_ndp(host: Host, uplink: str, *, on: bool) -> None:
    """Turn proxy_ndp on or off, and record that; OSError if that fails."""
    uplinks = proxy_ndp_turned_on(host)
    file = path(uplink, PROXY_NDP)
    if on:  # first, so that what we turn on is never taken for somebody else's doing
        _record_proxy_ndp(host, uplinks | {uplink})
    if on or host.has_file(file):
        host.write(file, "1" if on else "0")
    if not on:
        _record_proxy_ndp(host, uplinks - {uplink})


def _record_proxy_ndp(host: Host, uplinks: set[str]) -> None:
    host.record(PROXY_NDP_FILE, "".join(f"{name}\n" for name in sorted(uplinks)))


class SwitchState:
    """Devices on which we have switched a setting (``ours``), and devices on which it is not as we may need it.

    The latter are ``off``. ``ours`` has the values that switch it back, where that takes more than one value.
    """

    __slots__ = ("off", "ours")

    def __init__(self, ours: Mapping[str, Values], off: Collection[str]) -> None:
        self.ours = ours
        self.off = off


class IPv6(Part, words={"ipv6": "IPv6 on {bridge}"}):
    """IPv6 on bridges of libvirt's networks."""

    name = "ipv6"

    def read(self, host: Host, question: Question) -> SwitchState:
        """Return where we have turned it on, and which bridges have it off by libvirt's doing."""
        off = {
            network.bridge
            for network in (question.networks if 6 in question.families else ())
            if network.is_libvirts_own
            and all(subnet.family == 4 for subnet in network.subnets)
            and is_ipv6_off(host, network.bridge)
        }
        return SwitchState(_recorded(ipv6_turned_on, host), off)

    def want(self, case: Case) -> dict[str, Values]:
        """Return the bridges that need IPv6, with what turns it on where it is off."""
        accepted = case.wanted(CLASSIFYING)
        needing = {bridge for single in (True, False) for bridge, _ in accepted[set_name("to", 6, single=single)]}
        values = ipv6_values(has_gateway=case.settings.gateway6 is not None)
        off = case.state(self).off
        return {
            network.bridge: values if network.bridge in off else {}
            for network in case.networks
            if network.bridge in needing and network.is_libvirts_own and case.scope.has(network.bridge)
        }

    def want_nothing(self) -> dict[str, Values]:
        """Return that no bridge needs it."""
        return {}

    def is_ours(self, case: Case, bridge: str) -> bool:
        """Return whether the bridge has IPv6 by our doing, or will have it."""
        return bridge in case.state(self).ours or bool(case.wanted(self).get(bridge))

    def compare(self, case: Case) -> dict[str, tuple[str, Values]]:
        """Return sign and values for each bridge on which it is turned off or on."""
        wanted, ours = case.wanted(self), case.state(self).ours
        off = {
            bridge: (REMOVE, values)
            for bridge, values in ours.items()
            if case.scope.has(bridge) and bridge not in wanted
        }
        return {**off, **{bridge: (ADD, values) for bridge, values in wanted.items() if values}}

    def pieces(self, case: Case) -> Iterator[Piece]:
        """Yield a step for each bridge."""
        for bridge, (sign, values) in case.delta(self).items():
            yield StepPiece(SWITCH if sign == ADD else SWITCH_OFF, IPv6Step(sign, bridge, values))


class IPv6Step(Step):
    """IPv6 turned on or off on a bridge. Done by writing files; ``call`` would do the same."""

    def __init__(self, sign: str, bridge: str, values: Values) -> None:
        """``values`` are written in their order."""
        self._bridge = bridge
        self._values = values
        self._write = turn_ipv6_on if sign == ADD else turn_ipv6_off
        lines = [f"net/ipv6/conf/{bridge}/{name} = {value}\n" for name, value in values.items()]
        super().__init__(Call(("sysctl", "-p", "-"), "".join(lines)), [Effect(sign, IPv6.name, bridge=bridge)])

    def take(self, host: Host) -> tuple[list[Effect], list[str]]:
        """Write them. It is no failure if the bridge has gone meanwhile."""
        try:
            self._write(host, self._bridge, self._values)
        except OSError as error:
            if not host.number_of(self._bridge):
                return [], []
            verb = "on" if self._values[DISABLED] == "0" else "off"
            what = f"{error.filename or IPV6_FILE}: {error.strerror}"
            return [], [f"cannot turn IPv6 {verb} on {self._bridge}: {what}"]
        return self.effects, []


class NoLearning(Part, words={NO_LEARNING: f"{NO_LEARNING} on {{bridge}}"}):
    """no_linklocal_learn on bridges where an address is bound to a guest."""

    name = NO_LEARNING

    def read(self, host: Host, question: Question) -> SwitchState:
        """Return where we have switched it on, and which bridges learn. Those are only looked at if a line is bound."""
        is_needed = any(line.guest for line in question.configuration.routed_ips)
        learning = {link.name for link in question.links if link.learns} if is_needed else set()
        return SwitchState({bridge: {} for bridge in _recorded(no_learning_switched_on, host)}, learning)

    def want(self, case: Case) -> set[str]:
        """Return the bridges that need it. It stays where routes stay: their lines may be bound."""
        bound = {line.network for line in case.lines if line.guest}
        ours = case.state(self).ours
        kept = {route.device for route in case.placements.kept if route.device in ours}
        return kept.union(network.bridge for network in case.networks if network.name in bound)

    def want_nothing(self) -> set[str]:
        """Return that no bridge needs it."""
        return set()

    def compare(self, case: Case) -> dict[str, str]:
        """Return the sign for each bridge on which it is switched."""
        wanted, state = case.wanted(self), case.state(self)
        off = {bridge: REMOVE for bridge in sorted(state.ours) if case.scope.has(bridge) and bridge not in wanted}
        needing = (network.bridge for network in case.networks)
        return {**off, **{bridge: ADD for bridge in needing if bridge in wanted and bridge in state.off}}

    def pieces(self, case: Case) -> Iterator[Piece]:
        """Yield a step for each bridge."""
        for bridge, sign in case.delta(self).items():
            yield StepPiece(SWITCH, LearningStep(sign, bridge))

    def lacks(self, case: Case, placement: Placement) -> Iterator[Lack]:
        """Yield that other guests can receive the packets to a bound address."""
        if placement.line.guest and case.delta(self).get(placement.bridge) == ADD:
            prefix, bridge = placement.line.prefix, placement.bridge
            text = f"other guests on {bridge} can receive the packets to {prefix}: its {NO_LEARNING} is off"
            yield Lack(OUR_TABLE, text, reason=not_kept(case, placement))


class LearningStep(Step):
    """The setting no_linklocal_learn of a bridge switched on or off."""

    def __init__(self, sign: str, bridge: str) -> None:
        """Switch it on where the sign is ADD, else off."""
        self._bridge = bridge
        self._on = sign == ADD
        super().__init__(no_learning_call(bridge, on=self._on), [Effect(sign, NO_LEARNING, bridge=bridge)])

    def take(self, host: Host) -> tuple[list[Effect], list[str]]:
        """Record it before it is on, and until it is off. It is no failure if the bridge has gone meanwhile."""
        try:
            if self._on:
                record_no_learning(host, self._bridge, on=True)
            done, failures = super().take(host)
            if failures and not host.number_of(self._bridge):
                done, failures = [], []
            if not self._on and not failures:
                record_no_learning(host, self._bridge, on=False)
        except OSError as error:
            what = f"{NO_LEARNING} of {self._bridge} in {NO_LEARNING_FILE}"
            return [], [f"cannot record {what}: {error.strerror}"]
        return done, failures


class ProxyNdp(Part, words={PROXY_NDP: f"{PROXY_NDP} on {{to}}"}):
    """proxy_ndp on uplinks with proxy entries of ours for IPv6."""

    name = PROXY_NDP

    def read(self, host: Host, question: Question) -> SwitchState:
        """Return where we have turned it on, and on which uplinks of lines it is off."""
        lines = (line for line in question.configuration.lines if line.prefix.family == 6)
        uplinks = _with_all({line.proxy for line in lines if line.proxy})
        off = {uplink for uplink in uplinks if is_proxy_ndp_off(host, uplink)}
        if ALL in off and any(is_proxy_ndp_off(host, device) for device in host.answering_devices() - uplinks):
            off.remove(ALL)
        return SwitchState({uplink: {} for uplink in _recorded(proxy_ndp_turned_on, host)}, off)

    def want(self, case: Case) -> set[str]:
        """Return the uplinks that need it."""
        return _with_all({key.uplink for key in case.wanted(PROXIES).keys if ":" in key.prefix})

    def want_nothing(self) -> set[str]:
        """Return that no uplink needs it."""
        return set()

    def compare(self, case: Case) -> dict[str, str]:
        """Return the sign for each uplink on which it is turned off or on."""
        state = case.state(self)
        answering = _with_all({key.uplink for key in case.afterwards(PROXIES) if ":" in key.prefix})
        off = {uplink: REMOVE for uplink in sorted(state.ours) if uplink not in answering}
        return {**off, **{uplink: ADD for uplink in sorted(case.wanted(self)) if uplink in state.off}}

    def pieces(self, case: Case) -> Iterator[Piece]:
        """Yield a step for each uplink."""
        for uplink, sign in case.delta(self).items():
            yield StepPiece(SWITCH, ProxyNdpStep(sign, uplink))

    def lacks(self, case: Case, placement: Placement) -> Iterator[Lack]:
        """Yield that the kernel does not look at its proxy entries, or not for every question."""
        return self._lacks(case, placement.line)

    def lacks_of_forward(self, case: Case, forwarding: Forwarding) -> Iterator[Lack]:
        """Yield the same for a line of forwarded-ports."""
        return self._lacks(case, forwarding.line)

    def _lacks(self, case: Case, line: Entry) -> Iterator[Lack]:
        uplink, off = line.proxy, case.delta(self)
        if not uplink or line.prefix.family == 4:
            return
        if off.get(uplink) == ADD:
            text = f"the kernel ignores our proxy entries on {uplink}: proxy_ndp is off"
            yield Lack("proxy", text, is_last=True)
        elif off.get(ALL) == ADD:
            text = f"the host does not answer routers on {uplink} that send their question to the address itself"
            yield Lack("proxy", f"{text}: proxy_ndp is off in net.ipv6.conf.all", is_last=True)


def _with_all(uplinks: set[str]) -> set[str]:
    """Return the uplinks, and what stands for all devices if there are any."""
    return uplinks | {ALL} if uplinks else uplinks


class ProxyNdpStep(Step):
    """The setting proxy_ndp of an uplink turned on or off. Done by writing a file; ``call`` would do the same."""

    def __init__(self, sign: str, uplink: str) -> None:
        """Turn it on where the sign is ADD, else off."""
        self._uplink = uplink
        self._on = sign == ADD
        line = f"net/ipv6/conf/{uplink}/proxy_ndp = {int(self._on)}\n"
        super().__init__(Call(("sysctl", "-p", "-"), line), [Effect(sign, PROXY_NDP, to=uplink)])

    def take(self, host: Host) -> tuple[list[Effect], list[str]]:
        """Write it."""
        try:
            turn_proxy_ndp(host, self._uplink, on=self._on)
        except OSError as error:
            verb = "on" if self._on else "off"
            what = f"{error.filename or PROXY_NDP_FILE}: {error.strerror}"
            return [], [f"cannot turn proxy_ndp {verb} on {self._uplink}: {what}"]
        return self.effects, []


IPV6, NO_LINKLOCAL_LEARN, PROXY_NDP_SWITCH = IPv6(), NoLearning(), ProxyNdp()
