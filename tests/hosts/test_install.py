"""`nethook install` where libvirtd and systemd run: what it writes is found, and the host boots with it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from lab.hosts import program
from lab.hosts.lab import Lab
from lab.hosts.program import HOOK
from lab.waiting import wait_for

if TYPE_CHECKING:
    from lab.hosts.systemd_host import SystemdHost

pytestmark = pytest.mark.hosts

FILE = "/etc/default/routed-ips"
ADDRESS, LATER = "203.0.113.10", "203.0.113.11"
HOSTS = {"libvirt 9.0": ("bookworm", None), "libvirt 11.3 nftables": ("trixie", "nftables")}
FIREWALLD = (
    *("ipsets/nethook4", "ipsets/nethook-private4", "ipsets/nethook6", "ipsets/nethook-private6"),
    "policies/00-nethook",
)
UNITS = (
    *("nethook.service", "nethook.path", "nethook-file@.path", "nethook-reload.service"),
    "nethook-firewalld.service",
)


@pytest.fixture(scope="module", params=HOSTS)
def bench(request: pytest.FixtureRequest) -> Iterator[tuple[Lab, SystemdHost]]:
    """A host with a network and a guest that start at boot; the tests are the stations of its life, in their order."""
    suite, backend = HOSTS[request.param]
    with Lab() as lab:
        host = lab.host(suite, firewall_backend=backend)
        lab.wan.deliver("203.0.113.0/24", host)
        program.put(host)
        host.network("public", addresses=["192.168.50.1/24"])
        addresses = [f"{ADDRESS}/32", f"{LATER}/32"]
        host.guest("web1", network="public", addresses=addresses, gateways=["192.168.50.1"]).start()
        host.virsh("net-autostart", "public")
        host.virsh("autostart", "web1")
        host.write(FILE, f"{ADDRESS} public\n")
        yield lab, host


def test_installing_routes_what_runs_already(bench: tuple[Lab, SystemdHost]) -> None:
    lab, host = bench
    dry = host.nethook("install", "--dry-run")
    assert (dry.returncode, f"would write {HOOK}\n" in dry.stdout) == (0, True)
    assert host.run(["test", "-e", HOOK], check=False).returncode == 1
    assert not lab.wan.http(ADDRESS)
    installed = host.nethook("install")
    assert installed.returncode == 0, installed.stderr
    assert installed.stdout.splitlines() == [
        *(f"+ /etc/firewalld/{name}.xml" for name in FIREWALLD),
        f"+ {HOOK}",
        "reloaded libvirtd.service",
        *(f"+ /etc/systemd/system/{unit}" for unit in UNITS),
        "systemd has read its units",
        "enabled nethook.service",
        "started nethook.service",
        "enabled nethook-firewalld.service",
        "started nethook-firewalld.service",
    ]
    assert lab.wan.http(ADDRESS)
    again = host.nethook("install")
    assert (again.returncode, again.stdout) == (0, "everything is already in place\n")


def test_the_hook_is_found_without_a_restart_of_libvirtd(bench: tuple[Lab, SystemdHost]) -> None:
    lab, host = bench
    host.run(["nft", "delete", "table", "inet", "nethook"])
    assert not lab.wan.http(ADDRESS)
    (guest,) = host.guests
    guest.stop()
    guest.start()
    assert lab.wan.http(ADDRESS)


def test_the_service_writes_its_folder_and_the_lock_of_iptables_only(bench: tuple[Lab, SystemdHost]) -> None:
    lab, host = bench
    drop_in = "/etc/systemd/system/nethook.service.d/test.conf"
    tries = "touch /run/nethook/written; touch /run/elsewhere; touch /etc/elsewhere"
    host.write(drop_in, f"[Service]\nExecStartPre=-/bin/sh -c '{tries}'\n")
    host.run(["iptables-legacy", "-P", "FORWARD", "DROP"])
    host.run(["rm", "/run/xtables.lock"])
    host.run(["systemctl", "daemon-reload"])
    host.run(["systemctl", "restart", "nethook.service"])
    assert "nethook" in host.run(["iptables-legacy", "-S", "FORWARD"]).stdout
    assert lab.wan.http(ADDRESS)
    assert host.run(["test", "-e", "/run/nethook/written"], check=False).returncode == 0
    for path in ("/run/elsewhere", "/etc/elsewhere"):
        assert host.run(["test", "-e", path], check=False).returncode == 1
    assert host.run(["stat", "-c", "%a", "/run/nethook", "/run/xtables.lock"]).stdout.split() == ["700", "600"]
    host.run(["rm", "-r", "/etc/systemd/system/nethook.service.d", "/run/nethook/written"])
    host.run(["iptables-legacy", "-P", "FORWARD", "ACCEPT"])
    host.run(["systemctl", "daemon-reload"])
    host.run(["systemctl", "restart", "nethook.service"])


def test_mistakes_of_the_service_are_in_the_journal_under_our_name(bench: tuple[Lab, SystemdHost]) -> None:
    _, host = bench
    host.write(FILE, f"{ADDRESS} public\n203.0.113.300 public\n")
    host.run(["systemctl", "restart", "nethook.service"])
    logged = host.run(["journalctl", "-t", "nethook", "-o", "cat"]).stdout
    assert f"{FILE}:2:1: 203.0.113.300 is not an IPv4 address" in logged
    host.write(FILE, f"{ADDRESS} public\n")


def test_apply_never_undoes_what_a_hook_does_meanwhile(bench: tuple[Lab, SystemdHost]) -> None:
    _, host = bench
    second = host.network("second", addresses=["192.168.60.1/24"])
    host.write(FILE, f"{ADDRESS} public\n{LATER} second\n")
    ended = threading.Event()
    seen = []

    def apply_again_and_again() -> None:
        while not ended.is_set():
            seen.append(host.nethook("apply"))

    applying = threading.Thread(target=apply_again_and_again)
    applying.start()
    try:
        for _ in range(15):
            second.stop()
            second.start()
            applied = len(seen)
            wait_for(lambda: len(seen) > applied + 1, "an apply that began behind the start has ended")  # noqa: B023
            assert f"{LATER} dev br-second proto 218" in host.run(["ip", "route"]).stdout
    finally:
        ended.set()
        applying.join()
    assert {completed.stderr for completed in seen if completed.returncode} == set()
    second.stop()
    host.virsh("net-undefine", "second")
    host.write(FILE, f"{ADDRESS} public\n")


def test_after_a_reboot_it_is_reachable_without_a_hand(bench: tuple[Lab, SystemdHost]) -> None:
    lab, host = bench
    host.reboot()
    wait_for(lambda: lab.wan.http(ADDRESS), "the address answers", 90)
    assert host.run(["systemctl", "show", "--value", "--property=Result", "nethook"]).stdout == "success\n"
    assert host.nethook("status").returncode == 0


RESTARTS = {
    "a service that loads rules": "systemctl restart nftables",
    "its rules loaded anew": "systemctl reload nftables",
    "libvirt, of which all was flushed": "nft flush ruleset; systemctl restart libvirtd",
}


@pytest.mark.parametrize("what", RESTARTS)
def test_files_are_applied_after_restarts(bench: tuple[Lab, SystemdHost], what: str) -> None:
    lab, host = bench
    host.run(["sh", "-c", RESTARTS[what]])
    wait_for(lambda: "table inet nethook\n" in host.run(["nft", "list", "tables"]).stdout, "our table is there again")
    wait_for(lambda: host.nethook("plan").returncode == 0, "all is in force")
    assert lab.wan.http(ADDRESS)


def test_files_are_applied_when_they_change_if_that_is_wanted(bench: tuple[Lab, SystemdHost]) -> None:
    lab, host = bench
    assert host.run(["systemctl", "is-enabled", "nethook.path"], check=False).stdout == "disabled\n"
    host.run(["systemctl", "enable", "--now", "nethook.path"])
    host.write(FILE, f"{ADDRESS} public\n{LATER} public\n")
    wait_for(lambda: lab.wan.http(LATER, timeout=1), "the new line is in force")
    host.write(FILE, f"{ADDRESS} public\n{LATER} public extra\n203.0.113.12 public\n")
    wait_for(lambda: "203.0.113.12" in host.run(["ip", "route"]).stdout, "the right lines are in force")
    assert lab.wan.http(LATER)
    host.write(FILE, f"{ADDRESS} public\n")
    wait_for(lambda: not lab.wan.http(LATER, timeout=1), "the line is withdrawn")


SAVED = {
    "appended": (f"echo 203.0.113.20 public >>{FILE}", "20"),
    "renamed over it, as editors and sed do": (f"sed -i 's/20 /21 /' {FILE}", "21"),
    "replaced by one from elsewhere": (f"echo 203.0.113.22 public >/tmp/new; mv /tmp/new {FILE}", "22"),
    "a folder is created": (f"mkdir {FILE}.d; echo 203.0.113.23 public >{FILE}.d/more.conf", "23"),
    "renamed in the folder": (f"sed -i 's/23 /24 /' {FILE}.d/more.conf", "24"),
    "renamed beside the folder": (f"sed -i 's/22 /25 /' {FILE}", "25"),
    "a file that comes before it": ("mkdir /etc/sysconfig; echo 203.0.113.26 public >/etc/sysconfig/routed-ips", "26"),
    "renamed in another place": ("sed -i 's/26 /27 /' /etc/sysconfig/routed-ips", "27"),
    "in a folder of ours": ("mkdir /etc/nethook; echo 203.0.113.28 public >/etc/nethook/routed-ips", "28"),
    "renamed in a folder of ours": ("sed -i 's/28 /29 /' /etc/nethook/routed-ips", "29"),
    "settings": (
        "echo 203.0.113.30 public >/etc/others; echo routed-ips = /etc/others >/etc/nethook/nethook.conf",
        "30",
    ),
    "deleted": ("rm -r /etc/nethook /etc/sysconfig", "25"),
}


def test_they_are_applied_however_they_are_saved(bench: tuple[Lab, SystemdHost]) -> None:
    _, host = bench
    for how, (command, last) in SAVED.items():
        host.run(["sh", "-c", command])
        wait_for(lambda: f"203.0.113.{last} " in host.run(["ip", "route"]).stdout, f"{how}: it is in force")  # noqa: B023
    host.run(["rm", "-r", f"{FILE}.d"])
    wait_for(lambda: "203.0.113.24 " not in host.run(["ip", "route"]).stdout, "what was in the folder is withdrawn")
    host.write(FILE, f"{ADDRESS} public\n")
    wait_for(lambda: "203.0.113.25 " not in host.run(["ip", "route"]).stdout, "the file is as it was")


def test_uninstalled_nothing_of_it_is_left(bench: tuple[Lab, SystemdHost]) -> None:
    lab, host = bench
    removed = host.nethook("uninstall")
    assert removed.returncode == 0, removed.stderr
    assert lab.wan.http(ADDRESS), "what is in the kernel stays"
    assert host.run(["find", "/etc/firewalld", "-name", "*nethook*"]).stdout == ""
    for path in (HOOK, *(f"/etc/systemd/system/{unit}" for unit in UNITS)):
        assert host.run(["test", "-e", path], check=False).returncode == 1
    assert host.run(["systemctl", "list-units", "--no-legend", "nethook*"]).stdout == "", "nothing watches any more"
    assert host.nethook("clear", "--yes").returncode == 0
    host.virsh("destroy", "web1")
    host.virsh("net-destroy", "public")
    host.virsh("net-start", "public")
    host.virsh("start", "web1")
    assert "nethook" not in host.run(["nft", "list", "ruleset"]).stdout
    assert host.nethook("uninstall").stdout == "nothing of nethook is installed here\n"


def test_a_hook_of_somebody_else_stays(bench: tuple[Lab, SystemdHost]) -> None:
    _, host = bench
    host.write(HOOK, "#!/bin/sh\n# mine\n", 0o755)
    refused = host.nethook("install")
    assert refused.returncode == 1
    assert f"{HOOK} is a foreign hook" in refused.stderr
    assert host.read(HOOK) == "#!/bin/sh\n# mine\n"
