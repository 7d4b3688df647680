"""The walk through all stations, in the order in which an event, and then a packet, passes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.doctor import (
    configuration,
    firewalls,
    guest_answers,
    installation,
    kernel_settings,
    networks,
    on_link,
    ours,
    programs,
    routing,
)
from nethook.doctor.facts import Facts, targets
from nethook.doctor.finding import FAILURE, OK, WARNING, Finding, merged
from nethook.doctor.foreign_marks import foreign_marks
from nethook.errors import NethookError
from nethook.host import Host
from nethook.host.links import NO_IPV6, NO_IPV6_ADVICE, available
from nethook.install.daemon import NoDaemonError
from nethook.libvirt.live import BindingMissingError, LibvirtError, live_networks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nethook.doctor.facts import Target
    from nethook.prefix import Prefix

SECONDS = 120.0
LIBVIRT, KERNEL = "libvirt", "kernel"
MARK = "packet mark"


class Diagnosis:
    """The findings, causes first, and the names of all ``addresses`` that were examined.

    ``stopped_by`` is the reason why the rest was not examined, '' without one.
    """

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.addresses: list[str] = []
        self.stopped_by = ""

    @property
    def failures(self) -> list[Finding]:
        """The findings that are failures."""
        return [finding for finding in self.findings if finding.verdict == FAILURE]

    @property
    def healthy(self) -> list[str]:
        """The addresses without a failure."""
        # A failure without addresses is about the host, so none is healthy. In the configuration, it is about one line.
        general = (finding for finding in self.failures if not finding.addresses)
        if self.stopped_by or any(finding.station != configuration.STATION for finding in general):
            return []
        ill = {address for finding in self.failures for address in finding.addresses}
        return [address for address in self.addresses if address not in ill]


def diagnose(wanted: Sequence[Prefix], file: str) -> Diagnosis:
    """Examine the prefixes in ``wanted``, or all lines if it is empty; ``file`` is the file for new lines."""
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
    tools = Host(SECONDS)
    files, findings = configuration.files(tools)
    about, lost = targets(files.routed_ips if files else [], wanted)
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
    diagnosis.addresses = [target.name for target in about] + [prefix.text for prefix in lost]
    if live is None or any(finding.verdict == FAILURE for finding in found):
        return
    file = files.settings.routed_ips or file
    if not files.routed_ips and not files.problems:
        text = "the files have no lines"
        yield Finding(WARNING, configuration.STATION, text, advice=f"add lines to {file}: ADDRESS NETWORK")
    named = {address for finding in findings for address in finding.addresses}
    yield from configuration.lines_lacking([prefix for prefix in lost if prefix.text not in named], file)
    lost_family = [target.name for target in about if target.family not in available()]
    if lost_family:
        yield Finding(FAILURE, KERNEL, NO_IPV6, advice=NO_IPV6_ADVICE, addresses=lost_family)
    yield from _host(Facts(files, live, tools), [target for target in about if target.family in available()])


def _host(facts: Facts, about: Sequence[Target]) -> Iterator[Finding]:
    yield from programs.tool_for_binding(about, facts.tools)
    yield from programs.tool_for_flows((target.line for target in about), facts.tools)
    families = sorted({target.family for target in about})
    yield from kernel_settings.forwarding(facts, about)
    yield from kernel_settings.networkd(facts)
    yield from networks.libvirts_rules(facts)
    for target in about:
        yield from networks.network(facts, target)
    up = [target for target in about if target.bridge]
    if not up:
        return
    found: list[Finding] = []
    for target in up:
        found += networks.ports(facts, target)
        found += networks.other_users(facts, target)
        found += kernel_settings.devices(facts, target)
    yield from found
    ill = {address for finding in found if finding.verdict == FAILURE for address in finding.addresses}
    sound = [target for target in up if target.name not in ill]  # further failures of the others are consequences
    # A host that does not forward IPv4 has no way for it.
    routed = [target for target in sound if target.family == 6 or kernel_settings.is_on()]
    yield from routing.routing(facts, routed)
    yield from ours.table(facts, up)
    yield from on_link.on_link(up)
    for target in up:
        yield from ours.lacking(facts, target)
    yield from ours.opened(facts, families)
    yield from firewalls.firewalls(facts, up)
    yield from _marks(facts)
    yield from guest_answers.answering(facts, sound)


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
