"""How long a guest on a booted host is silent until the service has healed: ``python3 -m bench --heals-on-hosts``.

Each host has a network with a guest, and the service. Something is broken, and each packet from the outside is one of a
new connection. What is measured is the longest time without an answer, for IPv4 (a line with ``guest=``) and IPv6.
"""

from __future__ import annotations

import socket
import struct
import time
from ipaddress import ip_address
from statistics import median
from threading import Event, Thread
from typing import TYPE_CHECKING, NamedTuple

from lab.hosts import program
from lab.hosts.lab import Lab
from lab.hosts.wan import CLIENT, UPLINK
from lab.waiting import wait_for
from tests.hosts import docker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lab.hosts.systemd_host import SystemdHost
    from lab.hosts.wan import Wan

HOSTS = {
    "libvirt 9.0 iptables": ("bookworm", None),
    "libvirt 11.3 iptables": ("trixie", "iptables"),
    "libvirt 11.3 nftables": ("trixie", "nftables"),
    "libvirt 12.8 nftables": ("forky", "nftables"),
}
ROUNDS = 10
ADDRESSES = ("203.0.113.10", "2001:db8:7::10")
SECONDS_BETWEEN = 0.005
QUIET_SECONDS = 0.7
"""Without a loss for so long, all is well again."""
BRIDGE = "br-public"
OUR_RULES = "{tool}-save | grep -v nethook- | {tool}-restore"
NFT_RULES = (
    "nft -a list chain {0} | sed -n 's/.*nethook-.*# handle //p' | while read n; do nft delete rule {0} handle $n; done"
)


class Cause(NamedTuple):
    """What breaks something, as commands, and what is done after it has healed, which is not measured."""

    breaks: str
    after: str = ""


def causes(host: SystemdHost, *, is_nftables: bool) -> dict[str, Cause]:
    """What is measured on this host."""
    restart = "systemctl restart libvirtd"
    iptables = "; ".join(OUR_RULES.format(tool=tool) for tool in ("iptables", "ip6tables"))
    nftables = "; ".join(NFT_RULES.format(f"{family} libvirt_network forward") for family in ("ip", "ip6"))
    host.write("/root/docker", docker.RULES_28)
    host.write("/root/no-docker", docker.removal(docker.RULES_28))
    rules = "for tool in iptables ip6tables; do $tool-restore -w --noflush </root/{}; done"
    return {
        "table deleted": Cause("nft delete table inet nethook"),
        "table flushed": Cause("nft flush table inet nethook"),
        "bindings deleted": Cause("nft delete table bridge nethook 2>/dev/null || nft delete table arp nethook"),
        "gates deleted": Cause(nftables if is_nftables else iptables),
        "route deleted": Cause(f"ip route delete {ADDRESSES[0]}"),
        "IPv6 route deleted": Cause(f"ip route delete {ADDRESSES[1]}"),
        "gateway address deleted": Cause(f"ip address delete fe80::1/64 dev {BRIDGE}"),
        "neighbour changed": Cause(f"ip neighbour replace {ADDRESSES[0]} lladdr 52:54:00:99:99:99 dev {BRIDGE}"),
        "IPv6 turned off": Cause(f"sysctl -q -w net.ipv6.conf.{BRIDGE}.disable_ipv6=1"),
        "bridge down and up": Cause(f"ip link set {BRIDGE} down; ip link set {BRIDGE} up"),
        "tap out of its bridge": Cause("ip link set vnet0 nomaster"),
        "nft flush ruleset": Cause("nft flush ruleset", restart),
        "nftables restarted": Cause("systemctl restart nftables", restart),
        "table deleted, service killed": Cause("nft delete table inet nethook; systemctl kill -s KILL nethook"),
        "libvirtd reloaded": Cause("systemctl reload libvirtd"),
        "libvirtd restarted": Cause(restart),
        "networkd restarted": Cause("systemctl restart systemd-networkd"),
        "Docker started": Cause(rules.format("docker"), rules.format("no-docker")),
        "FORWARD policy DROP": Cause("iptables -P FORWARD DROP", "iptables -P FORWARD ACCEPT"),
        "ufw enabled": Cause("ufw --force enable", "ufw --force disable"),
        "firewalld started": Cause("systemctl start firewalld"),
        "firewalld reloaded": Cause("firewall-cmd -q --reload"),
        "firewalld restarted": Cause("systemctl restart firewalld"),
    }


