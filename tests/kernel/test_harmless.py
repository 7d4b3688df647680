"""Whatever is wrong, the hook ends well for libvirt and in time, tells syslog, and changes nothing by mistake."""

from __future__ import annotations

import fcntl
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from lab.firewalls import FIREWALLS
from lab.processes import processor_seconds_of_children
from lab.waiting import wait_for
from lab.world.hook_process import HOOK, HookProcess
from lab.world.world import CONFIGURATION, SETTINGS, World
from tests.kernel import listings
from tests.kernel.faults import Fault
from tests.kernel.golden import golden
from tests.kernel.scenario import LINES, Scenario
from tests.kernel.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.world.syslog import Logged

GOLDEN = "libvirt-nftables"


@pytest.fixture
def scenario(nftables_world: World) -> Scenario:
    """The addresses are in force."""
    made = Scenario(nftables_world)
    made.event("started")
    return made


@pytest.fixture(scope="module")
def shared_scenario() -> Iterator[Scenario]:
    """One for all tests after which everything is as it was."""
    world = World(FIREWALLS[GOLDEN])
    made = Scenario(world)
    made.event("started")
    yield made
    world.close()


@pytest.fixture
def untouched(shared_scenario: Scenario) -> Iterator[Scenario]:
    """Its addresses are in force, and stay so; a test may do what it likes to its files."""
    yield shared_scenario
    shared_scenario.machine.run("sh", "-ec", "rm -rf /etc/nethook; mkdir -m 755 /etc/nethook")
    shared_scenario.world.configure(*LINES)


def errors(logged: list[Logged]) -> list[str]:
    return [line.text for line in logged if line.is_error]


def check_unchanged(scenario: Scenario) -> None:
    assert listings.ours(scenario.machine) == golden(GOLDEN)
    assert scenario.silent() == []


SCENARIO_XML = "<hookData><network><name>public</name><bridge name='virbr1'/></network></hookData>"


@pytest.mark.parametrize(
    "xml",
    [
        "",
        " \n",
        "not XML",
        "<hookData>",
        "<hookData/>",
        "<hookData></network></hookData>",
        "<network><name>public</name><bridge name='virbr1'/></network>",
        f"{SCENARIO_XML}{SCENARIO_XML}",
        SCENARIO_XML[:-20],
        SCENARIO_XML.replace("public", "&nothing;"),
        b"\0" * 1000,
        b"\xff\xfe<hookData>",
        "<a>" * 100_000,
    ],
    ids=lambda xml: str(xml)[:30],
)
@pytest.mark.parametrize("operation", ["stopped", "port-created"])
def test_xml_that_says_nothing(untouched: Scenario, operation: str, xml: str | bytes) -> None:
    watch = Watch(untouched.world.host)
    logged = untouched.world.event(untouched.network, operation, xml)
    changed = watch.has_seen_routes(), watch.has_seen_nftables()
    watch.close()
    assert errors(logged)
    assert changed == (False, False)
    check_unchanged(untouched)


@pytest.mark.parametrize("operation", ["stopped", "port-created"])
def test_xml_in_utf_16_is_understood(scenario: Scenario, operation: str) -> None:
    """expat reads that as well."""
    xml = SCENARIO_XML.encode("utf-16")
    assert errors(scenario.world.event(scenario.network, operation, xml)) == []
    routed = [line for line in listings.routes(scenario.machine) if "dev virbr1" in line]
    assert len(routed) == (len(LINES) if operation == "port-created" else 0)


def test_a_network_with_more_metadata_than_anybody_has(untouched: Scenario) -> None:
    """And of which none is taken for the network's own name or bridge."""
    fake = "<network><name>other</name><bridge name='virbr9'/><forward mode='bridge'/></network>" * 20_000
    xml = untouched.network.event_xml().replace("<ip ", f"<metadata><hookData>{fake}</hookData></metadata><ip ", 1)
    assert untouched.world.event(untouched.network, "port-created", xml) == []
    check_unchanged(untouched)


@pytest.mark.parametrize(
    "text", ["a line of a description\n" * 100_000, "<a>" * 20_000 + "</a>" * 20_000], ids=["lines", "elements"]
)
def test_a_network_with_a_long_description(untouched: Scenario, text: str) -> None:
    """Its length costs its length, and not the square of it."""
    xml = untouched.network.event_xml().replace("<ip ", f"<metadata><x>{text}</x></metadata><ip ", 1)
    before = processor_seconds_of_children()
    assert untouched.world.event(untouched.network, "port-created", xml) == []
    assert processor_seconds_of_children() - before < 1.5
    check_unchanged(untouched)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        (SETTINGS, "mark-bit = 3\n"),
        (SETTINGS, "mark-bit\n"),
        (SETTINGS, "route-protocol = boot\n"),
        (SETTINGS, "gates = all\n"),
        (SETTINGS, "nonsense = 1\n"),
        (SETTINGS, "routed-ips = /etc/nethook/not-there\n"),
        (SETTINGS, b"\xff\xfe\0"),
        (CONFIGURATION, b"\xff" * 1000),
        (CONFIGURATION, b"\0" * 1000),
        (CONFIGURATION, "default public\n0.0.0.0/0 public\n::/0 public\n"),
    ],
)
def test_a_broken_configuration_leaves_what_is_in_force(untouched: Scenario, path: str, content: str | bytes) -> None:
    untouched.machine.write(path, content)
    logged = untouched.event("port-created")
    assert [text for text in errors(logged) if text.startswith("/etc/nethook/")]
    check_unchanged(untouched)


