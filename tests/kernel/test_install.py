"""install and uninstall on a real file system: what they write, and what they refuse before anything is written."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from lab.waiting import wait_for
from lab.world.hook_process import HookProcess
from nethook.engine.run import APPLIED, NOTHING_APPLIED
from nethook.install.own_files import MARK
from nethook.install.package import stub
from nethook.install.units import FORMER
from tests.kernel.installation_host import HOOK, HOOKS, ONLY_HOOK, PYTHON, SERVICE, UNITS, InstallationHost

if TYPE_CHECKING:
    from collections.abc import Iterator

OLD_PROGRAM = "/usr/local/bin/lv-setup-routed-ips"
FOREIGN = b"#!/bin/sh\n# firewall of the admin\nexit 0\n"
PROFILES = "docker-default (enforce)\nlibvirtd (%s)\nlibvirtd//qemu_bridge_helper (enforce)\n"
RESTARTED = ["reset-failed nethook.service", "restart nethook.service"]


@pytest.fixture
def host() -> Iterator[InstallationHost]:
    made = InstallationHost()
    yield made
    made.close()


def check_refused(host: InstallationHost, *arguments: str, says: str, status: int = 1, python: str = PYTHON) -> None:
    """It refuses, with one sentence, and has changed nothing."""
    before = host.state()
    out, err = host.nethook("install", *arguments, status=status, python=python)
    assert (out, host.state(), host.systemctl_calls()) == ("", before, [])
    assert says in err
    assert "Traceback" not in err


def old_link(host: InstallationHost, target: str = OLD_PROGRAM) -> None:
    host.machine.run("mkdir", "-p", HOOKS)
    host.machine.run("ln", "-s", target, ONLY_HOOK)


def test_a_fresh_installation_runs(host: InstallationHost) -> None:
    host.systemd("libvirtd.service")
    out, err = host.nethook("install")
    assert out.splitlines() == [
        f"+ {HOOK}",
        "reloaded libvirtd.service",
        f"+ {SERVICE}",
        "systemd has read its units",
        "enabled nethook.service",
        "started nethook.service",
    ]
    assert err.endswith("write this line to /etc/nethook/nethook.conf: auto-apply = yes\n")
    assert host.systemctl_calls() == [
        "reload libvirtd.service",
        "daemon-reload",
        "enable --quiet nethook.service",
        "start nethook.service",
    ]
    assert host.file(HOOK).read_text() == stub(PYTHON, host.packages)
    assert f"ExecStart={PYTHON} -I -m nethook watch\n" in host.file(SERVICE).read_text()
    assert host.machine.run("find", HOOKS, "-printf", "%P %m %U\n").splitlines() == [
        " 755 0",
        "network.d 755 0",
        "network.d/50-nethook 755 0",
    ]
    with HookProcess(host.machine, "public", "started") as hook:
        hook.give(b"not XML")
    assert any("XML" in line.text for line in host.machine.syslog.new())  # it is Python that complains


def test_mistakes_in_the_files_are_shown(host: InstallationHost) -> None:
    host.machine.write("/etc/nethook/routed-ips", "203.0.113.10O public\n203.0.113.11 public\n")
    _, said = host.nethook("install")
    assert "/etc/nethook/routed-ips:1:1: 203.0.113.10O is not an IP address" in said
    assert "correct these mistakes, and run `nethook apply`" in said


def test_a_second_time_nothing_changes(host: InstallationHost) -> None:
    host.systemd("libvirtd.service")
    host.nethook("install")
    host.systemctl_calls()
    before = host.state()
    assert host.nethook("install") == ("everything is already in place\n", "")
    assert host.nethook("install", "--dry-run") == ("everything is already in place\n", "")
    assert (host.state(), host.systemctl_calls()) == (before, [])


def test_what_somebody_changed_is_put_right(host: InstallationHost) -> None:
    host.systemd("libvirtd.service")
    host.nethook("install")
    host.machine.run("chmod", "-x", HOOK)
    host.file(SERVICE).write_text(host.file(SERVICE).read_text() + "# changed\n")
    host.systemctl_calls()
    host.nethook("install")
    assert host.systemctl_calls() == ["reload libvirtd.service", "daemon-reload", *RESTARTED]
    assert host.nethook("install") == ("everything is already in place\n", "")


def with_former_units(host: InstallationHost, *running: str) -> None:
    """A host on which a version with five units was installed, of which these run."""
    host.systemd("libvirtd.service", *running)
    host.nethook("install")
    for unit in ("nethook.service", *FORMER):
        host.machine.write(f"{UNITS}/{unit}", f"{MARK}\n[Service]\nType=oneshot\n")
    for unit in running:
        host.machine.write(f"/run/units/{unit}.enabled", "")
    host.systemctl_calls()


def units_of(host: InstallationHost) -> list[str]:
    """The unit files with our name."""
    return sorted(path.name for path in host.file(UNITS).glob("nethook*"))


def test_the_units_of_a_former_version_become_one(host: InstallationHost) -> None:
    with_former_units(host, "nethook-firewalld.service")
    host.machine.write(f"{UNITS}/nethook-reload.service", "[Service]\nExecStart=true\n")
    out, err = host.nethook("install")
    assert out.splitlines() == [
        "disabled nethook-firewalld.service",
        *(f"- {UNITS}/{unit}" for unit in FORMER if unit != "nethook-reload.service"),
        f"+ {SERVICE}",
        "systemd has read its units",
        "restarted nethook.service",
    ]
    assert "automatically until now" not in err
    assert host.systemctl_calls() == [
        "disable --now --quiet nethook-firewalld.service",
        "reset-failed nethook-firewalld.service",
        "daemon-reload",
        *RESTARTED,
    ]
    assert units_of(host) == ["nethook-reload.service", "nethook.service"]  # the one of somebody else, and ours
    assert host.nethook("install") == ("everything is already in place\n", "")


def test_whoever_had_changes_applied_learns_how_to_keep_that(host: InstallationHost) -> None:
    with_former_units(host, "nethook.path")
    says = "nethook.path applied changes automatically until now. To keep that, write this line to "
    dry, err = host.nethook("install", "--dry-run", status=1)
    assert (dry.splitlines()[0], says in err) == ("would disable nethook.path", True)
    out, err = host.nethook("install")
    assert out.splitlines()[0] == "disabled nethook.path"
    assert err == f"nethook: {says}/etc/nethook/nethook.conf: auto-apply = yes\n"


def test_where_changes_are_applied_nothing_is_said(host: InstallationHost) -> None:
    with_former_units(host, "nethook.path")
    host.machine.write("/etc/nethook/nethook.conf", "auto-apply = yes\n")
    out, err = host.nethook("install")
    assert ("disabled nethook.path" in out, err) == (True, "")


def test_uninstall_removes_the_units_of_a_former_version(host: InstallationHost) -> None:
    with_former_units(host, "nethook-firewalld.service", "nethook.path")
    out, _ = host.nethook("uninstall")
    assert out.splitlines()[:-2] == [
        "disabled nethook-firewalld.service",
        "disabled nethook.path",
        *(f"- {UNITS}/{unit}" for unit in FORMER),
        "disabled nethook.service",
        f"- {SERVICE}",
        "systemd has read its units",
    ]
    assert units_of(host) == []


def test_a_dry_run_says_the_same_and_touches_nothing(host: InstallationHost) -> None:
    host.systemd("libvirtd.service")
    before = host.state()
    out, _ = host.nethook("install", "--dry-run", status=1)
    assert out.splitlines() == [
        f"would write {HOOK}",
        "would reload libvirtd.service",
        f"would write {SERVICE}",
        "would have systemd read its units",
        "would enable nethook.service",
        "would start nethook.service",
    ]
    assert (host.state(), host.systemctl_calls()) == (before, [])
    assert host.nethook("install", "--dry-run", status=1, user=1000)[0] == out


@pytest.mark.parametrize("verb", ["install", "uninstall"])
def test_only_root_can(host: InstallationHost, verb: str) -> None:
    before = host.state()
    _, err = host.nethook(verb, user=1000, status=2)
    assert "try it with sudo" in err
    assert host.state() == before


@pytest.mark.parametrize(
    ("version", "place"), [("6.4.0", ONLY_HOOK), ("6.5.0", HOOK), ("10.0.0", HOOK), ("5.10.0", ONLY_HOOK)]
)
def test_the_place_depends_on_the_version(host: InstallationHost, version: str, place: str) -> None:
    host.libvirt(version)
    host.nethook("install")
    assert host.machine.run("find", HOOKS, "-type", "f").split() == [place]


def test_a_hook_for_an_older_libvirt_is_not_run_a_second_time(host: InstallationHost) -> None:
    host.libvirt("6.4.0")
    host.nethook("install")
    host.libvirt("9.0.0")
    assert host.nethook("install")[0].splitlines() == [f"+ {HOOK}", f"- {ONLY_HOOK}"]


def test_without_libvirt(host: InstallationHost) -> None:
    host.machine.run("rm", "/usr/sbin/libvirtd")
    check_refused(host, says="libvirt-daemon-system", status=2)


def test_a_version_that_is_not_understood(host: InstallationHost) -> None:
    host.libvirt("unknown")
    check_refused(host, says="printed what is not understood", status=2)


def test_without_systemd_the_process_is_told(host: InstallationHost) -> None:
    host.machine.write("/usr/bin/systemctl", "#!/bin/sh\necho called >>/run/systemctl.log\nexit 1\n", 0o755)
    host.start_libvirt()
    out, err = host.nethook("install")
    assert "reloaded libvirtd, process " in out
    assert "have `nethook watch` run from boot on" in err
    wait_for(host.file("/run/reloads").exists, "the signal has arrived")
    assert not host.file(SERVICE).exists()
    assert host.systemctl_calls() == [], "where systemd does not run, there may be no systemctl"


def test_the_service_applies_the_files_although_all_was_cleared_before(host: InstallationHost) -> None:
    host.systemd("libvirtd.service")
    host.machine.write(APPLIED, NOTHING_APPLIED)
    host.nethook("install")
    assert not host.file(APPLIED).exists()
    host.machine.write(APPLIED, NOTHING_APPLIED)
    host.nethook("install")
    assert host.file(APPLIED).exists(), "one that runs leaves alone what was cleared"


def test_a_process_that_took_over_the_number_is_not_signalled(host: InstallationHost) -> None:
    host.machine.write("/run/libvirtd.pid", "1\n")
    out, _ = host.nethook("install")
    assert out == f"+ {HOOK}\n"


@pytest.mark.parametrize(("version", "place"), [("6.4.0", ONLY_HOOK), ("9.0.0", HOOK)])
@pytest.mark.parametrize("kind", ["file", "folder", "fifo", "link"])
def test_a_hook_of_somebody_else_stays(host: InstallationHost, version: str, place: str, kind: str) -> None:
    host.libvirt(version)
    host.machine.write(f"{HOOKS}/network.d/10-admin", FOREIGN, 0o755)
    if kind == "file":
        host.machine.write(place, FOREIGN, 0o755)
    else:
        made = {"folder": ["mkdir"], "fifo": ["mkfifo"], "link": ["ln", "-s", "/nowhere"]}[kind]
        host.machine.run(*made, place)
    check_refused(host, "--yes", says="is a foreign hook")
    if kind == "file":
        assert host.file(place).read_bytes() == FOREIGN


def test_the_only_hook_may_run_ours(host: InstallationHost) -> None:
    host.libvirt("6.4.0")
    host.machine.write(ONLY_HOOK, FOREIGN, 0o755)
    _, err = host.nethook("install", status=1)
    line = err.splitlines()[-1].partition("standard input: ")[2]
    host.machine.write(ONLY_HOOK, FOREIGN.replace(b"exit 0", line.encode()), 0o755)
    before = host.state()
    assert host.nethook("install")[0] == "everything is already in place\n"
    assert host.state() == before
    host.machine.run(ONLY_HOOK, "public", "started", "begin", "-", stdin="not XML")
    assert any("XML" in logged.text for logged in host.machine.syslog.new())


def test_other_hooks_of_a_newer_libvirt_stay(host: InstallationHost) -> None:
    host.machine.write(ONLY_HOOK, FOREIGN, 0o755)
    host.machine.write(f"{HOOKS}/network.d/10-admin", FOREIGN, 0o755)
    host.nethook("install")
    host.nethook("uninstall")
    for path in (ONLY_HOOK, f"{HOOKS}/network.d/10-admin"):
        assert host.file(path).read_bytes() == FOREIGN


def test_copies_of_the_hook_are_named(host: InstallationHost) -> None:
    host.nethook("install")
    for name in ("50-nethook~", "50-nethook.dpkg-old"):
        host.machine.run("cp", "-p", HOOK, f"{HOOKS}/network.d/{name}")
    host.machine.write(f"{HOOKS}/network.d/README", host.file(HOOK).read_bytes(), 0o644)
    _, err = host.nethook("install")
    named = [word.strip("'") for word in err.split()]
    assert [word for word in named if word.startswith(f"{HOOKS}/network.d/")] == [
        *[f"{HOOKS}/network.d/50-nethook.dpkg-old"] * 2,
        *[f"{HOOKS}/network.d/50-nethook~"] * 2,
    ]


@pytest.mark.parametrize("target_there", [True, False])
def test_the_link_of_an_earlier_release_is_left_or_replaced(host: InstallationHost, target_there: bool) -> None:
    old_link(host)
    if target_there:
        host.machine.write(OLD_PROGRAM, FOREIGN, 0o755)
    _, err = host.nethook("install")
    assert "nethook install --yes" in err
    assert ("libvirt runs in addition" in err) == target_there
    assert host.file(ONLY_HOOK).is_symlink()
    out, err = host.nethook("install", "--yes")
    assert out == f"- {ONLY_HOOK}\n"
    assert ONLY_HOOK not in err
    assert host.machine.run("find", HOOKS, "!", "-type", "d").split() == [HOOK]
    assert host.file(OLD_PROGRAM).exists() == target_there


@pytest.mark.parametrize(("answer", "stays"), [("y\n", False), ("\n", True), ("n\n", True)])
def test_at_a_terminal_it_asks(host: InstallationHost, answer: str, stays: bool) -> None:
    old_link(host)
    _, err = host.nethook("install", answer=answer)
    assert "Replace it? [y/N]" in err
    assert host.file(ONLY_HOOK).is_symlink() == stays


def test_a_dry_run_does_not_ask(host: InstallationHost) -> None:
    old_link(host)
    _, err = host.nethook("install", "--dry-run", status=1, answer="y\n")
    assert "[y/N]" not in err


def test_an_older_libvirt_has_no_place_besides_the_link(host: InstallationHost) -> None:
    host.libvirt("6.4.0")
    old_link(host)
    check_refused(host, says="nethook install --yes")
    host.nethook("install", "--yes")
    assert not host.file(ONLY_HOOK).is_symlink()
    assert host.file(ONLY_HOOK).read_text() == stub(PYTHON, host.packages)


@pytest.mark.parametrize("target", [OLD_PROGRAM, "../../../usr/local/bin/lv-setup-routed-ips"])
def test_a_link_that_apparmor_denies_is_not_left(host: InstallationHost, target: str) -> None:
    host.apparmor(PROFILES % "enforce")
    old_link(host, target)
    check_refused(host, says="AppArmor")
    host.nethook("install", "--yes")
    assert host.machine.run("find", HOOKS, "!", "-type", "d").split() == [HOOK]


@pytest.mark.parametrize(("mode", "target"), [("complain", OLD_PROGRAM), ("enforce", "/usr/bin/lv-setup-routed-ips")])
def test_a_link_that_apparmor_allows_may_stay(host: InstallationHost, mode: str, target: str) -> None:
    host.apparmor(PROFILES % mode)
    old_link(host, target)
    host.nethook("install")
    assert host.file(ONLY_HOOK).is_symlink()


def test_selinux_that_denies_hooks(host: InstallationHost) -> None:
    host.selinux("1", "0 0")
    check_refused(host, says="setsebool -P virt_hooks_unconfined on")


@pytest.mark.parametrize(
    ("enforce", "boolean", "warns"), [("1", "1 1", False), ("1", None, False), ("0", "0 0", True), ("0", None, False)]
)
def test_selinux_that_lets_hooks_run(host: InstallationHost, enforce: str, boolean: str | None, warns: bool) -> None:
    host.selinux(enforce, boolean)
    host.machine.write("/usr/sbin/restorecon", "#!/bin/sh\necho $* > /run/labelled\n", 0o755)
    out, err = host.nethook("install")
    assert out.splitlines() == [f"+ {HOOK}", f"labelled {HOOK}"]
    assert host.file("/run/labelled").read_text() == f"{HOOK}\n"
    assert ("setsebool" in err) == warns


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ("chown 1000", "hook.py"),
        ("chown -h 1000", "."),
        ("chmod 777", "host"),
        ("chmod 1777", "."),
        ("chmod 1777", ".."),
        ("chmod 666", "config/files.py"),
    ],
)
def test_code_that_others_may_change(host: InstallationHost, change: str, path: str) -> None:
    host.machine.run(*change.split(), f"{host.package}/{path}")
    check_refused(host, says="who could become root")


def test_a_folder_that_a_group_may_change(host: InstallationHost) -> None:
    """As Ubuntu has it: staff may write to /usr/local, and nobody is in staff."""
    folder = f"{host.package}/../.."
    host.machine.run("chmod", "2775", folder)
    host.machine.run("chgrp", "staff", folder)
    assert "would write" in host.nethook("install", "--dry-run", status=1)[0]
    host.machine.run("usermod", "--append", "--groups", "staff", "nobody")
    check_refused(host, says="can be written by nobody, who could become root")


def test_an_interpreter_that_others_may_change(host: InstallationHost) -> None:
    host.machine.run("mkdir", "/usr/local/own")
    host.machine.run("ln", "-s", PYTHON, "/usr/local/own/python")
    host.machine.run("chown", "1000", "/usr/local/own")
    check_refused(host, says="/usr/local/own belongs to user 1000", python="/usr/local/own/python")


def test_a_link_on_the_way_that_others_may_change(host: InstallationHost) -> None:
    host.machine.run("mkdir", "-m", "1777", "/usr/local/own")
    host.machine.run("ln", "-s", PYTHON, "/usr/local/own/python")
    host.machine.run("ln", "-s", "own/python", "/usr/local/python")
    host.nethook("install", "--dry-run", status=1, python="/usr/local/python")
    host.machine.run("chmod", "755", "/usr/local/own")  # else the kernel might not follow it (fs.protected_symlinks)
    host.machine.run("chown", "-h", "1000", "/usr/local/own/python")
    check_refused(host, says="/usr/local/own/python belongs to user 1000", python="/usr/local/python")


@pytest.mark.parametrize("text", ["import nothing_of_that_name\n", "def\n", "raise SystemExit(3)\n"])
def test_a_hook_that_cannot_be_imported(host: InstallationHost, text: str) -> None:
    host.machine.write(f"{host.package}/hook.py", text)
    check_refused(host, says="cannot import the hook")


def test_a_command_that_a_unit_cannot_import(host: InstallationHost) -> None:
    host.systemd()
    host.machine.run("mkdir", "/usr/local/elsewhere")
    host.machine.run("mv", host.package, "/usr/local/elsewhere")
    before = host.state()
    code = "import sys; sys.path.append('/usr/local/elsewhere'); from nethook.cli import main; main(['install'])"
    completed = subprocess.run(
        host.machine.command([PYTHON, "-I", "-c", code]), capture_output=True, text=True, check=False
    )
    assert "a unit of systemd could not run it" in completed.stderr
    assert host.state() == before


@pytest.mark.parametrize("folder", [HOOKS, "/etc/libvirt"])
def test_a_place_where_nothing_can_run(host: InstallationHost, folder: str) -> None:
    host.machine.run("mkdir", "-p", folder)
    host.machine.run("mount", "-t", "tmpfs", "-o", "noexec,mode=755", "nethook-test", folder)
    _, err = host.nethook("install", status=1)
    assert "cannot be executed, so no hook was written" in err
    assert host.machine.run("find", folder).split() == [folder]  # folders that were made have gone as well


def test_a_place_that_cannot_be_written(host: InstallationHost) -> None:
    host.systemd()
    host.machine.run("mkdir", "-p", HOOKS)
    host.machine.run("mount", "-t", "tmpfs", "-o", "ro", "nethook-test", HOOKS)
    out, err = host.nethook("install", status=1)
    assert out == ""
    assert "Read-only file system" in err
    assert not host.file(SERVICE).exists()


def test_a_unit_of_somebody_else_stays(host: InstallationHost) -> None:
    host.systemd()
    host.machine.write(SERVICE, "[Service]\nExecStart=true\n")
    check_refused(host, "--yes", says="is a foreign unit")
    host.nethook("uninstall")
    assert host.file(SERVICE).read_text() == "[Service]\nExecStart=true\n"


def test_a_unit_of_a_package_is_only_enabled(host: InstallationHost) -> None:
    host.systemd("libvirtd.service")
    host.nethook("install")
    host.machine.write("/usr/lib/systemd/system/nethook.service", "[Service]\n")
    host.systemctl_calls()
    out, _ = host.nethook("install")
    assert out.splitlines()[0] == f"- {SERVICE}"  # that of the installation before the package
    assert host.systemctl_calls() == ["daemon-reload", *RESTARTED]
    by_whom = "the package libvirt-nethook-helper has installed it"
    assert host.nethook("install")[0] == f"everything is already in place: {by_whom}\n"
    host.nethook("uninstall")
    assert host.systemctl_calls() == [
        "disable --now --quiet nethook.service",
        "reset-failed nethook.service",
        "reload libvirtd.service",
    ]


def test_a_service_that_fails(host: InstallationHost) -> None:
    host.systemd()
    host.machine.write("/run/units/nethook.service.broken", "")
    out, err = host.nethook("install", status=1)
    assert "systemctl status nethook.service" in err
    assert "started" not in out
    assert host.file(HOOK).exists()
    host.machine.run("rm", "/run/units/nethook.service.broken")
    assert host.nethook("install")[0] == "started nethook.service\n"


def test_uninstall_removes_what_install_wrote(host: InstallationHost) -> None:
    host.systemd("libvirtd.service")
    host.nethook("install")
    host.systemctl_calls()
    before = host.state()
    dry, _ = host.nethook("uninstall", "--dry-run", status=1)
    assert host.state() == before
    out, err = host.nethook("uninstall")
    assert out.splitlines() == [
        "disabled nethook.service",
        f"- {SERVICE}",
        "systemd has read its units",
        f"- {HOOK}",
        "reloaded libvirtd.service",
    ]
    assert dry.splitlines() == [
        "would disable nethook.service",
        f"would remove {SERVICE}",
        "would have systemd read its units",
        f"would remove {HOOK}",
        "would reload libvirtd.service",
    ]
    assert host.systemctl_calls() == [
        "disable --now --quiet nethook.service",
        "reset-failed nethook.service",
        "daemon-reload",
        "reload libvirtd.service",
    ]
    assert "nethook clear" in err
    assert host.nethook("uninstall") == ("nothing of nethook is installed here\n", "")


def test_uninstall_removes_the_hook_of_an_older_libvirt(host: InstallationHost) -> None:
    host.libvirt("6.4.0")
    host.nethook("install")
    host.machine.run("rm", "/usr/sbin/libvirtd")
    assert host.nethook("uninstall")[0] == f"- {ONLY_HOOK}\n"


def test_uninstall_leaves_what_is_of_others(host: InstallationHost) -> None:
    host.machine.write(HOOK, FOREIGN, 0o755)
    old_link(host)
    before = host.state()
    out, err = host.nethook("uninstall")
    assert out == "nothing of nethook is installed here\n"
    assert f"rm {ONLY_HOOK}" in err
    assert host.state() == before


FORWARDING = "/etc/sysctl.d/99-zz-nethook.conf"
SWITCHES = ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding")


def values(host: InstallationHost, *names: str) -> list[str]:
    return [host.machine.run("cat", f"/proc/sys/{name}").strip() for name in names]


def test_forwarding_is_turned_on_when_that_is_wanted(host: InstallationHost) -> None:
    """With the right accept_ra on the one device whose default route the kernel has from router advertisements."""
    namespace = host.machine.namespace
    names = ("up.10", "up1", "up2")
    for name in names:
        namespace.ip(f"link add {name} type veth peer name {name}-peer", f"link set {name} up")
    namespace.ip(
        "route add default via fe80::9 dev up.10 proto ra",
        "route add default via fe80::9 dev up1 proto ra metric 2000",
        "route add default via fe80::9 dev up2 metric 3000",
    )
    namespace.sysctl("ipv6/conf/up1/accept_ra", 0)  # systemd-networkd looks at them, and the kernel does not
    host.nethook("install")
    assert values(host, *SWITCHES) == ["0", "0"]
    assert f"would write {FORWARDING}" in host.nethook("install", "--enable-forwarding", "--dry-run", status=1)[0]
    assert host.nethook("install", "--enable-forwarding")[0].splitlines() == [
        f"+ {FORWARDING}",
        "net/ipv6/conf/up.10/accept_ra = 2",
        "net/ipv4/ip_forward = 1",
        "net/ipv6/conf/all/forwarding = 1",
    ]
    accepting = [f"net/ipv6/conf/{name}/accept_ra" for name in names]
    assert values(host, *SWITCHES, *accepting) == ["1", "1", "2", "0", "1"]
    assert "default via fe80::9 dev up.10" in host.machine.run("ip", "-6", "route")
    assert host.nethook("install", "--enable-forwarding")[0] == "everything is already in place\n"

    for name in SWITCHES:  # as a boot does
        namespace.sysctl(name.partition("/")[2], 0)
    host.machine.run("sysctl", "-q", "-p", FORWARDING)
    assert values(host, *SWITCHES, accepting[0]) == ["1", "1", "2"]

    host.nethook("install")
    assert host.file(FORWARDING).exists()
    out, err = host.nethook("uninstall")
    assert f"- {FORWARDING}" in out.splitlines()
    assert "forwarding stays on" in err
    assert values(host, *SWITCHES) == ["1", "1"]


def test_a_file_of_somebody_else_for_forwarding_stays(host: InstallationHost) -> None:
    host.machine.write(FORWARDING, "net.ipv4.ip_forward = 0\n")
    check_refused(host, "--enable-forwarding", says=f"{FORWARDING} was not written by nethook")
