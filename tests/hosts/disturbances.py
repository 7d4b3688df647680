"""What happens to hosts in their lives. A disturbance is a function that does it to a site; register it with a name.

To add one: write the function, decorate it, and the matrix has it. Whatever it leaves behind must not keep the next one
from meaning something: undo it behind the ``yield``, which comes when everything has been looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Callable

from lab.hosts.host import Host
from lab.hosts.wan import ROUTER, UPLINK, AddressPair
from tests.hosts import docker
from tests.hosts.site import FILE, MODES, SECOND, Mode, Site, at_once

Disturb = Callable[[Site], Iterator[None]]


@dataclass(frozen=True)
class Disturbance:
    """``spares_bystander`` is false for what stops other guests by itself, whether or not the program is there."""

    name: str
    happen: Callable[[Site], AbstractContextManager[None]]
    spares_bystander: bool


DISTURBANCES: list[Disturbance] = []


def disturbance(name: str, *, spares_bystander: bool = True) -> Callable[[Disturb], Disturb]:
    """Register a disturbance."""

    def register(function: Disturb) -> Disturb:
        @contextmanager
        def happen(site: Site) -> Iterator[None]:
            steps = function(site)
            next(steps)
            try:
                yield
            finally:
                next(steps, None)

        DISTURBANCES.append(Disturbance(name, happen, spares_bystander))
        return function

    return register


@disturbance("none")
def nothing(site: Site) -> Iterator[None]:
    del site
    yield


@disturbance("libvirtd restarted")
def libvirtd_restarted(site: Site) -> Iterator[None]:
    site.host.restart_libvirtd()
    yield


@disturbance("libvirtd reloaded")
def libvirtd_reloaded(site: Site) -> Iterator[None]:
    site.host.reload_libvirtd()
    yield


@disturbance("networks destroyed and started")
def networks_restarted(site: Site) -> Iterator[None]:
    for network in site.networks.values():
        network.stop()
        network.start()
    site.host.restart_libvirtd()  # which plugs running guests into the new bridges
    yield


@disturbance("guests destroyed and started")
def guests_restarted(site: Site) -> Iterator[None]:
    site.restart_guests()
    yield


@disturbance("second network started")
def second_network_started(site: Site) -> Iterator[None]:
    site.second.start()
    yield
    site.second.stop()


@disturbance("second network stopped")
def second_network_stopped(site: Site) -> Iterator[None]:
    site.second.start()
    site.second.stop()
    yield


@disturbance("host address changed", spares_bystander=False)
def host_address_changed(site: Site) -> Iterator[None]:
    before, after = site.host.place, AddressPair("198.51.100.200", "2001:db8:100::200")
    _move(site, before, after)
    yield
    _move(site, after, before)


def _move(site: Site, before: AddressPair, after: AddressPair) -> None:
    host = site.host
    for old, new, router, length in (
        (before.ipv4, after.ipv4, ROUTER.ipv4, 24),
        (before.ipv6, after.ipv6, ROUTER.ipv6, 64),
    ):
        host.run(["ip", "address", "del", f"{old}/{length}", "dev", UPLINK])
        host.run(["ip", "address", "add", f"{new}/{length}", "dev", UPLINK])
        host.run(["ip", "route", "replace", "default", "via", router, "dev", UPLINK])
    host.place = after
    site.deliver()


@disturbance("FORWARD policy DROP", spares_bystander=False)
def forward_policy_drop(site: Site) -> Iterator[None]:
    _forward_policy(site, "DROP")
    # Until then nobody has told us; libvirt's next event does, as the start of any guest would.
    site.host.restart_libvirtd()
    yield
    _forward_policy(site, "ACCEPT")


def _forward_policy(site: Site, policy: str) -> None:
    for tool in ("iptables", "ip6tables"):
        site.host.run([tool, "-w", "-P", "FORWARD", policy])


@disturbance("br_netfilter on")
def br_netfilter_on(site: Site) -> Iterator[None]:
    _br_netfilter(site, 1)
    yield
    _br_netfilter(site, 0)


def _br_netfilter(site: Site, value: int) -> None:
    for family in ("ip", "ip6"):
        site.host.run(["sysctl", "-qw", f"net.bridge.bridge-nf-call-{family}tables={value}"])


FOREIGN_MARKS = """
table inet marks {
    chain before {
        type filter hook prerouting priority mangle;
        meta mark set numgen inc mod 3 map { 0 : 100, 1 : 51820, 2 : 0x10000001 }
    }
    chain after {
        type filter hook postrouting priority mangle;
        meta l4proto { tcp, udp, icmp } fib saddr type != local meta mark != { 100, 51820, 0x10000001 } drop
    }
}
"""
"""Somebody marks what is forwarded, some with our bit, and drops what does not keep its mark."""


@disturbance("marks of others on all packets")
def foreign_marks(site: Site) -> Iterator[None]:
    site.host.run(["nft", "-f", "-"], stdin=FOREIGN_MARKS)
    site.host.restart_libvirtd()
    yield
    site.host.run(["nft", "delete", "table", "inet", "marks"])


@disturbance("own table deleted, then an event of each network")
def own_table_deleted(site: Site) -> Iterator[None]:
    site.host.run(["nft", "delete", "table", "inet", "nethook"])
    site.host.restart_libvirtd()
    yield


@disturbance("own table deleted, then an event of one network")
def own_table_deleted_one_event(site: Site) -> Iterator[None]:
    site.host.run(["nft", "delete", "table", "inet", "nethook"])
    site.second.start()
    yield
    site.second.stop()
    site.host.restart_libvirtd()


@disturbance("every ruleset flushed, libvirtd restarted", spares_bystander=False)
def all_flushed(site: Site) -> Iterator[None]:
    with _service(site):
        site.host.run(["nft", "flush", "ruleset"])
        site.host.restart_libvirtd()
        yield


@contextmanager
def _service(site: Site) -> Iterator[None]:
    """The service, which runs in no other rows, because they are about the hook."""
    site.host.run(["systemctl", "start", "nethook"])
    try:
        yield
    finally:
        site.host.run(["systemctl", "stop", "nethook"])


@disturbance("own table deleted, with the service")
def own_table_deleted_with_service(site: Site) -> Iterator[None]:
    with _service(site):
        site.host.run(["nft", "delete", "table", "inet", "nethook"])
        yield


@disturbance("own table deleted, and the service killed")
def service_killed(site: Site) -> Iterator[None]:
    with _service(site):
        site.host.run(["sh", "-c", "nft delete table inet nethook; systemctl kill -s KILL nethook"])
        yield


@disturbance("libvirtd stopped and started, with the service")
def libvirtd_stopped_with_service(site: Site) -> Iterator[None]:
    with _service(site):
        site.host.run(["systemctl", "stop", "libvirtd"])
        site.host.run(["nft", "delete", "table", "inet", "nethook"])
        site.host.run(["systemctl", "start", "libvirtd"])
        site.host.wait_for_libvirt()
        yield


TAPS_OUT = """
for tap in $(ip -o link | grep -v br-bystander | grep -o 'vnet[0-9]*'); do
    ip link set $tap nomaster
