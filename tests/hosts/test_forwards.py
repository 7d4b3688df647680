"""Forwarded ports on booted hosts, as people come to them: from another tool, beside firewalld, connected by SSH."""

from __future__ import annotations

import json
import re
import socket
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

import pytest

from lab.hosts.flow import flow
from lab.hosts.wan import CLIENT
from lab.waiting import wait_for

if TYPE_CHECKING:
    from lab.hosts.guest import Guest
    from lab.hosts.lab import Lab
    from lab.hosts.systemd_host import SystemdHost

pytestmark = pytest.mark.hosts

HOSTS = {"libvirt 9.0 iptables": ("bookworm", None), "libvirt 11.3 nftables": ("trixie", "nftables")}
FILE = "/etc/default/forwarded-ports"
MAC = "52:54:00:f0:01:02"
PRIVATE, BYSTANDER = "192.168.50.10", "203.0.113.20"
# As libvirt-hook-qemu ships it: with comments, and a comma too many, with which that tool keeps guests from starting.
HOOKS = f"""{{
    // the guest's name
    "web1": {{
        "interface": "br-lan",
        "private_ip": "{PRIVATE}",
        # which ports
        "port_map": {{
            "tcp": [443, 3389, [1100, 3000]],
            "udp": [27016],
        }},
        "port_range": [{{"init_port": 8888, "ports_num": 3, "protocol": "tcp"}}]
    }},
}}
"""
PORTS = {443: 443, 3389: 3389, 1100: 3000, 8888: 8888, 8889: 8889, 8890: 8890}
"""Where the guest listens for each of them."""
SSHD = """import ctypes, socket
ctypes.CDLL(None).prctl(15, b"sshd-session", 0, 0, 0)  # PR_SET_NAME
listening = socket.create_server(("", 22))
print("listens", flush=True)
accepted, _ = listening.accept()
print("accepts", flush=True)
accepted.recv(1)
"""


class Site(NamedTuple):
    """A host with a guest that has its reserved address by DHCP, and a bystander with a routed address."""

    lab: Lab
    host: SystemdHost
    guest: Guest

    @property
    def own(self) -> str:
        """The host's address."""
        return self.host.place.ipv4

    def answers(self, port: int) -> str | None:
        """What answers at this port of the host."""
        return self.lab.wan.fetch(self.own, port)

    def refuses(self, port: int) -> bool:
        """Whether the port is refused at once."""
        with self.lab.wan.namespace.entered():
            line = socket.socket()
        with closing(line):
            line.settimeout(5)
            try:
                line.connect((self.own, port))
            except ConnectionRefusedError:
                return True
        return False


@pytest.fixture(scope="module", params=HOSTS)
def site(request: pytest.FixtureRequest, lab: Lab) -> Site:
    suite, backend = HOSTS[request.param]
    host = lab.host(suite, firewall_backend=backend)
    lab.wan.deliver("203.0.113.0/24", host)
    host.write("/etc/default/routed-ips", f"{BYSTANDER} other\n")
    host.network("lan", addresses=["192.168.50.1/24"], reserves={MAC: PRIVATE})
    host.network("other", addresses=["192.168.60.1/24"])
    guest = host.guest("web1", network="lan", addresses=[], mac=MAC)
    bystander = host.guest(
        "web2", network="other", addresses=["192.168.60.2/24", f"{BYSTANDER}/32"], gateways=["192.168.60.1"]
    )
    host.install()
    host.run(["sysctl", "-qw", "net.ipv6.conf.default.accept_ra=0"])  # of taps, which doctor would warn of
    for each in (guest, bystander):
        each.start()
    host.run(["sh", "-c", "virsh net-autostart lan; virsh autostart web1"])
    guest.ask_for_address()
    return Site(lab, host, guest)


