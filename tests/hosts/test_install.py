"""`nethook install` where libvirtd and systemd run: what it writes is found, and the host boots with it."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.hosts import program
from lab.hosts.lab import Lab
from lab.hosts.program import HOOK
from lab.waiting import wait_for
from nethook.install.own_files import MARK

if TYPE_CHECKING:
    from lab.hosts.systemd_host import SystemdHost

pytestmark = pytest.mark.hosts

LOGS = Path(__file__).parents[2] / "test-logs"
FILE = "/etc/default/routed-ips"
ADDRESS, LATER = "203.0.113.10", "203.0.113.11"
HOSTS = {"libvirt 9.0": ("bookworm", None), "libvirt 11.3 nftables": ("trixie", "nftables")}
FIREWALLD = (
    *("ipsets/nethook4", "ipsets/nethook-private4", "ipsets/nethook6", "ipsets/nethook-private6"),
    "policies/00-nethook",
)
UNIT = "/etc/systemd/system/nethook.service"
SETTINGS = "/etc/nethook/nethook.conf"
MOST_EXPOSED = 2.5
"""What `systemd-analyze security` may say of the service; 0 is best, 10 worst."""


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
    assert (dry.returncode, f"would write {HOOK}\n" in dry.stdout) == (1, True)
    assert host.run(["test", "-e", HOOK], check=False).returncode == 1
    assert not lab.wan.http(ADDRESS)
    installed = host.nethook("install")
    assert installed.returncode == 0, installed.stderr
    assert installed.stdout.splitlines() == [
        *(f"+ /etc/firewalld/{name}.xml" for name in FIREWALLD),
        f"+ {HOOK}",
        "reloaded libvirtd.service",
        f"+ {UNIT}",
        "systemd has read its units",
        "enabled nethook.service",
        "started nethook.service",
    ]
    assert lab.wan.http(ADDRESS)
    again = host.nethook("install")
    assert (again.returncode, again.stdout) == (0, "everything is already in place\n")


def test_the_hook_is_found_without_a_restart_of_libvirtd(bench: tuple[Lab, SystemdHost]) -> None:
    lab, host = bench
    host.run(["systemctl", "stop", "nethook"])
    assert lab.wan.http(ADDRESS), "a stop of the service changes nothing"
    host.run(["nft", "delete", "table", "inet", "nethook"])
    assert not lab.wan.http(ADDRESS)
    (guest,) = host.guests
    guest.stop()
    guest.start()
    assert lab.wan.http(ADDRESS)
    host.run(["systemctl", "start", "nethook"])


def test_the_service_tells_systemd_what_is_in_force(bench: tuple[Lab, SystemdHost]) -> None:
    _, host = bench
    assert _property(host, "StatusText").startswith("1 line routed, 0 lines forwarded; ")
    assert _property(host, "NRestarts") == "0"


def test_the_service_is_confined(bench: tuple[Lab, SystemdHost]) -> None:
    _, host = bench
    said = host.run(["systemd-analyze", "security", "--no-pager", "nethook.service"]).stdout
    LOGS.mkdir(exist_ok=True)
    (LOGS / f"exposure-{host.name}.txt").write_text(said)
    found = re.search(r"Overall exposure level for nethook.service: ([\d.]+) ", said)
    assert found
    assert float(found[1]) <= MOST_EXPOSED


def _property(host: SystemdHost, name: str) -> str:
    return host.run(["systemctl", "show", "--value", f"--property={name}", "nethook"]).stdout.strip()


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


LATER_UNIT = """[Unit]
After=nethook.service
[Service]
Type=oneshot
ExecStart=sh -c 'ip route >/root/seen'
[Install]
WantedBy=multi-user.target
"""


def test_after_a_reboot_it_is_reachable_without_a_hand(bench: tuple[Lab, SystemdHost]) -> None:
    lab, host = bench
    host.write("/etc/systemd/system/later.service", LATER_UNIT)
    host.run(["systemctl", "enable", "later"])
    host.reboot()
    wait_for(lambda: lab.wan.http(ADDRESS), "the address answers", 90)
    assert (_property(host, "ActiveState"), _property(host, "NRestarts")) == ("active", "0")
    assert f"{ADDRESS} dev br-public proto 218" in host.read("/root/seen"), "units after it see what is routed"
    assert host.nethook("status").returncode == 0


def test_what_a_killed_service_has_missed_is_healed_after_its_restart(bench: tuple[Lab, SystemdHost]) -> None:
    lab, host = bench
    host.run(["sh", "-c", "systemctl kill -s KILL nethook; nft delete table inet nethook"])
    wait_for(lambda: lab.wan.http(ADDRESS, timeout=1), "the address answers")
    assert _property(host, "NRestarts") == "1"


def test_systemd_restarts_a_service_that_hangs(bench: tuple[Lab, SystemdHost]) -> None:
    lab, host = bench
    host.write("/etc/systemd/system/nethook.service.d/test.conf", "[Service]\nWatchdogSec=1\n")
    host.run(["sh", "-c", "systemctl daemon-reload; systemctl restart nethook"])
    before = _property(host, "MainPID")
    # It waits for the lock longer than that.
    host.run(["flock", "/run/nethook", "sh", "-c", "nft delete table inet nethook; sleep 4"])
    wait_for(lambda: lab.wan.http(ADDRESS, timeout=1), "the address answers")
    assert _property(host, "MainPID") != before
    assert "Watchdog timeout" in host.run(["journalctl", "-u", "nethook", "-o", "cat"]).stdout
    host.run(
        ["sh", "-c", "rm -r /etc/systemd/system/nethook.service.d; systemctl daemon-reload; systemctl restart nethook"]
    )


RESTARTS = {
    "a service that loads rules, restarted": "systemctl restart nftables",
    "a service that loads rules, stopped and started": "systemctl stop nftables; systemctl start nftables",
    "its rules loaded anew": "systemctl reload nftables",
    "firewalld started and stopped": "systemctl start firewalld; systemctl stop firewalld; systemctl restart libvirtd",
    "libvirt stopped and started": "systemctl stop libvirtd; systemctl start libvirtd",
    "libvirt, of which all was flushed": "nft flush ruleset; systemctl restart libvirtd",
}


@pytest.mark.parametrize("what", RESTARTS)
def test_the_service_stays_whatever_is_restarted(bench: tuple[Lab, SystemdHost], what: str) -> None:
    lab, host = bench
    before = _property(host, "MainPID")
    host.run(["sh", "-c", RESTARTS[what]])
    wait_for(lambda: "table inet nethook\n" in host.run(["nft", "list", "tables"]).stdout, "our table is there again")
    host.wait_for_libvirt()
    wait_for(lambda: host.nethook("plan").returncode == 0, "all is in force")
    assert lab.wan.http(ADDRESS)
    assert _property(host, "MainPID") == before
    assert _property(host, "ActiveState") == "active"


def test_a_libvirt_that_is_stopped_stays_so(bench: tuple[Lab, SystemdHost]) -> None:
    """Although systemd would start it for whoever asks it; and what is in force is healed meanwhile."""
    lab, host = bench
    host.run(["systemctl", "stop", "libvirtd"])
    host.run(["nft", "delete", "table", "inet", "nethook"])
    wait_for(lambda: lab.wan.http(ADDRESS, timeout=1), "the address answers")
    # libvirtd 11.3 crashes now and then while it stops, and is "failed" then
    assert host.run(["systemctl", "is-active", "libvirtd"], check=False).stdout in ("inactive\n", "failed\n")
    host.restart_libvirtd()


def test_changed_files_are_applied_with_a_reload(bench: tuple[Lab, SystemdHost]) -> None:
    lab, host = bench
    host.write(FILE, f"{ADDRESS} public\n{LATER} public extra\n{LATER} public\n")
    host.run(["systemctl", "reload", "nethook"])  # which ends when it is done
    assert lab.wan.http(LATER)
    host.write(FILE, f"{ADDRESS} public\n")
    host.run(["systemctl", "reload", "nethook"])
    assert not lab.wan.http(LATER, timeout=1)


def test_changed_files_are_applied_at_once_if_that_is_wanted(bench: tuple[Lab, SystemdHost]) -> None:
    lab, host = bench
    host.write(SETTINGS, "auto-apply = yes\n")
    host.write(FILE, f"{ADDRESS} public\n{LATER} public\n")
    wait_for(lambda: lab.wan.http(LATER, timeout=1), "the new line is in force")
    host.write(FILE, f"{ADDRESS} public\n{LATER} public extra\n203.0.113.12 public\n")
    wait_for(lambda: "203.0.113.12" in host.run(["ip", "route"]).stdout, "the right lines are in force")
    assert lab.wan.http(LATER)
    host.run(["sed", "-i", "2,$d", FILE])
    wait_for(lambda: not lab.wan.http(LATER, timeout=1), "the line is withdrawn")
    host.run(["rm", "-r", "/etc/nethook"])


ENABLED = "[Install]\nWantedBy=multi-user.target\n"
FORMER = {
    "nethook.path": f"[Path]\nPathChanged=/etc/nethook\nUnit=nethook-reload.service\n{ENABLED}",
    "nethook-file@.path": "[Unit]\nPartOf=nethook.path\n[Path]\nPathChanged=%f\nUnit=nethook-reload.service\n",
    "nethook-reload.service": "[Service]\nType=oneshot\nExecStart=true\n",
    "nethook-firewalld.service": f"[Service]\nExecStart=sleep infinity\n{ENABLED}",
    "nethook.service": f"[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=true\n{ENABLED}",
}
"""The units of an earlier version, as far as they matter here."""


def test_the_units_of_an_earlier_version_go(bench: tuple[Lab, SystemdHost]) -> None:
    lab, host = bench
    host.run(["systemctl", "stop", "nethook"])
    for name, text in FORMER.items():
        host.write(f"/etc/systemd/system/{name}", f"{MARK}\n{text}")
    host.run(["systemctl", "daemon-reload"])
    host.run(["systemctl", "enable", "--now", "nethook", "nethook.path", "nethook-firewalld"])
    host.run(["systemctl", "start", "nethook-file@etc-default.path"])
    assert "disabled nethook.path\n" in host.nethook("install").stdout
    assert _property(host, "SubState") == "running"
    assert lab.wan.http(ADDRESS)
    listed = host.run(["systemctl", "list-units", "--all", "--plain", "--no-legend", "nethook*"]).stdout
    assert [line.split()[0] for line in listed.splitlines()] == ["nethook.service"]
    assert host.run(["find", "/etc/systemd", "-name", "nethook*", "!", "-name", "nethook.service"]).stdout == ""


def test_uninstalled_nothing_of_it_is_left(bench: tuple[Lab, SystemdHost]) -> None:
    lab, host = bench
    removed = host.nethook("uninstall")
    assert removed.returncode == 0, removed.stderr
    assert lab.wan.http(ADDRESS), "what is in the kernel stays"
    assert host.run(["find", "/etc/firewalld", "-name", "*nethook*"]).stdout == ""
    for path in (HOOK, UNIT):
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
