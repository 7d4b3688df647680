"""The bench itself: what the other tests take for granted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab.hosts.footprint import NAMESPACES, PROC, Footprint, sweep
from lab.hosts.guest import Guest
from lab.hosts.lab import Lab
from lab.hosts.systemd_host import SystemdHost
from lab.waiting import WaitError, wait_for

pytestmark = pytest.mark.hosts

ROUTED = "203.0.113.10"
PRIVATE = "192.168.50.10"
PRIVATE6 = "fd00:50::10"

# A run that is killed before it can tidy up; prints its footprint's identifier when its host is up.
DOOMED_RUN = """
from lab.hosts.lab import Lab
with Lab() as lab:
    lab.host("trixie")
    print(lab.footprint.id, flush=True)
    input()
"""


@pytest.fixture(scope="module")
def host(lab: Lab) -> SystemdHost:
    host = lab.host("trixie", firewall_backend="nftables")
    lab.wan.deliver("203.0.113.0/24", host)
    host.network("public", mode="nat", addresses=["192.168.50.1/24", "fd00:50::1/64"])
    return host


@pytest.fixture(scope="module")
def guest(host: SystemdHost) -> Guest:
    addresses = [f"{PRIVATE}/24", f"{ROUTED}/32", f"{PRIVATE6}/64"]
    guest = host.guest("web1", network="public", addresses=addresses, gateways=["192.168.50.1", "fd00:50::1"])
    guest.start()
    return guest


def test_guest_answers_its_host(host: SystemdHost, guest: Guest) -> None:
    assert host.run(["curl", "-s", f"http://{PRIVATE}/"]).stdout == f"{guest.name} 192.168.50.1\n"
    assert host.run(["curl", "-sg", f"http://[{PRIVATE6}]/"]).stdout == f"{guest.name} fd00:50::1\n"


def test_guest_reaches_the_outside_by_nat(lab: Lab, host: SystemdHost, guest: Guest) -> None:
    assert guest.fetch(f"http://{lab.wan.client.ipv4}/") == host.place.ipv4
    assert lab.wan.web_server_log().splitlines()[-1] == host.place.ipv4


def test_unrouted_address_is_unreachable_in_both_directions(lab: Lab, guest: Guest) -> None:
    assert not lab.wan.http(ROUTED)
    assert not lab.wan.ping(ROUTED)
    assert guest.fetch(f"http://{lab.wan.client.ipv4}/", source=ROUTED) is None


def test_host_answers_the_outside_with_both_families(lab: Lab, host: SystemdHost) -> None:
    assert lab.wan.ping(host.place.ipv4)
    assert lab.wan.ping(host.place.ipv6)


def test_prefix_is_delivered_to_the_host(lab: Lab, host: SystemdHost) -> None:
    host.run(["ip", "address", "add", "203.0.113.20/32", "dev", "lo"])
    host.run(["ip", "address", "add", "2001:db8:7::20/128", "dev", "lo"])
    lab.wan.deliver("2001:db8:7::/64", host)
    assert lab.wan.ping("203.0.113.20")
    assert lab.wan.ping("2001:db8:7::20")


def test_guest_command_that_hangs_does_not_block_the_next(guest: Guest) -> None:
    guest.run("sleep 60", check=False, timeout=1)
    assert guest.run("hostname") == "web1\n"


def test_stopped_guest_starts_again(guest: Guest) -> None:
    guest.stop()
    guest.start()
    assert guest.run("hostname") == "web1\n"


def test_logs_of_a_host(host: SystemdHost, guest: Guest, tmp_path: Path) -> None:
    host.run(["logger", "-t", "nethook", "hello"])
    wait_for(lambda: "hello" in host.syslog("nethook"), "the journal has the line")
    host.collect_logs(tmp_path)
    assert "libvirtd" in (tmp_path / "journal").read_text()
    assert "hello" in (tmp_path / "nethook").read_text()
    assert "libvirt_network" in (tmp_path / "nft-ruleset").read_text()
    assert "br-public" in (tmp_path / "routes").read_text()
    assert f"guest {guest.name} is up" in (tmp_path / f"guest-{guest.name}").read_text()


def test_firewalld_starts_when_asked(host: SystemdHost) -> None:
    assert host.run(["systemctl", "is-active", "firewalld"], check=False).stdout == "inactive\n"
    host.start_firewalld()
    assert "br-public" in host.run(["firewall-cmd", "--zone=libvirt", "--list-interfaces"]).stdout


def test_machines_own_libvirt_shows_nothing_of_the_machine() -> None:
    with Lab() as lab:
        host = lab.machine_host()
        assert host.virsh("net-list", "--all", "--name").strip() == ""
        host.network("public", addresses=["192.168.50.1/24"])
        host.restart_libvirtd()
        assert host.virsh("net-list", "--name").strip() == "public"


def test_hosts_of_a_lab_see_each_other() -> None:
    with Lab() as lab:
        first, second = lab.host("bookworm", "first"), lab.host("bookworm", "second")
        assert first.run(["hostname"]).stdout == "first\n"
        assert first.run(["ping", "-c", "1", second.place.ipv4]).returncode == 0


def test_labs_at_the_same_time_do_not_meet() -> None:
    with Lab() as first, Lab() as second:
        hosts = [lab.machine_host() for lab in (first, second)]
        assert hosts[0].place == hosts[1].place
        first.wan.namespace.ip("link set switch down")
        assert not first.wan.ping(hosts[0].place.ipv4)
        assert second.wan.ping(hosts[1].place.ipv4)


def test_nothing_is_left_of_a_lab() -> None:
    with Lab() as lab:
        lab.machine_host()
        assert traces(lab.footprint)
    wait_for_no_traces(lab.footprint)


def test_next_run_removes_what_a_killed_run_left() -> None:
    run = subprocess.Popen([sys.executable, "-c", DOOMED_RUN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with run:
        assert run.stdout
        footprint = Footprint(run.stdout.readline().strip())
        os.kill(run.pid, signal.SIGKILL)
    assert traces(footprint)
    sweep()
    wait_for_no_traces(footprint)


def test_waiting_tells_the_last_value_seen() -> None:
    with pytest.raises(WaitError, match=r"the pond freezes: not within 0 s, last seen: \[\]"):
        wait_for(list, "the pond freezes", timeout=0)


def wait_for_no_traces(footprint: Footprint) -> None:
    """Processes have ended by now, but those without a parent may have to wait for the machine's init."""
    wait_for(lambda: not traces(footprint), f"no traces of {footprint.name}", 5)


def traces(footprint: Footprint) -> list[str]:
    """Everything on this machine that belongs to the footprint."""
    mounts = [line for line in (PROC / "mounts").read_text().splitlines() if footprint.id in line]
    namespaces = [path.name for path in NAMESPACES.iterdir() if footprint.id in path.name]
    processes = [path.name for path in PROC.glob("[0-9]*") if footprint.id in _cgroup(path)]
    places = [str(path) for path in (footprint.folder, footprint.cgroup) if path.exists()]
    return [*mounts, *namespaces, *processes, *places]


def _cgroup(process: Path) -> str:
    try:
        return (process / "cgroup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