class Echoes:
    """Pings to both addresses, each of a new connection, and those that had no answer."""

    def __init__(self, wan: Wan) -> None:
        self._ends = Event()
        self._sent: dict[str, list[float]] = {address: [] for address in ADDRESSES}
        self._answered: dict[str, dict[int, float]] = {address: {} for address in ADDRESSES}
        self._threads = [
            Thread(target=work, args=(address, made))
            for address in ADDRESSES
            for made in [_socket(wan, address)]
            for work in (self._send, self._hear)
        ]

    def __enter__(self) -> Echoes:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join()

    def _send(self, address: str, made: socket.socket) -> None:
        kind = 8 if made.family == socket.AF_INET else 128
        while not self._ends.is_set():
            number = len(self._sent[address])
            self._sent[address].append(time.monotonic())
            made.sendto(_echo(kind, number), (address, 0))
            time.sleep(SECONDS_BETWEEN)

    def _hear(self, address: str, made: socket.socket) -> None:
        reply, begin = (0, 20) if made.family == socket.AF_INET else (129, 0)
        while not self._ends.is_set():
            try:
                data, sender = made.recvfrom(2048)
            except TimeoutError:
                continue
            if sender[0] == address and data[begin] == reply:
                upper, lower = struct.unpack_from("!HH", data, begin + 4)
                self._answered[address][lower << 16 | upper] = time.monotonic()

    def silence(self, begin: float) -> float:
        """Wait until all has been answered for a while; return the longest time since ``begin`` without an answer."""
        wait_for(lambda: all(self._is_quiet(address, begin) for address in ADDRESSES), "all is answered again", 120)
        return max(self._longest(address, begin) for address in ADDRESSES)

    def _is_quiet(self, address: str, begin: float) -> bool:
        now = time.monotonic()
        recent = [
            number
            for number, at in enumerate([*self._sent[address]])
            if max(begin, now - QUIET_SECONDS - 0.2) <= at < now - 0.2
        ]
        is_long = now > begin + QUIET_SECONDS + 0.2
        return is_long and all(number in self._answered[address] for number in recent)

    def _longest(self, address: str, begin: float) -> float:
        answered = self._answered[address]
        answers = sorted(at for number, at in enumerate([*self._sent[address]]) if at >= begin and number in answered)
        return max(later - earlier for earlier, later in zip([begin, *answers], answers)) - SECONDS_BETWEEN


def _socket(wan: Wan, address: str) -> socket.socket:
    version = ip_address(address).version
    with wan.namespace.entered():
        made = (
            socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
            if version == 4
            else socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        )
    made.bind((CLIENT.of_family(version), 0))
    made.settimeout(0.2)
    return made


def _echo(kind: int, number: int) -> bytes:
    """An ICMP echo request; the kernel fills in the checksum of ICMPv6."""
    # The identifier, which tells connections apart, comes first and changes each time.
    head = struct.pack("!BBHHH", kind, 0, 0, number & 0xFFFF, number >> 16)
    total = sum(struct.unpack("!4H", head))
    total = (total >> 16) + (total & 0xFFFF)
    return struct.pack("!BBHHH", kind, 0, ~(total + (total >> 16)) & 0xFFFF, number & 0xFFFF, number >> 16)


def measure_host_heals(progress: Callable[[str], None], names: Sequence[str] = ()) -> Iterator[str]:
    """Measure each cause on each host, or on those of these names; yield the lines of a table, in milliseconds."""
    yield f"{'milliseconds without an answer':60}{'median':>8}{'worst':>8}"
    for name, (suite, backend) in HOSTS.items():
        if names and name not in names:
            continue
        with Lab() as lab:
            host = lab.host(suite, firewall_backend=backend)
            lab.wan.deliver("203.0.113.0/24", host)
            lab.wan.deliver("2001:db8:7::/48", host)
            host.network("public", addresses=["192.168.50.1/24"])
            configured = ["192.168.50.2/24", *(f"{each}/{32 if '.' in each else 128}" for each in ADDRESSES)]
            host.guest("web1", network="public", addresses=configured, gateways=["192.168.50.1", "fe80::1"]).start()
            host.write("/etc/default/routed-ips", f"{ADDRESSES[0]} public guest=web1\n{ADDRESSES[1]} public\n")
            host.run(["sysctl", "-q", "-w", "net.ipv6.conf.all.forwarding=1"])
            program.install(host)
            host.run(["firewall-offline-cmd", "-q", "--zone=public", f"--add-interface={UPLINK}"])
            with Echoes(lab.wan) as echoes:
                echoes.silence(time.monotonic())
                yield from _measured(name, causes(host, is_nftables=backend == "nftables"), host, echoes, progress)


def _measured(
    name: str, causes: dict[str, Cause], host: SystemdHost, echoes: Echoes, progress: Callable[[str], None]
) -> Iterator[str]:
    """Measure each cause once, and that again and again: the service takes what comes soon again for a fight."""
    times: dict[str, list[float]] = {what: [] for what in causes}
    for number in range(ROUNDS):
        for what, cause in causes.items():
            progress(f"{name}, {what}, {number + 1} of {ROUNDS}")
            begin = time.monotonic()
            host.run(["sh", "-c", cause.breaks], check=False)  # a daemon that has just started may refuse a reload
            times[what].append(max(0.0, echoes.silence(begin)))
            if cause.after:
                host.run(["sh", "-c", cause.after])
                echoes.silence(time.monotonic())
    for what, found in times.items():
        yield f"{f'{name}, {what}':60}{1000 * median(found):8.0f}{1000 * max(found):8.0f}"
