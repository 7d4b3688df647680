"""`nethook doctor` on hosts that are broken for real, one by one: it names the cause first, and what mends it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from lab.hosts.lab import Lab
from lab.waiting import wait_for
from tests.hosts.broken import (
    ASKED,
    FILE,
    IPTABLES,
    LATER,
    LINES,
    NFTABLES,
    NO_NAT,
    NOW,
    SETUPS,
    SIX,
    TAKEN,
    TAP,
    A,
    Broken,
)
from tests.hosts.unusual import UNUSUAL, Unusual

if TYPE_CHECKING:
    from lab.hosts.guest import Guest
    from lab.hosts.systemd_host import SystemdHost
    from lab.processes import Completed

pytestmark = pytest.mark.hosts

HOSTS = {NFTABLES: ("trixie", "nftables"), IPTABLES: ("bookworm", None)}
LOGS = Path(__file__).parents[2] / "test-logs"
IN_PREFIX = "203.0.113.17"
SECOND_UPLINK = "uplink1"
SECOND_MAC = "52:54:00:00:00:22"
ADMINS_CHAIN = "add chain inet admin f { type filter hook forward priority 0; policy drop; }"


class Diagnosed(NamedTuple):
    """What the doctor said as JSON, and its exit status."""

    status: int
    said: dict[str, Any]

    def of(self, verdict: str) -> list[dict[str, Any]]:
        return [finding for finding in self.said["findings"] if finding["verdict"] == verdict]


class Patient(NamedTuple):
    """A host with everything in force; ``name`` is that of HOSTS."""

    name: str
    lab: Lab
    host: SystemdHost
    guest: Guest
    rows: list[str]

    def sh(self, script: str) -> Completed:
        return self.host.run(["sh", "-c", script], check=False)

    def answers(self, address: str, timeout: float = 5) -> str | None:
        answer = self.lab.wan.fetch(address, timeout=timeout)
        return answer.split()[0] if answer else None

    def is_silent(self, address: str) -> bool:
        return self.answers(address, timeout=1) is None

    def doctor(self, *addresses: str) -> Diagnosed:
        ended = self.host.nethook("doctor", "--json", *addresses)
        assert ended.stderr == ""
        return Diagnosed(ended.returncode, json.loads(ended.stdout))

    def trace(self, *arguments: str, traffic: Callable[[], object]) -> tuple[int, list[dict[str, Any]]]:
        """Trace what this traffic causes; return the exit status, and the packets that were found."""
        command = [str(word) for word in self.host.command(["nethook", "trace", "--json", *arguments])]
        with Popen(command, stdout=PIPE, stderr=PIPE, text=True) as process:
            assert process.stderr
            assert "tracing packets" in process.stderr.readline()
            traffic()
            said, _ = process.communicate(timeout=60)
        found: list[dict[str, Any]] = json.loads(said)["found"]
        return process.returncode, found

    def status(self) -> list[dict[str, Any]]:
        """The lines as `nethook status` tells them."""
        found: list[dict[str, Any]] = json.loads(self.host.nethook("status", "--json").stdout)["lines"]
        return found

    def replug(self) -> None:
        """Plug the guest in: libvirt does not do it for guests that run."""
        self.sh(f"ip link set {TAP} master br-first up")

    def event(self) -> None:
        """An event of the network, as at a restart of it."""
        self.sh("virsh net-destroy first; virsh net-start first")
        self.replug()

    def is_healthy(self) -> None:
        self.replug()
        for address in (A, IN_PREFIX, SIX):
            wait_for(lambda: self.answers(address) == "web1", f"{address} answers again")  # noqa: B023
        found = self.doctor(A, IN_PREFIX, SIX)
        assert (found.status, found.of("failure"), found.of("warning")) == (0, [], [])


IDLE = """[Service]
Type=exec
WatchdogSec=0
ExecStart=
ExecStart=sleep infinity
"""
"""The service runs, and does not repair what is broken here."""


@pytest.fixture(scope="module", params=HOSTS)
def site(request: pytest.FixtureRequest) -> Iterator[Patient]:
    suite, backend = HOSTS[request.param]
    with Lab() as lab:
        host = lab.host(suite, firewall_backend=backend)
        for prefix in ("203.0.113.0/24", "2001:db8:7::/48"):
            lab.wan.deliver(prefix, host)
        host.write(FILE, LINES)
        host.network("first", mode="nat", addresses=["192.168.50.1/24", "fd00:50::1/64"])
        host.network("second", mode="route", addresses=["203.0.113.65/28", "fd00:60::1/64"])
        host.install()
        host.write("/etc/systemd/system/nethook.service.d/idle.conf", IDLE)
        host.run(["sh", "-c", "systemctl daemon-reload; systemctl restart nethook"])
        used = [f"{A}/32", f"{IN_PREFIX}/32", f"{TAKEN}/32", f"{SIX}/128"]
        guest = host.guest("web1", network="first", addresses=used, gateways=["192.168.50.1", "fd00:50::1"])
        guest.start()
        host.run(["sh", "-c", "virsh net-autostart first; virsh net-autostart second; virsh autostart web1"])
        _second_uplink(lab, host)
        site = Patient(request.param, lab, host, guest, [])
        yield site
        LOGS.mkdir(exist_ok=True)
        (LOGS / f"doctor-{suite}.txt").write_text("".join(f"{row}\n" for row in site.rows))


def _second_uplink(lab: Lab, host: SystemdHost) -> None:
    """Another cable to the same switch, unused until a default route leads there."""
    wan = lab.wan.namespace
    name = wan.name.removesuffix("wan") + host.name
    wan.ip(f"link add second type veth peer name {SECOND_UPLINK} netns {name}", "link set second master switch up")
    wan.sysctl("ipv4/conf/all/arp_announce", 2)  # ask as routers do, not with the client's address
    for device in ("uplink0", SECOND_UPLINK):  # else both would answer for each other's addresses
        host.run(["sysctl", "-qw", f"net.ipv4.conf.{device}.arp_ignore=1"])
    host.run(["ip", "link", "set", SECOND_UPLINK, "up"])
    host.run(["ip", "address", "add", "198.51.100.111/32", "dev", SECOND_UPLINK])
    for device in ("all", "uplink0", SECOND_UPLINK):
        host.run(["sysctl", "-qw", f"net.ipv4.conf.{device}.rp_filter=0"])


PORT_BACK = """
[ -n "$(virsh -q net-port-list first)" ] || systemctl restart libvirtd
until [ -n "$(virsh -q net-port-list first)" ]; do sleep 0.1; done"""
"""libvirt loses the ports of running guests when their network restarts."""


@contextmanager
def undone(site: Patient, script: str) -> Iterator[None]:
    """Undo it in the end, and see that all is well then."""
    try:
        yield
    finally:
        site.guest.hang_up()  # it may be another QEMU now
        site.sh(script)
        site.host.wait_for_libvirt()
        site.sh(PORT_BACK)
        site.sh("nethook apply --keep-going")
        site.replug()
    site.is_healthy()


def test_a_healthy_host(site: Patient) -> None:
    site.is_healthy()
    whole = site.doctor()
    assert (whole.status, whole.of("failure")) == (0, [])
    assert whole.said["healthy"] == whole.said["addresses"] == [A, "203.0.113.16/29", SIX]


@pytest.mark.parametrize(
    ("site", "broken"),
    [
        pytest.param(name, broken, id=f"{name}-{broken.name}")
        for name in HOSTS
        for broken in SETUPS
        if name in broken.hosts
    ],
    indirect=["site"],
)
def test_a_broken_setup(site: Patient, broken: Broken) -> None:
    with undone(site, broken.undo):
        site.sh(broken.breaks)
        if broken.happens == ASKED:
            site.guest.run("ip neigh flush dev eth0")
        if broken.happens in (NOW, ASKED):
            assert site.is_silent(broken.address)
        else:
            assert site.answers(broken.address) == "web1"
        found = _names_it(site, broken)
        site.rows.append(f"{site.name:22} {broken.name:50} {broken.verdict:8} {broken.station:20} {found['text']}")
        if broken.happens == LATER:
            site.event()
            assert site.is_silent(broken.address)
            _names_it(site, broken)
        if broken.is_mended:
            for _ in range(broken.commands):
                left = site.doctor(broken.address).of(broken.verdict)
                if not left:  # libvirt plugs a guest in by itself, if it is quick
                    break
                command = left[0]["command"]
                mended = site.sh(command)
                assert mended.returncode == 0, mended.stderr
                site.host.wait_for_libvirt()
                site.rows[-1] += f" [mended by: {command}]"
            if broken.happens == LATER:
                site.event()
            wait_for(lambda: site.answers(broken.address) == "web1", "the commands mend it")
            assert [each["text"] for each in site.doctor(broken.address).of(broken.verdict)] == []


@pytest.mark.parametrize("unusual", UNUSUAL, ids=lambda unusual: unusual.name)
@pytest.mark.parametrize("site", HOSTS, indirect=True)
def test_an_unusual_host_is_healthy(site: Patient, unusual: Unusual) -> None:
    with undone(site, unusual.undo):
        made = site.sh(f"set -e; {unusual.makes}")
        assert made.returncode == 0, made.stderr
        for address in (A, IN_PREFIX, SIX):
            wait_for(lambda: site.answers(address) == "web1", f"{address} answers")  # noqa: B023
        found = site.doctor(A, IN_PREFIX, SIX)
        said = [finding["text"] for finding in found.of("failure") + found.of("warning")]
        assert (found.status, said, found.said["healthy"]) == (0, [], [A, IN_PREFIX, SIX])
        assert {line["state"] for line in site.status()} <= {"routed", "waiting"}  # a network may have no guest
        site.rows.append(f"{site.name:22} {unusual.name:50} nothing to say")


def _names_it(site: Patient, broken: Broken) -> dict[str, Any]:
    """The first failure (or warning), which has to be about the cause, and has to say what mends it."""
    diagnosed = site.doctor(broken.address)
    assert diagnosed.status == (1 if broken.verdict == "failure" else 0)
    first: dict[str, Any] = diagnosed.of(broken.verdict)[0]
    assert first["station"] == broken.station, diagnosed.of("failure")
    assert ("ip6" in first["text"]) == (broken.name == "gate deleted, IPv6") or first["station"] != "gate"
    assert broken.mend in f"{first['command'] or ''} {first['advice'] or ''}"
    if broken.verdict == "warning":
        assert diagnosed.of("failure") == []
    return first


def test_the_guest_keeps_its_source(site: Patient) -> None:
    """Masquerading on the uplink gives the guest's own connections the host's address."""
    url = f"http://{site.lab.wan.client.ipv4}/"
    assert site.guest.fetch(url, source=A) == A
    with undone(site, NO_NAT):
        site.sh("iptables -t nat -A POSTROUTING -o uplink0 -j MASQUERADE")
        assert site.guest.fetch(url, source=A) == site.host.place.ipv4
        (failure,) = site.doctor(A).of("failure")
        site.sh(failure["command"])
        assert site.guest.fetch(url, source=A) == A


@pytest.mark.parametrize(("address", "how"), [(A, "ARP"), (SIX, "NDP")])
def test_a_guest_without_the_address(site: Patient, address: str, how: str) -> None:
    length = 128 if ":" in address else 32
    site.guest.run(f"ip addr del {address}/{length} dev eth0")
    try:
        assert site.is_silent(address)
        found = site.doctor(address)
        (failure,) = found.of("failure")
        assert (found.status, failure["station"]) == (1, "guest")
        assert failure["text"] == f"no guest on br-first answers {how} for {address}"
        assert f"ip address add {address}/{length} dev NIC; `nethook guest-config {address}`" in failure["advice"]
        site.rows.append(f"{site.name:22} {'guest without ' + address:50} failure  guest{'':16}{failure['text']}")
    finally:
        site.guest.run(f"ip addr add {address}/{length} dev eth0")
    site.is_healthy()


def test_a_typo_in_another_line_is_not_the_cause(site: Patient) -> None:
    """Of an address that has its line, another cause is named first; and alone, it makes nothing ill."""
    with undone(site, f"printf '{LINES.replace(chr(10), chr(92) + 'n')}' > {FILE}; nft delete table inet admin"):
        site.sh(f"echo '203.0.113.300 first' >> {FILE}")
        alone = site.doctor(A)
        assert (alone.status, alone.said["healthy"], alone.of("failure")) == (0, [A], [])
        (warning,) = alone.of("warning")
        assert "203.0.113.300 is not an IPv4 address" in warning["text"]
        site.sh(f"nft 'add table inet admin; {ADMINS_CHAIN}'")
        blocked = site.doctor(A)
        assert [failure["station"] for failure in blocked.of("failure")] == ["admin's nftables"]
        everything = site.doctor()
        assert everything.status == 1
        assert [failure["station"] for failure in everything.of("failure")] == ["configuration", "admin's nftables"]


def test_a_guest_that_is_off(site: Patient) -> None:
    bound = f"printf '{A} first guest=web2\\n{SIX} first\\n203.0.113.16/29 first\\n' > {FILE}"
    twin = "virsh dumpxml web1 | sed -e '/<uuid>/d' -e '/<mac /d' -e 's/web1/web2/' > /root/web2.xml"
    with undone(site, f"virsh undefine web2; printf '{LINES.replace(chr(10), chr(92) + 'n')}' > {FILE}"):
        site.sh(f"{twin}; virsh define /root/web2.xml; {bound}; nethook apply")
        (failure,) = site.doctor(A).of("failure")
        assert (failure["station"], failure["command"]) == ("guest", "virsh start web2")
        site.sh(f"sed -i s/web2/wbe2/ {FILE}")
        (typo,) = site.doctor(A).of("failure")
        assert (typo["station"], typo["advice"]) == ("guest", "did you mean web2?")


def test_a_guest_that_answers_by_another_nic(site: Patient) -> None:
    """Its default route leads to another network, so packets come, and nothing goes back where they came from."""
    detach = f"virsh detach-interface web1 network --live --mac {SECOND_MAC}"
    with undone(site, f"{detach}; nethook clear --yes; nethook apply"):  # and counts from 0
        attached = site.sh(f"virsh attach-interface web1 network second --live --model virtio --mac {SECOND_MAC}")
        assert attached.returncode == 0, attached.stderr
        site.guest.run("until [ -e /sys/class/net/eth1 ]; do sleep 0.1; done; ip link set eth1 up")
        site.guest.run("ip address add 203.0.113.66/28 dev eth1; ip route replace default via 203.0.113.65 dev eth1")
        site.sh("nethook clear --yes; nethook apply; sysctl -qw net.ipv4.conf.br-second.rp_filter=1")
        try:
            assert site.is_silent(A)
            site.lab.wan.namespace.run(["ping", "-c", "12", "-i", "0.05", "-W", "1", A], check=False)
            found = site.doctor(A)
            (warning,) = found.of("warning")
            assert (found.status, found.of("failure"), found.said["healthy"]) == (0, [], [])
            assert warning["station"] == "guest"
            assert warning["text"].startswith("packets come, and nothing from there has come back to br-first")
            assert f"ip route get 8.8.8.8 from {A}" in warning["advice"]
        finally:
            site.guest.run("ip route replace default via 192.168.50.1 dev eth0 onlink; ip address flush dev eth1")


def test_what_is_printed(site: Patient) -> None:
    healthy = site.host.nethook("doctor", A)
    assert (healthy.stdout, healthy.returncode) == ("1 address healthy; 0 warnings\n", 0)
    assert "ok: gate: in " in site.host.nethook("doctor", "-v").stdout
    with undone(site, "true"):
        site.sh("nft delete table inet nethook")
        ill = site.host.nethook("doctor")
        about = f"{A}, 203.0.113.16/29, {SIX}"
        assert ill.stdout.splitlines() == [
            "Do this first:",
            "    # nethook apply",
            "",
            f"failure: {about}: our table: our nftables table inet nethook is missing or has no rules",
            "    outside → uplink0 → forwarding → our table ✗ → firewall → br-first → guest",
            "",
            "0 of 3 addresses healthy; 1 failure, 0 warnings",
        ]


def test_nothing_is_changed(site: Patient) -> None:
    listings = (
        "nft -s list ruleset; ip route show table all; ip -6 route show table all; ip rule; sysctl -a -e 2>/dev/null"
    )
    volatile = "| grep -v -e random -e '[.]file-nr' -e inode -e dentry -e nf_conntrack_count -e ns_last_pid -e pty.nr"
    before = site.sh(f"({listings}) {volatile}").stdout
    site.doctor()
    assert site.sh(f"({listings}) {volatile}").stdout == before


def test_without_root(site: Patient) -> None:
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "nethook", "doctor"]
    refused = site.host.run(nobody, check=False)
    assert (refused.returncode, refused.stderr) == (2, "nethook: only root can see the firewalls: try it with sudo\n")


@pytest.mark.parametrize("address", [A, SIX])
def test_a_trace_says_what_the_client_sees(site: Patient, address: str) -> None:
    """Real packets between the client and a real guest: to its NIC and back, or to the rule that stops them."""
    probed = site.host.nethook("doctor", "--probe", address)
    assert probed.returncode == 0, probed.stdout
    status, found = site.trace(address, "--seconds", "6", traffic=lambda: site.answers(address))
    assert [each["fate"] for each in found] == ["passed", "passed"], found
    there, back = found
    assert (status, there["direction"], back["direction"]) == (0, "to guest", "from guest")
    assert there["text"].startswith("sent by br-first to the port vnet")
    assert back["text"] == "sent by uplink0"
    with undone(site, "nft delete table inet admin"):
        site.sh(f"nft 'add table inet admin; {ADMINS_CHAIN}'")
        status, (dropped,) = site.trace(address, "--count", "1", traffic=lambda: site.is_silent(address))
        where = "chain inet admin f, of an administrator, at the hook forward"
        assert (status, dropped["text"]) == (1, f"dropped by the policy of {where}")
    assert "nethook-trace" not in site.sh("nft list tables").stdout
