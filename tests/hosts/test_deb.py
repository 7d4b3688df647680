"""The deb on booted hosts: installed, used, upgraded, removed, purged, while packets flow through a guest."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import unified_diff
from typing import TYPE_CHECKING, NamedTuple

import pytest

from lab.hosts import program
from lab.hosts.container import SHARED
from lab.hosts.flow import flow, flow_from
from lab.hosts.lab import Lab
from lab.hosts.program import HOOK
from lab.packages.builds import released_here
from lab.packages.newer import newer
from lab.packages.sources import NAME
from lab.waiting import wait_for
from nethook import __version__

if TYPE_CHECKING:
    from lab.hosts.guest import Guest
    from lab.hosts.systemd_host import SystemdHost
    from lab.processes import Completed

pytestmark = pytest.mark.hosts

LATER = "99.0.0"
ADDRESS, PRIVATE = "203.0.113.10", "192.168.50.7"
CLEARING = "/run/nethook-clear.pyz"
FILE = "/etc/default/routed-ips"
HOSTS = {"libvirt 9.0": ("bookworm", None), "libvirt 11.3 nftables": ("trixie", "nftables")}
APT = "DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends"

# Logs, what dpkg and apt keep of their own, what runs and changes by itself, what the lab puts there, and where pip
# installs. The lock of iptables belongs to whoever uses iptables, and may be held.
NOT_OURS = (
    *("/var/log", "/var/cache", "/var/lib/dpkg", "/var/lib/apt", "/run/log", "/run/systemd", "/run/udev", "/run/user"),
    *("/run/libvirt", "/var/lib/libvirt", "/etc/libvirt/qemu", "/var/lib/bench", "/run/bench-*"),
    *("/var/tmp", "/var/lib/systemd/timers", "/var/lib/systemd/random-seed", "/usr/local", "/run/xtables.lock"),  # noqa: S108
)
FILES = """set -e
find /etc /usr /var /run \\( %s \\) -prune -o -printf '%%p %%y %%m %%u %%g %%l\\n' | sort
find /etc -type f -not -path '/etc/libvirt/qemu/*' -exec sha256sum {} + | sort -k 2
""" % " -o ".join(f"-path '{path}'" for path in NOT_OURS)  # noqa: UP031 # find has braces of its own
KERNEL = """
nft --stateless list ruleset
for table in iptables ip6tables; do $table-save | sed 's/^[:#].*//'; done
{ ip route show table all; ip -6 route show table all; } | grep -v -e uplink0 -e vnet
ip rule; ip -6 rule; ip neighbour show nud permanent; ip -brief address show type bridge
"""
"""Without what is another after a reboot or a start of the guest: the uplink's MAC address, and the guest's tap."""


class Bench(NamedTuple):
    lab: Lab
    host: SystemdHost
    guest: Guest


@pytest.fixture(scope="module", params=HOSTS)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A host with a network and a guest that run; the tests are the stations of the package's life, in their order."""
    suite, backend = HOSTS[request.param]
    with Lab() as lab:
        host = lab.host(suite, firewall_backend=backend)
        lab.wan.deliver("203.0.113.0/24", host)
        host.network("public", addresses=["192.168.50.1/24"])
        addresses = [f"{PRIVATE}/24", f"{ADDRESS}/32"]
        guest = host.guest("web1", network="public", addresses=addresses, gateways=["192.168.50.1"])
        guest.start()
        host.virsh("net-autostart", "public")
        host.virsh("autostart", "web1")
        deb = released_here() / f"{NAME}_{__version__}-1_all.deb"
        shutil.copy(deb, host.shared / "old.deb")
        newer(deb, LATER, host.shared).rename(host.shared / "new.deb")
        yield Bench(lab, host, guest)


def apt(host: SystemdHost, *words: str) -> Completed:
    """Run apt-get, as an administrator does, and return what it prints."""
    return host.run(["sh", "-c", f"{APT} {' '.join(words)}"])


def footprint(host: SystemdHost) -> list[str]:
    """All that a package could leave."""
    return host.run(["sh", "-c", FILES + KERNEL]).stdout.splitlines()


def check_nothing_is_left(host: SystemdHost, before: list[str]) -> None:
    assert list(unified_diff(before, footprint(host), lineterm="", n=0)) == []


@contextmanager
def nothing_lost(bench: Bench, *, routed: bool = True) -> Iterator[None]:
    """No packet of the guest is lost meanwhile: from outside to its routed address, or with its private one."""
    with flow(bench.lab.wan, ADDRESS) if routed else flow_from(bench.guest, bench.lab.wan.client.ipv4) as seen:
        yield
    assert (seen.lost, seen.sent > 10) == (0, True), seen


def value(host: SystemdHost, name: str) -> str:
    return host.run(["systemctl", "show", "--value", f"--property={name}", "nethook"]).stdout.strip()


def exists(host: SystemdHost, path: str) -> bool:
    return host.run(["test", "-e", path], check=False).returncode == 0


