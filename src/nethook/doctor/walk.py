"""The walk through all stations, in the order in which an event, and then a packet, passes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.doctor import (
    announcing,
    boot,
    bridge_addresses,
    capacity,
    configuration,
    firewalls,
    guest_answers,
    installation,
    kernel_settings,
    libvirts_rules,
    nat,
    networks,
    next_hop,
    on_link,
    one_way,
    ours,
    plugged,
    programs,
    routing,
    uplink_subnets,
)
from nethook.doctor import forwards as of_forwards
from nethook.doctor.facts import Facts, asked_for
from nethook.doctor.finding import FAILURE, OK, WARNING, Finding, merged
from nethook.doctor.foreign_marks import foreign_marks
from nethook.doctor.ways import ways
from nethook.errors import NethookError
from nethook.host import Host
from nethook.host.links import NO_IPV6, NO_IPV6_ADVICE, available
from nethook.install.daemon import NoDaemonError
from nethook.libvirt.live import BindingMissingError, LibvirtError, live_networks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from nethook.config.forwarded_ports import Forward
    from nethook.doctor.facts import Target
    from nethook.doctor.ways import Way
    from nethook.engine.situation import Asked

SECONDS = 120.0
LIBVIRT, KERNEL = "libvirt", "kernel"
MARK = "packet mark"


class Diagnosis:
    """The findings, causes first, and the names of all ``addresses`` that were examined, with the ``ways`` to them.

    ``stopped_by`` is the reason why the rest was not examined, '' without one.
    """

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.addresses: list[str] = []
        self.ways: Mapping[str, Way] = {}
        self.stopped_by = ""

    @property
    def failures(self) -> list[Finding]:
        """The findings that are failures."""
        return [finding for finding in self.findings if finding.verdict == FAILURE]

    @property
    def healthy(self) -> list[str]:
        """The addresses without a failure at which somebody has answered, and from which packets come."""
        silent = {address for finding in self.findings if finding.is_silence for address in finding.addresses}
        heard = self._answered - silent
        return [address for address in self._without_failure if address in heard]

    @property
    def not_tried(self) -> list[str]:
        """The addresses without a failure at which nobody was asked: it is not known whether they answer."""
        answered = self._answered
        return [address for address in self._without_failure if address not in answered]

    @property
    def _answered(self) -> set[str]:
        return {address for finding in self.findings if finding.is_answer for address in finding.addresses}

    @property
    def _without_failure(self) -> list[str]:
        # A failure without addresses is about the host, so none is healthy. In the configuration, it is about one line.
        general = (finding for finding in self.failures if not finding.addresses)
        if self.stopped_by or any(finding.station != configuration.STATION for finding in general):
            return []
        ill = {address for finding in self.failures for address in finding.addresses}
        return [address for address in self.addresses if address not in ill]


def diagnose(wanted: Sequence[Asked], file: str, told: Callable[[str], None] | None = None) -> Diagnosis:
    """Examine the lines that ``wanted`` is about, or all lines if it is empty; ``file`` is the file for new lines.

    ``told`` is called with each station that was reached.
    """
    diagnosis = Diagnosis()
    try:
        for finding in _walk(wanted, file, diagnosis):
            diagnosis.findings.append(finding)
            if told:
                told(finding.station)
    except NethookError as error:
        diagnosis.stopped_by = str(error)
    except OSError as error:
        diagnosis.stopped_by = f"{error.filename or 'the system'}: {error.strerror or error}"
    diagnosis.findings = merged(diagnosis.findings)
    return diagnosis


def _walk(wanted: Sequence[Asked], file: str, diagnosis: Diagnosis) -> Iterator[Finding]:
    tools = Host(SECONDS)
    files, findings = configuration.files(tools)
    about, forwards, lost = asked_for(files.routed_ips if files else [], files.forwards if files else [], wanted)
    if files:
        findings = list(configuration.mistakes(files.problems, wanted, lost)) or [configuration.sound(files)]
    yield from findings
    found = list(programs.tools(tools))
    yield from found
    live = None
    try:
        live = live_networks()
        yield Finding(OK, LIBVIRT, f"libvirt answers, it has {len(live)} networks")
    except BindingMissingError as error:
        yield Finding(FAILURE, LIBVIRT, str(error), command=error.command)
    except LibvirtError as error:
        yield Finding(FAILURE, LIBVIRT, str(error), command=_start())
    try:
        yield from installation.hook(tools)
    except NoDaemonError as error:
        yield Finding(FAILURE, LIBVIRT, str(error))
    if files is None:
        return
    diagnosis.addresses = [*(target.name for target in about), *(line.text for line in forwards)]
    diagnosis.addresses += [asked.text for asked in lost]
    if live is None or any(finding.verdict == FAILURE for finding in found):
        return
    file = files.settings.routed_ips or file
    if not files.lines and not files.problems:
        text = "the files have no lines"
        yield Finding(WARNING, configuration.STATION, text, advice=f"add lines to {file}, or to forwarded-ports(5)")
    ignored = list(configuration.hidden(files, lost if wanted else [], file)) if lost or not wanted else []
    yield from ignored
    named = {address for finding in (*findings, *ignored) for address in finding.addresses}
    yield from configuration.lines_lacking([asked for asked in lost if asked.text not in named], file)
    lost_family = [target.name for target in about if target.family not in available()]
    if lost_family:
        yield Finding(FAILURE, KERNEL, NO_IPV6, advice=NO_IPV6_ADVICE, addresses=lost_family)
    facts = Facts(files, live, tools)
    diagnosis.ways = ways(facts, about, forwards)
    yield from _host(facts, [target for target in about if target.family in available()], forwards)
    if forwards:
        yield from of_forwards.forwards(facts, forwards)
    if about or forwards:
        yield from _marks(facts)


def _host(facts: Facts, about: Sequence[Target], forwards: Sequence[Forward]) -> Iterator[Finding]:
    """Yield the findings about the host, and those about routed addresses.

    Packets of forwards pass the host, too; of_forwards has the other findings about them.
    """
    yield from programs.tool_for_binding(about, facts.tools)
    for target in about:
        yield from networks.network(facts, target)
    # A network that is down would turn on forwarding when it starts.
    forwarded = [target for target in about if not networks.starts_forwarding(facts, target)]
    yield from kernel_settings.forwarding(facts, forwarded)
    of_guests = ((line.text, line) for line in forwards if not line.is_hosts)
    named = [*((target.name, target.line) for target in about), *of_guests]
    yield from boot.boot(facts, named)
    yield from kernel_settings.networkd(facts)
    yield from libvirts_rules.libvirts_rules(facts, available())
    up = [target for target in about if target.bridge]
    found: list[Finding] = []
    for target in up:
        found += plugged.plugged(facts, target)
        found += networks.other_users(facts, target)
        found += kernel_settings.devices(facts, target)
    yield from found
    ill = _failing(found)
    sound = [target for target in up if target.name not in ill]  # further failures of the others are consequences
    yield from bridge_addresses.bridge_addresses(facts, sound)
    # A host that does not forward IPv4 has no way for it.
    routed = [target for target in sound if target.family == 6 or kernel_settings.is_on()]
    led_elsewhere = list(routing.routing(facts, routed))
    yield from led_elsewhere
    ill |= _failing(led_elsewhere)
    yield from next_hop.next_hop(facts, [target for target in routed if target.name not in ill])
    led = of_forwards.bridges(facts, forwards)
    yield from kernel_settings.advertisements_of_guests(facts, sorted({target.bridge for target in up} | led.keys()))
    families = {target.family for target in up}.union(*led.values())
    if families:
        yield from capacity.tables(families)
    if not up:
        return
    yield from ours.table(facts, up)
    yield from on_link.on_link(up)
    yield from uplink_subnets.uplink_subnets(facts, [(target.name, target.line) for target in up])
    on_the_way = [finding for target in up for finding in ours.lacking(facts, target)]
    on_the_way += ours.opened(facts, up)
    on_the_way += firewalls.firewalls(facts, up)
    on_the_way += nat.nat(facts, up)
    in_force = [target for target in routed if _is_in_force(facts, target)]
    on_the_way += announcing.announcement(facts, in_force)
    on_the_way += guest_answers.answering(facts, [target for target in sound if target.name not in ill])
    yield from on_the_way
    ill |= _failing(on_the_way)
    yield from one_way.one_way(facts, [target for target in in_force if target.name not in ill])


def _failing(findings: Iterable[Finding]) -> set[str]:
    """Return the addresses of the failures among these."""
    return {address for finding in findings if finding.verdict == FAILURE for address in finding.addresses}


def _is_in_force(facts: Facts, target: Target) -> bool:
    return target.route in {(route.prefix, route.device) for route in facts.plan.case.routes}


def _marks(facts: Facts) -> Iterator[Finding]:
    """Yield foreign rules that use our bit of the packet mark."""
    marks = foreign_marks(facts.tools)
    bit = facts.settings.mark_bit
    used = [*filter(None, (marks.certain(bit), marks.possible(bit)))]
    yield from (Finding(WARNING, MARK, text, advice=marks.advice()) for text in used)
    for failure in marks.not_looked_at:
        yield Finding(WARNING, MARK, f"not checked for other users of our mark bit: {failure}")
    if not used and not marks.not_looked_at:
        yield Finding(OK, MARK, f"nothing else uses bit {bit:#x} of the packet mark")


def _start() -> str:
    return "systemctl start virtnetworkd.socket || systemctl start libvirtd.service"