def test_what_another_tool_forwarded_is_served(site: Site) -> None:
    site.host.write("/root/hooks.json", HOOKS)
    with flow(site.lab.wan, BYSTANDER) as bystander:
        imported = site.host.nethook("import", "--write", "/root/hooks.json")
        assert imported.returncode == 0, imported.stderr
        assert f"{site.own}:1100  lan  guest=web1 to=3000" in site.host.read(FILE)
        assert "nothing is wrong" in site.host.nethook("check").stderr
        assert site.host.nethook("apply").returncode == 0
        site.guest.run("; ".join(f"httpd -p {port} -h /www" for port in PORTS.values()))
        assert {port: site.answers(port) for port in PORTS} == dict.fromkeys(PORTS, f"web1 {CLIENT.ipv4}")
        site.guest.stop()
        assert all(site.refuses(port) for port in PORTS)
        site.guest.start()
        site.guest.ask_for_address()
    assert bystander.lost == 0
    site.guest.run("; ".join(f"httpd -p {port} -h /www" for port in PORTS.values()))
    assert {port: site.answers(port) for port in PORTS} == dict.fromkeys(PORTS, f"web1 {CLIENT.ipv4}")
    found = json.loads(site.host.nethook("status", "--json").stdout)["forwards"]
    assert {each["state"] for each in found} == {"forwarded"}
    assert sum(each["connections"] for each in found) == len(PORTS)
    assert site.host.nethook("doctor").returncode == 0


def test_a_port_of_a_program_of_this_host_is_told_when_it_is_taken(site: Site) -> None:
    host = site.host
    host.run(["systemd-run", "--unit=of-host", "python3", "-m", "http.server", "8082"])
    wait_for(lambda: site.answers(8082), "the program of the host answers")
    host.write(FILE, f"{site.own}:8082 lan guest=web1 to=80\n")
    for verb, status in (("check", 0), ("plan", 1), ("apply", 0)):
        told = host.nethook(verb)
        assert told.returncode == status
        assert re.search(
            r"warning: python3 \(pid \d+\) of this host listens at port 8082 \(tcp\)", told.stdout + told.stderr
        )
    assert site.answers(8082) == f"web1 {CLIENT.ipv4}"
    again = host.nethook("apply")
    assert (again.returncode, again.stdout, again.stderr) == (
        0,
        "2 lines: 1 routed, 1 forwarded\n",
        "nethook: nothing to do\n",
    )
    host.run(["systemctl", "stop", "of-host"])


def test_the_doctor_names_what_keeps_clients_from_the_guest(site: Site) -> None:
    """A policy without our gate, an admin's chain, a port at which nothing listens; and nothing of that."""
    host = site.host
    host.write(FILE, f"{site.own}:8080 lan guest=web1 to=80\n{site.own}:8081 lan guest=web1 to=9\n{site.own}:22 -\n")
    assert host.nethook("apply").returncode == 0
    closed = f"{PRIVATE} refuses TCP port 9"

    def found() -> tuple[set[str], set[str]]:
        said = json.loads(host.nethook("doctor", "--json", site.own).stdout)["findings"]
        texts = {each["text"]: each["verdict"] for each in said if each["station"] != "br_netfilter"}
        failures, warnings = ({text for text in texts if texts[text] == bad} for bad in ("failure", "warning"))
        return failures, warnings

    assert found() == (set(), {closed})
    host.run(["systemctl", "stop", "nethook"])  # it would put that right
    host.run(["iptables", "-P", "FORWARD", "DROP"])
    gate = "-m mark --mark 0x10000000/0x10000000 -m comment --comment nethook-0x10000000 -j ACCEPT"
    host.run(["iptables", "-D", "FORWARD", *gate.split()], check=False)  # libvirt's rules may have needed it
    assert site.answers(8080) is None
    failures, _ = found()
    assert any("FORWARD is missing" in text for text in failures)
    host.run(["systemctl", "start", "nethook"])
    assert site.answers(8080) == f"web1 {CLIENT.ipv4}"
    assert found() == (set(), {closed})
    host.run(["iptables", "-P", "FORWARD", "ACCEPT"])
    assert host.nethook("apply").returncode == 0
    rules = "chain f { type filter hook forward priority filter + 5; policy drop; ct state established accept; }"
    host.run(["nft", f"table inet admin {{ {rules}; }}"])
    assert site.answers(8080) is None
    said = json.loads(host.nethook("doctor", "--json", site.own).stdout)
    (blocker,) = [each for each in said["findings"] if each["verdict"] == "failure"]
    assert blocker["text"] == "chain inet admin f drops packets to the guest: its policy"
    host.run(["sh", "-c", blocker["command"]])
    assert site.answers(8080) == f"web1 {CLIENT.ipv4}"
    assert found() == (set(), {closed})
    host.run(["nft", "delete", "table", "inet", "admin"])
    host.write(FILE, "")
    assert host.nethook("apply").returncode == 0