done
"""


@disturbance("taps taken out of their bridges, with the service")
def taps_out_with_service(site: Site) -> Iterator[None]:
    with _service(site):
        site.host.run(["sh", "-ec", TAPS_OUT])
        yield


@disturbance("systemd-networkd restarted, with the service")
def networkd_restarted_with_service(site: Site) -> Iterator[None]:
    """It takes routes of others away when it takes over a device: ManageForeignRoutes= in networkd.conf(5)."""
    with _service(site):
        site.host.run(["systemctl", "restart", "systemd-networkd"])
        yield
        site.host.run(["systemctl", "stop", "systemd-networkd"])


@disturbance("FORWARD policy DROP, with the service", spares_bystander=False)
def forward_policy_drop_with_service(site: Site) -> Iterator[None]:
    with _service(site):
        _forward_policy(site, "DROP")
        yield
        _forward_policy(site, "ACCEPT")


@disturbance("firewalld started", spares_bystander=False)
def firewalld_started(site: Site) -> Iterator[None]:
    with _firewalld(site):
        yield


@disturbance("firewalld reloaded", spares_bystander=False)
def firewalld_reloaded(site: Site) -> Iterator[None]:
    with _firewalld(site):
        site.host.run(["firewall-cmd", "--reload"])
        yield


@disturbance("firewalld restarted", spares_bystander=False)
def firewalld_restarted(site: Site) -> Iterator[None]:
    with _firewalld(site):
        site.host.run(["systemctl", "restart", "firewalld"])
        yield


@contextmanager
def _firewalld(site: Site) -> Iterator[None]:
    """firewalld, started while guests run, with the uplink in its zone as NetworkManager puts it there."""
    site.host.run(["firewall-offline-cmd", "--zone=public", f"--add-interface={UPLINK}"])
    try:
        with _service(site):
            site.host.run(["systemctl", "start", "firewalld"])
            yield
    finally:
        flushes = _flushes_iptables(site.host)
        site.host.run(["systemctl", "stop", "firewalld"])
        if flushes:  # also libvirt's rules, and libvirt is told only of a start
            site.host.restart_libvirtd()
        site.host.nethook("apply")
        site.host.run(["firewall-offline-cmd", "--zone=public", f"--remove-interface={UPLINK}"])


def _flushes_iptables(host: Host) -> bool:
    """Whether it is a firewalld before 2.0: https://github.com/firewalld/firewalld/pull/1082"""
    return host.run(["firewall-cmd", "--version"]).stdout.startswith("1.")


