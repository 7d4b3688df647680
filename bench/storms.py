"""What many events at once take on a booted host, with the hook and without it: ``python3 -m bench --storms``.

libvirt holds a network while its hook runs, so the events of one network come one by one. The guests are paused as soon
as they start: what they do themselves is not measured.
"""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from lab.hosts import program
from lab.hosts.lab import Lab
from lab.hosts.network import network_xml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lab.hosts.systemd_host import SystemdHost

GUESTS, AT_ONCE = 20, 10
CYCLES = 50
ROUNDS = 3
NETWORK = "public"
ASIDE = "/root/hook"
GUEST_XML = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>16</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><controller type='usb' model='none'/><memballoon model='none'/>
<interface type='network'><source network='{network}'/></interface></devices></domain>
"""
CYCLE = "virsh net-define {xml} && virsh net-start other && virsh net-destroy other && virsh net-undefine other"


class Storm(NamedTuple):
    """Seconds without the hook and with it; what stands at the same place was measured in one round."""

    what: str
    limit: float
    without: list[float]
    with_hook: list[float]

    def __str__(self) -> str:
        ratio = median(mine / other for mine, other in zip(self.with_hook, self.without))
        reached = "reached" if ratio <= self.limit else "missed"
        seconds = f"{median(self.without):8.2f} {median(self.with_hook):8.2f}"
        return f"{self.what:44} {seconds} {ratio:6.2f}   <= {self.limit:g} {reached}"


def measure_storms(progress: Callable[[str], None]) -> list[str]:
    """Measure each in turn, without and with the hook, and return a table: seconds of the clock, and their ratio."""
    with Lab() as lab:
        host = lab.host("trixie", firewall_backend="nftables")
        names = [f"guest{number}" for number in range(1, GUESTS + 1)]
        _prepare(host, names)
        ways = _storms(host, names)
        storms = {what: Storm(what, limit, [], []) for what, (limit, _) in ways.items()}
        for number in range(ROUNDS):
            for has_hook in (False, True):
                here, there = (ASIDE, program.HOOK) if has_hook else (program.HOOK, ASIDE)
                host.run(["mv", here, there])
                for what, (_, storm) in ways.items():
                    progress(f"{what}, {'with' if has_hook else 'without'} the hook, {number + 1} of {ROUNDS} …")
                    seconds = _seconds(storm)
                    (storms[what].with_hook if has_hook else storms[what].without).append(seconds)
        errors = host.run(["journalctl", "--no-pager", "--identifier=nethook", "--priority=err"]).stdout
    progress("")
    head = f"{'storm':44} {'without':>8} {'with':>8} {'ratio':>6}   target"
    return [head, *map(str, storms.values()), *(line for line in errors.splitlines() if "nethook" in line)]


def _prepare(host: SystemdHost, names: Sequence[str]) -> None:
    """A network, guests, and a line for each of them."""
    program.install(host)
    host.network(NETWORK, addresses=["192.168.50.1/24"])
    host.write("/root/other.xml", network_xml("other", "nat", "br-other", ["192.168.60.1/24"]))
    for name in names:
        host.write("/root/guest.xml", GUEST_XML.format(name=name, network=NETWORK))
        host.virsh("define", "--file", "/root/guest.xml")
    lines = [f"203.0.113.{number} {NETWORK}\n" for number in range(1, len(names) + 1)]
    host.write("/etc/nethook/routed-ips", "".join(lines))
    host.run(["nethook", "apply"])


def _storms(host: SystemdHost, names: Sequence[str]) -> Mapping[str, tuple[float, Callable[[], object]]]:
    """Each storm with what it may take of the time without the hook. They leave the host as the next one needs it."""

    def all_at_once(command: str) -> None:
        host.run(["xargs", "-n", "1", "-P", str(AT_ONCE), "virsh", "--quiet", *command.split()], stdin="\n".join(names))

    def cycles() -> None:
        cycle = CYCLE.format(xml="/root/other.xml")
        host.run(["sh", "-ec", f"for i in $(seq {CYCLES}); do {cycle}; done >/dev/null"], timeout=900)

    return {
        f"{GUESTS} guests start, {AT_ONCE} at once": (1.5, lambda: all_at_once("start --paused --domain")),
        f"libvirtd restarts with {GUESTS} guests": (1.4, host.restart_libvirtd),
        f"{GUESTS} guests stop, {AT_ONCE} at once": (1.5, lambda: all_at_once("destroy --domain")),
        f"{CYCLES} networks defined, started, stopped": (1.3, cycles),
    }


def _seconds(storm: Callable[[], object]) -> float:
    start = time.perf_counter()
    storm()
    return time.perf_counter() - start