@pytest.mark.parametrize("path", [SETTINGS, CONFIGURATION])
@pytest.mark.parametrize(
    "trouble",
    [
        "rm -f {path}; mkdir {path}",
        "rm -f {path}; ln -s /not/mounted {path}",
        "rm -f {path}; ln -s {path} {path}",
        "rm -f {path}; mkfifo {path}",
        "touch {path}; chmod 666 {path}",
        "touch {path}; chown 1000 {path}",
        "touch {path}; chmod 777 /etc/nethook",
        "rm -f {path}; truncate -s 1G {path}",
        "mkdir -p {path}.d {path}.d/a.conf; touch {path}; mv {path}.d/a.conf {path}.d/b.conf; [ {path} = "
        + CONFIGURATION
        + " ] || { rm {path}; mkdir {path}; }",
    ],
)
def test_a_file_that_cannot_be_read_or_trusted_leaves_what_is_in_force(
    untouched: Scenario, path: str, trouble: str
) -> None:
    untouched.machine.run("sh", "-c", trouble.replace("{path}", path))
    logged = untouched.event("port-created")
    assert [text for text in errors(logged) if path in text or "/etc/nethook" in text]
    check_unchanged(untouched)


def test_a_full_run_does_not_matter(nftables_world: World) -> None:
    scenario = Scenario(nftables_world)
    nftables_world.machine.run("dd", "if=/dev/zero", "of=/run/full", "bs=4k", check=False)
    with pytest.raises(OSError, match="No space left"):
        nftables_world.machine.write("/run/one-more-file", "x")
    said, not_counted = errors(scenario.event("started"))
    assert "cannot record this event in /run/nethook/told" in said
    assert not_counted == "cannot count this run in /run/nethook/runs: No space left on device"
    check_unchanged(scenario)


def test_a_run_where_not_even_a_folder_can_be_made(nftables_world: World) -> None:
    scenario = Scenario(nftables_world)
    nftables_world.machine.run("mount", "-o", "remount,nr_inodes=3", "/run")
    not_recorded, not_locked, not_counted = errors(scenario.event("started"))
    assert "cannot record this event in /run/nethook" in not_recorded
    assert "cannot lock /run/nethook" in not_locked
    assert "cannot count this run in /run/nethook" in not_counted
    assert listings.table(scenario.machine) == ""
    nftables_world.machine.run("mount", "-o", "remount,nr_inodes=100", "/run")
    scenario.event("started")
    check_unchanged(scenario)