@disturbance("ufw enabled, then an event", spares_bystander=False)
def ufw_enabled(site: Site) -> Iterator[None]:
    with _ufw(site):
        yield


@disturbance("ufw enabled, with the service", spares_bystander=False)
def ufw_enabled_with_service(site: Site) -> Iterator[None]:
    with _service(site):
        site.host.run(["ufw", "--force", "enable"])
        try:
            yield
        finally:
            site.host.run(["ufw", "--force", "disable"])


@disturbance("ufw reloaded", spares_bystander=False)
def ufw_reloaded(site: Site) -> Iterator[None]:
    with _ufw(site):
        site.host.run(["ufw", "reload"])
        yield


@contextmanager
def _ufw(site: Site) -> Iterator[None]:
    """ufw, and an event, because its policy DROP may be new and nobody has told us."""
    site.host.run(["ufw", "--force", "enable"])
    try:
        site.host.restart_libvirtd()
        yield
    finally:
        site.host.run(["ufw", "--force", "disable"])


@disturbance("Docker 27 started, then an event", spares_bystander=False)
def docker_27_started(site: Site) -> Iterator[None]:
    with _docker(site, docker.RULES_27):
        site.host.restart_libvirtd()
        yield


@disturbance("Docker 28 started, then an event", spares_bystander=False)
def docker_28_started(site: Site) -> Iterator[None]:
    with _docker(site, docker.RULES_28):
        site.host.restart_libvirtd()
        yield


@disturbance("Docker 28 started, with the service", spares_bystander=False)
def docker_28_started_with_service(site: Site) -> Iterator[None]:
    with _service(site), _docker(site, docker.RULES_28):
        yield


@disturbance("Docker 28 restarted", spares_bystander=False)
def docker_28_restarted(site: Site) -> Iterator[None]:
    with _docker(site, docker.RULES_28):
        site.host.restart_libvirtd()
        _restore(site, docker.RESTARTED_28)
        yield


@contextmanager
def _docker(site: Site, rules: str) -> Iterator[None]:
    """What Docker writes when it starts, in whatever is there."""
    try:
        _restore(site, rules)
        yield
    finally:
        _restore(site, docker.removal(rules))


def _restore(site: Site, rules: str) -> None:
    for tool in ("iptables-restore", "ip6tables-restore"):
        site.host.run([tool, "-w", "--noflush"], stdin=rules)


