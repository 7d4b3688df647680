"""The rpm on a booted host, with systemd, libvirt and a guest, and with a stand-in for the files of SELinux.

The host is Debian's, because no other can be booted here: rpm does not know what it has installed, so ``--nodeps``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import pytest

from lab.hosts.container import SHARED
from lab.hosts.flow import flow
from lab.hosts.lab import Lab
from lab.hosts.program import HOOK
from lab.packages.builds import released_here
from lab.packages.sources import NAME
from lab.waiting import wait_for
from nethook import __version__

if TYPE_CHECKING:
    from lab.hosts.guest import Guest
    from lab.hosts.systemd_host import SystemdHost

pytestmark = pytest.mark.hosts

ADDRESS = "203.0.113.10"
RPM = f"{SHARED}/{NAME}-{__version__}-1.noarch.rpm"
SELINUX = """
mount -t tmpfs none /sys/fs
mkdir -p /sys/fs/selinux/booleans
echo 1 >/sys/fs/selinux/enforce
echo "%s %s" >/sys/fs/selinux/booleans/virt_hooks_unconfined
"""
"""For a mount namespace: SELinux enforces, and its boolean is on (1) or off (0). Of /sys/fs, nothing else is needed."""


class Site(NamedTuple):
    lab: Lab
    host: SystemdHost
    guest: Guest

    def sh(self, script: str, *, boolean: int | None = None) -> str:
        """Run a script, and return all that it prints; with ``boolean``, SELinux is there and has this value of it."""
        if boolean is None:
            return self.host.run(["sh", "-ec", f"exec 2>&1; {script}"]).stdout
        stand_in = SELINUX % (boolean, boolean)
        return self.host.run(["unshare", "--mount", "sh", "-ec", f"exec 2>&1; {stand_in}{script}"]).stdout

    def has(self, path: str) -> bool:
        return self.host.run(["test", "-e", path], check=False).returncode == 0

    @property
    def service(self) -> list[str]:
        shown = self.sh("systemctl show --value --property=ActiveState --property=UnitFileState nethook")
        return shown.split()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Lab() as lab:
        host = lab.host("trixie", firewall_backend="nftables")
        lab.wan.deliver("203.0.113.0/24", host)
        host.network("public", addresses=["192.168.50.1/24"])
        guest = host.guest("web1", network="public", addresses=[f"{ADDRESS}/32"], gateways=["192.168.50.1"])
        guest.start()
        host.write("/etc/sysconfig/routed-ips", f"{ADDRESS} public\n")
        shutil.copy(released_here() / RPM.rpartition("/")[2], host.shared)
        yield Site(lab, host, guest)


def test_where_selinux_lets_no_hook_run_networks_start_all_the_same(site: Site) -> None:
    said = site.sh(f"rpm --install --nodeps {RPM}", boolean=0)
    what = "SELinux does not let libvirt run hooks, so no network would start any more"
    assert f"nethook: {what}; run: setsebool -P virt_hooks_unconfined on\n" in said
    assert not site.has(HOOK)
    assert site.service == ["active", "enabled"]
    assert site.lab.wan.http(ADDRESS)  # by the service alone
    site.host.virsh("net-start", "default")
    site.host.virsh("net-destroy", "default")
    examined = site.sh("nethook doctor || true", boolean=0)
    command = "setsebool -P virt_hooks_unconfined on && nethook install --yes"
    assert examined.startswith(f"Do this first:\n    # {command}\n\nfailure: selinux: SELinux does not let"), examined
    assert what in site.host.syslog("nethook")  # nobody may have read what rpm printed


def test_when_it_does_install_writes_the_hook(site: Site) -> None:
    with flow(site.lab.wan, ADDRESS) as seen:
        assert f"+ {HOOK}\n" in site.sh("nethook install", boolean=1)
    assert (seen.lost, seen.sent > 0) == (0, True)
    assert site.host.run(["stat", "-c", "%a %U:%G", HOOK]).stdout == "755 root:root\n"
    site.guest.stop()
    assert not site.lab.wan.http(ADDRESS, timeout=1)
    site.guest.start()
    wait_for(lambda: site.lab.wan.http(ADDRESS), "the address answers")
    assert site.host.run(["nethook", "doctor"], check=False).returncode == 0


def test_owners_and_contents_are_as_the_package_says(site: Site) -> None:
    assert site.sh(f"rpm --verify --nodeps --nomtime {NAME}") == ""
    foreign = site.sh(f"rpm --query --list {NAME} | xargs stat -c '%U:%G %n' | grep -v ^root:root || true")
    assert foreign == ""


def test_an_upgrade_restarts_the_service_and_loses_nothing(site: Site) -> None:
    before = site.sh("systemctl show --value --property=MainPID nethook")
    with flow(site.lab.wan, ADDRESS) as seen:
        site.sh(f"rpm --upgrade --nodeps --replacepkgs {RPM}")
    assert (seen.lost, seen.sent > 0) == (0, True)
    assert site.service == ["active", "enabled"]
    assert site.sh("systemctl show --value --property=MainPID nethook") != before
    assert site.has(HOOK)


def test_erasing_leaves_the_guest_reachable(site: Site) -> None:
    with flow(site.lab.wan, ADDRESS) as seen:
        said = site.sh(f"rpm --erase {NAME}")
    assert (seen.lost, seen.sent > 0) == (0, True)
    assert "to end that now: " in said
    assert not any(map(site.has, (HOOK, "/usr/bin/nethook", "/usr/share/libvirt-nethook-helper")))
    site.guest.stop()
    site.guest.start()
    wait_for(lambda: site.lab.wan.http(ADDRESS), "the address answers")
    site.sh("python3 -I /run/nethook-clear.pyz")
    assert not site.lab.wan.http(ADDRESS, timeout=1)


def test_without_selinux_all_is_there_at_once(site: Site) -> None:
    assert f"+ {HOOK}\n" in site.sh(f"rpm --install --nodeps {RPM}")
    wait_for(lambda: site.lab.wan.http(ADDRESS), "the address answers")
    assert site.service == ["active", "enabled"]


def test_all_that_is_ours_in_the_journal_has_one_identifier(site: Site) -> None:
    """Scripts of the package, service and hook; only systemd itself tells that it starts and stops the service."""
    site.guest.stop()
    for verb in ("net-destroy", "net-start"):
        site.host.virsh(verb, "public")
    site.sh("systemctl reload nethook; systemctl restart nethook")
    texts = site.host.syslog("nethook")
    for ours in ("[package]", "[network public started]", "package: addresses stay routed"):
        assert ours in texts
    entries = site.sh("journalctl --output=json --unit=nethook").splitlines()
    told = {json.loads(entry).get("SYSLOG_IDENTIFIER") for entry in entries}
    assert told == {"nethook", "systemd"}
    others = site.sh("journalctl --output=short | grep 'nethook: ' | grep -v ' nethook\\[' || true")
    assert others == ""  # what begins like our messages is nowhere under another name