@pytest.fixture(scope="module", autouse=True)
def before(bench: Bench) -> list[str]:
    return footprint(bench.host)


def test_installing_makes_libvirt_run_the_hook(bench: Bench) -> None:
    host = bench.host
    said = apt(host, "install", f"{SHARED}/old.deb").stdout
    assert f"+ {HOOK}\n" in said
    assert host.run(["stat", "-c", "%a %U", HOOK]).stdout == "755 root\n"
    assert [value(host, name) for name in ("ActiveState", "UnitFileState")] == ["active", "enabled"]
    host.run(["nethook", "add", ADDRESS, "public", "--yes"])
    assert bench.lab.wan.http(ADDRESS)
    checked = host.nethook("doctor")
    assert checked.returncode == 0, checked.stdout
    installed = host.nethook("install").stdout
    assert installed == "everything is already in place: the package libvirt-nethook-helper has installed it\n"


def test_an_upgrade_restarts_the_service_and_loses_nothing(bench: Bench) -> None:
    host = bench.host
    process, hook = value(host, "MainPID"), host.run(["stat", "-c", "%i", HOOK]).stdout
    with nothing_lost(bench):
        apt(host, "install", f"{SHARED}/new.deb")
    assert host.run(["nethook", "--version"]).stdout == f"nethook {LATER}\n"
    assert value(host, "ActiveState") == "active"
    assert value(host, "MainPID") != process
    assert host.run(["stat", "-c", "%i", HOOK]).stdout == hook


def test_after_a_reboot_it_is_reachable(bench: Bench) -> None:
    bench.guest.hang_up()
    bench.host.reboot()
    wait_for(lambda: bench.lab.wan.http(ADDRESS), "the address answers", 90)
    assert value(bench.host, "ActiveState") == "active"


def test_removing_leaves_guests_reachable(bench: Bench) -> None:
    host = bench.host
    with nothing_lost(bench):
        said = apt(host, "remove", NAME)
    assert f"python3 -I {CLEARING}" in said.stdout + said.stderr
    assert bench.lab.wan.http(ADDRESS)
    assert [exists(host, path) for path in (HOOK, "/usr/bin/nethook", "/usr/share/libvirt-nethook-helper")] == [
        False
    ] * 3
    assert value(host, "ActiveState") == "inactive"
    assert [exists(host, path) for path in (FILE, CLEARING)] == [True, True]
    bench.guest.stop()
    bench.guest.start()  # libvirt, which has not been reloaded, runs no hook any more
    assert bench.lab.wan.http(ADDRESS)


def test_installed_again_it_finds_everything_as_before(bench: Bench) -> None:
    host = bench.host
    with nothing_lost(bench):
        apt(host, "install", f"{SHARED}/old.deb")
    wait_for(lambda: host.nethook("plan").returncode == 0, "all is in force")
    assert [exists(host, path) for path in (HOOK, FILE, CLEARING)] == [True, True, False]
    assert value(host, "ActiveState") == "active"


def test_purging_leaves_nothing(bench: Bench, before: list[str]) -> None:
    with nothing_lost(bench, routed=False):
        apt(bench.host, "purge", NAME)
    assert not bench.lab.wan.http(ADDRESS, timeout=1)
    check_nothing_is_left(bench.host, before)


def test_it_takes_over_from_pip(bench: Bench, before: list[str]) -> None:
    host = bench.host
    host.write(FILE, f"{ADDRESS} public\n")
    program.install(host)
    assert bench.lab.wan.http(ADDRESS)
    with nothing_lost(bench):
        said = apt(host, "install", f"{SHARED}/old.deb")
    assert "is another copy, whose command a shell may find first" in said.stdout + said.stderr
    assert not exists(host, "/etc/systemd/system/nethook.service")
    assert sorted(host.run(["find", "/etc/firewalld", "-name", "*nethook*"]).stdout.split()) == [
        *(f"/etc/firewalld/ipsets/nethook{family}.xml" for family in (4, 6)),  # which have entries
    ]
    assert "packages=/usr/share/libvirt-nethook-helper\n" in host.read(HOOK)
    assert [value(host, name) for name in ("ActiveState", "UnitFileState")] == ["active", "enabled"]
    running = host.run(["sh", "-c", f"tr '\\0' ' ' </proc/{value(host, 'MainPID')}/cmdline"]).stdout
    assert running == "/usr/bin/python3 -I /usr/bin/nethook watch "
    refused = host.nethook("install")  # pip's
    assert "and this is another copy" in refused.stderr
    pip = ["/usr/bin/python3", "-m", "pip", "uninstall", "--yes", "--quiet", "--break-system-packages"]
    host.run([*pip, "--root-user-action=ignore", NAME])
    assert host.run(["/usr/bin/nethook", "doctor"]).returncode == 0
    apt(host, "purge", NAME)
    check_nothing_is_left(host, before)
