"""The whole way, station by station, in the order in which a packet, and before it an event, goes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nethook.host.host as edge
from nethook.doctor import (
    configuration,
    firewalls,
    forwarding,
    hook,
    libvirts_rules,
    neighbours,
    networks,
    on_link,
    ours,
    routing,
)
from nethook.doctor.finding import FAILURE, OK, WARNING, Finding, merged
from nethook.doctor.foreign_marks import foreign_marks
from nethook.doctor.host import Host, targets
from nethook.errors import NethookError
from nethook.host.links import NO_IPV6, NO_IPV6_ADVICE, available
from nethook.install.daemon import NoDaemonError
from nethook.libvirt.live import BindingMissingError, LibvirtError, live_networks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nethook.doctor.host import Target
    from nethook.net.prefix import Prefix

SECONDS = 120.0
LIBVIRT, KERNEL = "libvirt", "kernel"
MARK = "packet mark"


class Diagnosis:
    """What was found, causes first; ``addresses`` are all that were looked at, as they are called in findings.

    ``stopped_by`` says what kept the rest from being looked at, '' if nothing did.
    """

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.addresses: list[str] = []
        self.stopped_by = ""

    @property
    def failures(self) -> list[Finding]:
        """Those findings that are failures."""
        return [finding for finding in self.findings if finding.verdict == FAILURE]

    @property
    def healthy(self) -> list[str]:
        """The addresses that no failure is about."""
        # Of the configuration, such a failure is a line that names no address; and where there is none, there are none.
        general = (finding for finding in self.failures if not finding.addresses)
        if self.stopped_by or any(finding.station != configuration.STATION for finding in general):
            return []
        ill = {address for finding in self.failures for address in finding.addresses}
        return [address for address in self.addresses if address not in ill]


def diagnose(wanted: Sequence[Prefix], file: str) -> Diagnosis:
    """Look at everything, or at what concerns these addresses; ``file`` is where a line would go."""
    diagnosis = Diagnosis()
    try:
        for finding in _walk(wanted, file, diagnosis):
            diagnosis.findings.append(finding)
    except NethookError as error:
        diagnosis.stopped_by = str(error)
    except OSError as error:
        diagnosis.stopped_by = f"{error.filename or 'the system'}: {error.strerror or error}"
    diagnosis.findings = merged(diagnosis.findings)
    return diagnosis


def _walk(wanted: Sequence[Prefix], file: str, diagnosis: Diagnosis) -> Iterator[Finding]:
    tools = edge.Host(SECONDS)
    files, findings = configuration.files()
    about, lost = targets(files.routed_ips if files else [], wanted)
    if files:
        findings = list(configuration.mistakes(files.problems, wanted, lost)) or [configuration.sound(files)]
    yield from findings
    found = list(configuration.tools(tools))
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
        yield from hook.hook(tools)
    except NoDaemonError as error:
        yield Finding(FAILURE, LIBVIRT, str(error))
    if files is None:
        return
    diagnosis.addresses = [target.name for target in about] + [prefix.text for prefix in lost]
    if live is None or any(finding.verdict == FAILURE for finding in found):
        return
    file = files.settings.routed_ips or file
    if not files.routed_ips and not files.problems:
        text = "the files have no lines"
        yield Finding(WARNING, configuration.STATION, text, advice=f"write ADDRESS NETWORK into {file}, a line each")
    named = {address for finding in findings for address in finding.addresses}
    yield from configuration.lines_lacking([prefix for prefix in lost if prefix.text not in named], file)
    lost_family = [target.name for target in about if target.family not in available()]
    if lost_family:
        yield Finding(FAILURE, KERNEL, NO_IPV6, advice=NO_IPV6_ADVICE, addresses=lost_family)
    yield from _host(Host(files, live, tools), [target for target in about if target.family in available()])


def _host(host: Host, about: Sequence[Target]) -> Iterator[Finding]:
    yield from configuration.tool_for_binding(about, host.tools)
    yield from configuration.tool_for_flows((target.line for target in about), host.tools)
    families = sorted({target.family for target in about})
    yield from forwarding.forwarding(host, about)
    yield from forwarding.networkd(host)
    yield from libvirts_rules.there(host)
    for target in about:
        yield from networks.network(host, target)
    up = [target for target in about if target.bridge]
    if not up:
        return
    found: list[Finding] = []
    for target in up:
        found += networks.ports(host, target)
        found += networks.other_users(host, target)
        found += forwarding.devices(host, target)
    yield from found
    ill = {address for finding in found if finding.verdict == FAILURE for address in finding.addresses}
    sound = [target for target in up if target.name not in ill]  # else the rest is what it is for that reason
    routed = [target for target in sound if target.family == 6 or forwarding.is_on()]  # else no way for IPv4 is known
    yield from routing.routing(host, routed)
    yield from ours.table(host, up)
    yield from on_link.on_link(up)
    for target in up:
        yield from ours.lacking(host, target)
    yield from ours.opened(host, families)
    yield from firewalls.firewalls(host, up)
    yield from _marks(host)
    yield from neighbours.answering(host, sound)


def _marks(host: Host) -> Iterator[Finding]:
    """Others' rules that use our bit of the packet mark."""
    marks = foreign_marks(host.tools)
    bit = host.settings.mark_bit
    used = [*filter(None, (marks.certain(bit), marks.possible(bit)))]
    yield from (Finding(WARNING, MARK, text, advice=marks.advice()) for text in used)
    for failure in marks.not_looked_at:
        yield Finding(WARNING, MARK, f"not looked for others that use our mark bit: {failure}")
    if not used and not marks.not_looked_at:
        yield Finding(OK, MARK, f"nothing else uses bit {bit:#x} of the packet mark")


def _start() -> str:
    return "systemctl start virtnetworkd.socket || systemctl start libvirtd.service"
