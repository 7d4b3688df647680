"""The loop of nethook-firewalld.service, with a systemctl in its PATH that writes down when it was called."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.waiting import wait_for
from lab.world.machine import Machine
from nethook.install import units

if TYPE_CHECKING:
    from collections.abc import Iterator

SYSTEMCTL = """#!/bin/sh
[ "$*" = "reload-or-restart nethook.service" ] && date +%s.%N >>{folder}/applied
"""
FIREWALLD = "org.fedoraproject.FirewallD1"
POLICY = f"""<busconfig>
<policy user="root"><allow own="{FIREWALLD}"/></policy>
<policy context="default"><allow send_destination="{FIREWALLD}"/></policy>
</busconfig>
"""
"""What firewalld's package allows on the bus."""
BUS = "/run/dbus/system_bus_socket"
AS_FIREWALLD = f"""
import ctypes, sys
bus = ctypes.CDLL("libdbus-1.so.3")
bus.dbus_bus_get.restype = bus.dbus_message_new_signal.restype = ctypes.c_void_p
connection = ctypes.c_void_p(bus.dbus_bus_get(1, None))
for line in sys.stdin:
    if line == "own\\n":
        assert bus.dbus_bus_request_name(connection, b"{FIREWALLD}", 0, None) == 1
    else:
        message = ctypes.c_void_p(bus.dbus_message_new_signal(b"/x", b"{FIREWALLD}", b"Reloaded"))
        assert bus.dbus_connection_send(connection, message, None)
        bus.dbus_connection_flush(connection)
"""
FORGED = (
    ["/x", f"{FIREWALLD}.Reloaded"],
    ["/org/freedesktop/DBus", "org.freedesktop.DBus.NameOwnerChanged", f"string:{FIREWALLD}", "string:", "string::1.9"],
)


def _script() -> str:
    """What the shell is given, without systemd's quotes."""
    found = re.search(r"^ExecStart=/bin/sh -c '(.*?[^\\])'$", units.text(units.FIREWALLD, ""), re.M | re.S)
    assert found is not None
    return found[1].replace("\\\n", "").replace("\\'", "'").replace("$$", "$")


class Loop:
    """The loop with a busctl that prints a line whenever ``signal`` is called."""

    def __init__(self, folder: Path) -> None:
        self._applied = folder / "applied"
        (folder / "systemctl").write_text(SYSTEMCTL.format(folder=folder))
        os.mkfifo(folder / "signals")
        (folder / "busctl").write_text(f"#!/bin/sh\nexec cat {folder}/signals\n")
        for name in ("systemctl", "busctl"):
            (folder / name).chmod(0o755)
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", _script()],
            env={"PATH": f"{folder}:{os.environ['PATH']}"},
            start_new_session=True,
        )
        self._signals = open(folder / "signals", "w", encoding="ascii")  # noqa: SIM115 - until ``end``

    def signal(self, times: int = 1) -> None:
        """Have as many signals come at once."""
        self._signals.write("signal\n" * times)
        self._signals.flush()

    def end(self) -> None:
        """Have busctl end."""
        self._signals.close()

    @property
    def applied(self) -> list[float]:
        """When the files were applied, in seconds."""
        return [float(line) for line in self._applied.read_text().split()] if self._applied.exists() else []


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    made = Loop(tmp_path)
    yield made
    made.end()
    with suppress(ProcessLookupError):
        os.killpg(made.process.pid, signal.SIGKILL)
    made.process.wait()


def test_a_signal_is_followed_at_once_and_after_pauses(loop: Loop) -> None:
    loop.signal()
    wait_for(lambda: len(loop.applied) == 4, "the files are applied four times", timeout=60)
    pauses = [later - earlier for earlier, later in zip(loop.applied, loop.applied[1:])]
    assert all(pause >= wanted for pause, wanted in zip(pauses, (1, 2, 5)))
    time.sleep(1)
    assert len(loop.applied) == 4


def test_a_signal_during_the_pauses_is_followed_at_once_and_they_begin_anew(loop: Loop) -> None:
    loop.signal()
    wait_for(lambda: len(loop.applied) == 3, "the last pause begins", timeout=20)
    loop.signal()
    wait_for(lambda: len(loop.applied) == 7, "the second signal is followed, and its pauses", timeout=60)
    assert loop.applied[3] - loop.applied[2] < 5, "it is followed before the last pause of the first one ends"
    assert loop.applied[6] - loop.applied[3] >= 8


def test_signals_that_come_together_are_followed_together(loop: Loop) -> None:
    loop.signal(times=1000)
    wait_for(lambda: len(loop.applied) >= 2, "they are followed, and their first pause has ended", timeout=60)
    assert len(loop.applied) <= 12
    processes = subprocess.run(
        ["ps", "-o", "pid=", "-s", str(loop.process.pid)], capture_output=True, text=True, check=True
    )
    assert len(processes.stdout.split()) <= 6


def test_it_ends_with_busctl(loop: Loop) -> None:
    loop.signal()
    wait_for(lambda: len(loop.applied) == 1, "the signal is followed")
    loop.end()
    loop.process.wait(10)
    assert len(loop.applied) <= 2


@contextmanager
def _bus(machine: Machine) -> Iterator[None]:
    """A system bus with the distribution's own rules and those of firewalld's package."""
    machine.write(f"/etc/dbus-1/system.d/{FIREWALLD}.conf", POLICY)
    machine.run("mkdir", "-p", "/run/dbus")
    daemon = subprocess.Popen(machine.command(["dbus-daemon", "--system", "--nofork", "--nopidfile", "--nosyslog"]))
    try:
        wait_for((machine.root / BUS.lstrip("/")).exists, "the bus is there")
        yield
    finally:
        daemon.kill()
        daemon.wait()


@contextmanager
def _running(machine: Machine, *argv: str) -> Iterator[subprocess.Popen[str]]:
    """A process in there, which is killed at the end."""
    process = subprocess.Popen(machine.command(argv), stdin=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_only_firewalld_and_the_bus_are_heard() -> None:
    machine = Machine()
    machine.write("/run/systemctl", SYSTEMCTL.format(folder="/run"), 0o755)
    machine.write("/run/loop", f"PATH=/run:$PATH\n{_script()}\n")
    applied = machine.root / "run/applied"

    def times() -> int:
        return len(applied.read_text().split()) if applied.exists() else 0

    try:
        with _bus(machine), _running(machine, "/bin/sh", "/run/loop"):
            wait_for(lambda: "busctl" in machine.run("busctl", "list", "--no-legend"), "busctl is on the bus")
            time.sleep(1)  # until it is a monitor, of which the bus says nothing
            for forgery in FORGED:
                nobody = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
                machine.run(*nobody, "dbus-send", "--system", "--type=signal", *forgery)
            time.sleep(2)
            assert times() == 0, "anybody can have the files applied"
            with _running(machine, "/usr/bin/python3", "-c", AS_FIREWALLD) as firewalld:
                assert firewalld.stdin is not None
                firewalld.stdin.write("own\n")
                firewalld.stdin.flush()
                wait_for(lambda: times() == 4, "what follows firewalld's start", timeout=20)
                firewalld.stdin.write("reloaded\n")
                firewalld.stdin.flush()
                wait_for(lambda: times() == 8, "what follows its reload", timeout=20)
            wait_for(lambda: times() == 12, "what follows its end", timeout=20)
    finally:
        machine.close()