def test_a_lock_that_somebody_holds_is_waited_for(scenario: Scenario) -> None:
    scenario.machine.nft("delete table inet nethook")
    lock = os.open(scenario.machine.root / "run/nethook", os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with HookProcess(scenario.machine, scenario.network.name, "started") as hook:
        hook.give(scenario.network.event_xml().encode())
        wait_for(lambda: waits_for_the_lock(scenario), "the hook waits for the lock")
        assert listings.table(scenario.machine) == ""
        os.close(lock)
    check_unchanged(scenario)


@pytest.mark.parametrize("changed", ["in place", "by rename", "a file beside it"])
def test_files_that_change_while_the_lock_is_waited_for_are_read_again(scenario: Scenario, changed: str) -> None:
    """They are read before the lock is there, so that reading costs nobody else; what counts is what is there then."""
    scenario.world.configure("203.0.113.10 public")
    lock = os.open(scenario.machine.root / "run/nethook", os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with HookProcess(scenario.machine, scenario.network.name, "started") as hook:
        hook.give(scenario.network.event_xml().encode())
        wait_for(lambda: waits_for_the_lock(scenario), "the hook waits for the lock")
        if changed == "in place":
            scenario.world.configure("203.0.113.10 public", "203.0.113.77 public")
        elif changed == "by rename":
            scenario.machine.write(f"{CONFIGURATION}.new", "203.0.113.10 public\n203.0.113.77 public\n")
            scenario.machine.run("mv", f"{CONFIGURATION}.new", CONFIGURATION)
        else:
            scenario.machine.write(f"{CONFIGURATION}.d/more.conf", "203.0.113.77 public\n")
        os.close(lock)
    routes = [line.split()[0] for line in listings.routes(scenario.machine) if not line.startswith("unreachable")]
    assert routes == ["203.0.113.10", "203.0.113.77"]


def waits_for_the_lock(scenario: Scenario) -> bool:
    """Whether a process has the folder of the lock open."""
    folder = str(scenario.machine.root / "run/nethook")
    inode = os.stat(folder).st_ino
    for link in (scenario.machine.root / "proc").glob("[0-9]*/fd/*"):
        try:
            status = link.stat()
        except OSError:
            continue
        if status.st_ino == inode and link.is_dir():
            return True
    return False


def test_a_lock_that_is_never_let_go_ends_the_run(scenario: Scenario) -> None:
    scenario.machine.nft("delete table inet nethook")
    lock = os.open(scenario.machine.root / "run/nethook", os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    (error,) = scenario.event("started")
    assert "lock" in error.text  # so it ended by itself, before the stub would have ended it
    assert listings.table(scenario.machine) == ""
    os.close(lock)
    scenario.event("started")
    check_unchanged(scenario)


@pytest.mark.parametrize(
    ("signal", "whom"), [("TERM", "the stub"), ("TERM", "everybody"), ("INT", "everybody"), ("HUP", "everybody")]
)
def test_a_signal_while_a_tool_hangs(nftables_world: World, whom: str, signal: str) -> None:
    scenario = Scenario(nftables_world)
    machine = scenario.machine
    fault = Fault(machine, ["ip"], "hang")
    with HookProcess(machine, scenario.network.name, "started") as hook:
        hook.give(scenario.network.event_xml().encode())
        wait_for(lambda: fault.was_hit, "the tool hangs")
        stub = machine.run("pgrep", "--full", "--oldest", f"^/bin/sh {HOOK}").strip()
        machine.run("kill", f"-{signal}", stub if whom == "the stub" else "-1", check=False)
    fault.mend()
    wait_for(lambda: not machine.processes(), "no process is left behind")
    assert errors(machine.syslog.new())
    scenario.event("port-created")
    check_unchanged(scenario)


def test_stdin_that_never_ends_ends_the_hook_in_time(nftables_world: World) -> None:
    scenario = Scenario(nftables_world)
    with HookProcess(scenario.machine, scenario.network.name, "started"):
        pass
    (error,) = errors(scenario.machine.syslog.new())
    assert "took longer than 10 s and was stopped" in error
    assert "nethook apply" in error
    assert "installed" not in error


def test_programs_of_usr_local_are_not_run(nftables_world: World) -> None:
    """libvirtd has them first in its PATH, and on some hosts others than root may write there."""
    scenario = Scenario(nftables_world)
    for name in ("timeout", "logger", "readlink", "dirname"):
        scenario.machine.write(f"/usr/local/bin/{name}", "#!/bin/sh\n>>/run/was-here\n", 0o755)
    scenario.event("started")
    scenario.machine.run("rm", "/usr/bin/python3")
    scenario.event("stopped")
    assert not (scenario.machine.root / "run/was-here").exists()


def test_an_input_that_is_larger_than_a_pipe_is_read_to_its_end(nftables_world: World) -> None:
    """libvirt would wait for ever for a reader."""
    scenario = Scenario(nftables_world)
    xml = scenario.network.event_xml() + " " * (4 << 20)
    assert errors(scenario.world.event(scenario.network, "started", xml)) == []
    check_unchanged(scenario)


@pytest.mark.parametrize("operation", ["define", "undefine", "allocate", "reload", ""])
def test_an_operation_that_does_not_matter_ends_in_the_stub(untouched: Scenario, operation: str) -> None:
    python = Fault(untouched.machine, ["nft", "ip"], "nothing")
    assert untouched.event(operation) == []
    assert not python.was_hit
    python.mend()


@pytest.mark.parametrize("arguments", [[], ["public"], ["public", "started", "begin"], ["a", "b", "c", "d", "e"]])
def test_a_wrong_number_of_arguments_is_for_people(untouched: Scenario, arguments: list[str]) -> None:
    ended = subprocess.run(
        untouched.machine.command([HOOK, *arguments]), capture_output=True, text=True, check=False, timeout=60
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("usage: ")


@pytest.mark.parametrize("missing", ["python3", "nethook"])
def test_without_python_or_without_the_package(nftables_world: World, missing: str) -> None:
    scenario = Scenario(nftables_world)
    if missing == "python3":
        scenario.machine.run("sh", "-c", "rm /usr/bin/python3")
    else:
        stub = (scenario.machine.root / HOOK.lstrip("/")).read_text(encoding="utf-8")
        scenario.machine.write(HOOK, stub.replace("/src", "/nowhere"), 0o755)
    (error,) = scenario.event("started")
    assert error.is_error
    assert "libvirt-nethook-helper" in error.text


def test_no_syslog_at_all(nftables_world: World) -> None:
    scenario = Scenario(nftables_world)
    scenario.machine.run("mv", "/dev/log", "/dev/away")
    scenario.event("started")
    scenario.machine.run("mv", "/dev/away", "/dev/log")
    check_unchanged(scenario)