HOOK = "/etc/libvirt/hooks/network.d/50-nethook"
WAITING = SECOND.kinds[0].address
"""Its network is stopped, so it has a fallback route."""
IN_ITS_WAY = f"""<network><name>own-route</name><forward mode='open'/><bridge name='virbr-own' stp='off'/>
<ip address='192.168.150.1' prefix='24'/>
<ip address='203.0.113.201' prefix='29'/>
<route family='ipv4' address='{WAITING}' prefix='32' gateway='192.168.150.2'/></network>
"""
"""A network whose own subnet and route are prefixes of lines: libvirt does not start it if it finds routes to them."""


SETTINGS = "/etc/nethook/nethook.conf"
WAYS = {
    "as ever": ("true", "true"),
    "no hook": (f"mv {HOOK} /root/hook", f"mv /root/hook {HOOK}"),
    "no Python": (f"cp -p {HOOK} /root/hook; sed -i 's|^python=.*|python=/nowhere|' {HOOK}", f"mv /root/hook {HOOK}"),
    "killed": (
        "printf '#!/bin/sh\\nkill -9 $$\\n' >/root/dies; chmod 755 /root/dies; "
        f"cp -p {HOOK} /root/hook; sed -i 's|^python=.*|python=/root/dies|' {HOOK}",
        f"mv /root/hook {HOOK}",
    ),
    "wrong settings": (f"mkdir -p /etc/nethook; echo mark-bit = 3 >{SETTINGS}", f"rm {SETTINGS}"),
    "wrong lines": (f"cp -p {FILE} /root/lines; echo nonsense >>{FILE}", f"mv /root/lines {FILE}"),
    "lock held": ("flock /run/nethook sleep 60 >/dev/null 2>&1 & echo $! >/root/pid", "pkill -P $(cat /root/pid)"),
}
"""What is wrong with the hook at that moment: a command that does it, and one that undoes it."""


@disturbance("networks with prefixes of lines start, whatever is wrong with the hook")
def networks_with_prefixes_of_lines(site: Site) -> Iterator[None]:
    for do, undo in WAYS.values():
        site.host.run(["sh", "-c", do])
        try:
            site.host.run(["virsh", "net-create", "/dev/stdin"], stdin=IN_ITS_WAY)
        finally:
            site.host.run(["sh", "-c", undo])
        site.host.run(["virsh", "net-destroy", "own-route"])
    site.host.reload_libvirtd()  # the doctor sees that the hook's file was changed
    yield


ISOLATED = """<network><name>closet</name><bridge name='br-closet' stp='off'/>
<ip address='192.168.151.1' prefix='24'/></network>
"""
WRONG = f"{FILE}.d/wrong.conf"


@disturbance("a wrong file while an isolated network starts")
def wrong_file_while_an_isolated_network_starts(site: Site) -> Iterator[None]:
    host = site.host
    host.write(WRONG, "# nothing\n")
    host.run(["chmod", "666", WRONG])
    host.run(["virsh", "net-create", "/dev/stdin"], stdin=ISOLATED)
    for command in (
        "ip netns add closet",
        "ip link add vcloset type veth peer name eth0 netns closet",
        "ip link set vcloset master br-closet up",
        "ip -n closet link set eth0 up",
        "ip -n closet address add 192.168.151.2/24 dev eth0",
        "ip -n closet route add default via 192.168.151.1",
    ):
        host.run(command.split())
    _stays_isolated(site)
    host.run(["rm", "-r", f"{FILE}.d"])
    site.second.start()  # an event of another network
    site.second.stop()
    _stays_isolated(site)
    yield
    host.run(["virsh", "net-destroy", "closet"])
    host.run(["ip", "netns", "del", "closet"])


def _stays_isolated(site: Site) -> None:
    ping = ["ping", "-n", "-c", "1", "-W", "1"]
    inside = ["ip", "netns", "exec", "closet"]
    assert site.host.run([*ping, "192.168.151.2"]).returncode == 0, "the host reaches it"

    def look(mode: Mode) -> None:
        address = mode.kinds[0].address
        assert site.host.run([*inside, *ping, address], check=False).returncode != 0, f"closet reaches {address}"
        reached = site.guests[mode].run(f"ping -c 1 -W 1 -I {address} 192.168.151.2", check=False)
        assert "1 packets received" not in reached, f"{address} reaches closet"

    at_once([partial(look, mode) for mode in MODES])
