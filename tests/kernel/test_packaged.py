"""What maintainer scripts do on a real file system, beside what pip or an administrator has installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nethook.engine.run import APPLIED, NOTHING_APPLIED
from nethook.install.own_files import MARK
from nethook.install.package import DISTRIBUTED, stub
from nethook.packaged.clearing import PROGRAM
from nethook.packaged.scripts import INSTALLED, LATER, REMOVED
from tests.kernel.installation_host import HOOK, HOOKS, ONLY_HOOK, PYTHON, SERVICE, UNITS, InstallationHost
from tests.kernel.test_install import FOREIGN

if TYPE_CHECKING:
    from collections.abc import Iterator

MAIN = f"import sys; sys.path.insert(0, '{DISTRIBUTED}'); from nethook.packaged.scripts import main; main(sys.argv[1:])"
DISABLED = ["disable --now --quiet nethook.service", "reset-failed nethook.service", "daemon-reload"]


@pytest.fixture
def host() -> Iterator[InstallationHost]:
    """A host that has the program by pip, too."""
    made = InstallationHost()
    made.machine.run("mkdir", DISTRIBUTED)
    made.machine.run("cp", "-a", made.package, DISTRIBUTED)
    made.machine.write("/usr/lib/systemd/system/nethook.service", f"{MARK}\n")
    made.systemd("libvirtd.service")
    yield made
    made.close()


def maintain(host: InstallationHost, what: str) -> str:
    """Run a maintainer script, which has to succeed, and return what it prints."""
    return host.machine.run(PYTHON, "-I", "-c", f"import sys; sys.stderr = sys.stdout; {MAIN}", what)


def test_it_writes_the_hook_and_leaves_the_service_to_the_package_manager(host: InstallationHost) -> None:
    said = maintain(host, INSTALLED).splitlines()
    assert said[:2] == [f"+ {HOOK}", "reloaded libvirtd.service"]
    assert said[2].startswith(
        f"nethook: {host.package} is another copy, whose command a shell may find first; remove it: "
    )
    assert host.file(HOOK).read_text() == stub(PYTHON, DISTRIBUTED)
    assert host.systemctl_calls() == ["reload libvirtd.service"]
    before = host.state()
    assert len(maintain(host, INSTALLED).splitlines()) == 1
    assert (host.state(), host.systemctl_calls()) == (before, [])


def test_units_of_others_give_way_but_foreign_ones_stay(host: InstallationHost) -> None:
    host.machine.write(SERVICE, f"{MARK}\n")
    assert f"- {SERVICE}\n" in maintain(host, INSTALLED)
    assert host.systemctl_calls() == [*DISABLED, "reload libvirtd.service"]
    host.machine.write(SERVICE, "[Service]\n")
    maintain(host, INSTALLED)
    assert host.file(SERVICE).read_text() == "[Service]\n"


def test_the_link_of_release_0_6_is_replaced(host: InstallationHost) -> None:
    host.machine.run("mkdir", "-p", HOOKS)
    host.machine.run("ln", "-s", "/usr/bin/lv-setup-routed-ips", ONLY_HOOK)
    assert maintain(host, INSTALLED).splitlines()[:3] == [f"+ {HOOK}", f"- {ONLY_HOOK}", "reloaded libvirtd.service"]


def test_a_former_unit_that_applied_changes_is_named(host: InstallationHost) -> None:
    host.machine.write(f"{UNITS}/nethook.path", f"{MARK}\n")
    host.machine.write("/run/units/nethook.path.enabled", "")
    said = maintain(host, INSTALLED)
    assert "nethook.path applied changes automatically until now" in said
    assert not host.file(f"{UNITS}/nethook.path").exists()


def test_what_was_cleared_stays_so_at_an_upgrade_only(host: InstallationHost) -> None:
    host.machine.run("mkdir", "-p", "/run/nethook")
    host.machine.write(APPLIED, NOTHING_APPLIED)
    maintain(host, INSTALLED)
    assert not host.file(APPLIED).exists()
    host.machine.write(APPLIED, NOTHING_APPLIED)
    maintain(host, INSTALLED)
    assert host.file(APPLIED).read_text() == NOTHING_APPLIED


@pytest.mark.parametrize("wrong", ["a foreign hook", "a libvirt that is broken"])
def test_what_is_wrong_is_said_and_fails_nothing(host: InstallationHost, wrong: str) -> None:
    if wrong == "a foreign hook":
        host.machine.write(HOOK, FOREIGN.decode(), 0o755)
    else:
        host.machine.write("/usr/sbin/libvirtd", "#!/bin/sh\necho broken >&2; exit 1\n", 0o755)
    said = maintain(host, INSTALLED)
    assert f"nethook: {LATER}\n" in said


def test_what_is_left_can_be_cleared(host: InstallationHost) -> None:
    maintain(host, INSTALLED)
    host.machine.run("sh", "-c", "ip link add br0 up type bridge && ip route add 203.0.113.10 dev br0 proto 218")
    said = maintain(host, REMOVED)
    assert said.splitlines()[0] == f"- {HOOK}"
    command = said.splitlines()[1].rpartition("now: ")[2].split()
    assert command == [PYTHON, "-I", PROGRAM]
    host.machine.run("rm", "-r", DISTRIBUTED, host.package)
    assert "203.0.113.10" in host.machine.run("ip", "route")
    assert host.machine.run(*command) == "- route 203.0.113.10 → br0\n"
    assert "203.0.113.10" not in host.machine.run("ip", "route")
    assert not host.file(PROGRAM).exists()


def nethook(host: InstallationHost, *arguments: str) -> str:
    """Run the package's command, which has to succeed, and return what it prints."""
    start = f"import sys; sys.stderr = sys.stdout; sys.path.insert(0, '{DISTRIBUTED}'); from nethook.cli import main"
    return host.machine.run(PYTHON, "-I", "-c", f"{start}; sys.exit(main())", *arguments)


def test_its_command_says_whose_work_is_done_and_does_the_rest(host: InstallationHost) -> None:
    maintain(host, INSTALLED)
    for state in ("enabled", "active"):
        host.machine.write(f"/run/units/nethook.service.{state}", "")  # as the package manager leaves it
    done = "everything is already in place: the package libvirt-nethook-helper has installed it\n"
    assert nethook(host, "install") == done
    assert "+ /etc/sysctl.d/99-zz-nethook.conf\n" in nethook(host, "install", "--enable-forwarding")
    assert nethook(host, "install", "--enable-forwarding") == done
    assert "the package libvirt-nethook-helper stays: remove it" in nethook(host, "uninstall")


def test_pips_copy_does_not_install_itself_beside_a_package(host: InstallationHost) -> None:
    before = host.state()
    for arguments in ([], ["--dry-run"]):
        _, said = host.nethook("install", *arguments, status=1 + len(arguments))
        assert (
            f"the package libvirt-nethook-helper has installed nethook in {DISTRIBUTED}, and this is another copy"
            in said
        )
    assert host.state() == before