def test_firewalld_lets_forwards_pass_or_doctor_says_why_not(site: Site) -> None:
    """Strict mode came with firewalld 2.3; earlier ones do not know the word."""
    is_strict = site.host.run(["grep", "-q", "StrictForwardPorts", "/etc/firewalld/firewalld.conf"], check=False)
    site.host.write(FILE, f"{site.own}:8080 lan guest=web1 to=80\n")
    assert site.host.nethook("apply").returncode == 0
    site.host.start_firewalld()
    wait_for(lambda: site.answers(8080) == f"web1 {CLIENT.ipv4}", "the forward passes firewalld")
    if is_strict.returncode == 0:
        conf = "/etc/firewalld/firewalld.conf"
        site.host.run(["sed", "-i", "s/^StrictForwardPorts=.*/StrictForwardPorts=yes/", conf])
        site.host.run(["firewall-cmd", "--reload"])
        assert site.answers(8080) is None
        for verb in ("doctor", "check"):
            assert "StrictForwardPorts=yes" in site.host.nethook(verb).stdout
        site.host.run(["sed", "-i", "s/^StrictForwardPorts=.*/StrictForwardPorts=no/", conf])
        site.host.run(["firewall-cmd", "--reload"])
        wait_for(lambda: site.answers(8080) == f"web1 {CLIENT.ipv4}", "the forward passes firewalld again")
    site.host.run(["systemctl", "stop", "firewalld"])
    site.host.restart_libvirtd()


def test_nobody_who_is_connected_by_ssh_is_locked_out(site: Site) -> None:
    site.host.write("/root/sshd.py", SSHD)
    site.host.run(["systemd-run", "--unit=as-sshd", "python3", "/root/sshd.py"])

    def says(what: str) -> bool:
        return what in site.host.run(["journalctl", "-u", "as-sshd", "-o", "cat"]).stdout

    wait_for(lambda: says("listens"), "it listens")
    with site.lab.wan.namespace.entered():
        session = socket.create_connection((site.own, 22), 5)
    with closing(session):
        wait_for(lambda: says("accepts"), "it has a session")
        site.host.write(FILE, f"{site.own}:22 lan guest=web1 to=80\n{site.own}:8080 lan guest=web1 to=80\n")
        site.host.run(["systemctl", "reload", "nethook"])  # which may not know whose a socket is
        assert site.answers(22) is None
        for verb in ("check", "plan", "apply"):
            asked = site.host.nethook(verb)
            assert asked.returncode == 1
            assert "somebody is connected" in asked.stdout + asked.stderr
        assert site.answers(8080) == f"web1 {CLIENT.ipv4}"
        assert site.answers(22) is None
        assert site.host.nethook("apply", "--force").returncode == 0
        assert site.answers(22) == f"web1 {CLIENT.ipv4}"
        session.sendall(b"x")
    wait_for(lambda: "as-sshd" not in site.host.run(["systemctl", "list-units", "--state=active"]).stdout, "it ends")
    site.host.write(FILE, "")
    assert site.host.nethook("apply").returncode == 0
