"""The loop of nethook-firewalld.service. Tools in its PATH write down what it does, and let time pass faster."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.waiting import WaitError, wait_for
from lab.world.machine import Machine
from nethook.install import units

if TYPE_CHECKING:
    from collections.abc import Iterator

SYSTEMCTL = """#!/bin/sh
[ "$*" = "reload-or-restart nethook.service" ] && echo applied >>{folder}/applied
"""
TIMEOUT = """#!/bin/sh
echo $1 >>{folder}/pauses
seconds=0.$1
[ $1 != 5 ] || seconds={last}
shift
exec {real} $seconds "$@"
"""
"""For the pauses of 1, 2 and 5 seconds: a tenth of the time, and as long as a test says for the last one."""
BUSCTL = """#!/bin/sh
{real} "$@" | tee /run/signals
"""
PAUSES = ["1", "2", "5"]
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


def _lines(path: Path) -> list[str]:
    """The lines that something has written so far."""
    return path.read_text().splitlines() if path.exists() else []


def _timeout(folder: str, last: str = "0.5") -> str:
    """The tool for the pauses."""
    return TIMEOUT.format(folder=folder, last=last, real=shutil.which("timeout"))


class Loop:
    """The loop with a busctl that prints a line whenever ``signal`` is called."""

    def __init__(self, folder: Path, last: str = "0.5") -> None:
        self._folder = folder
        os.mkfifo(folder / "signals")
        for name, text in (
            ("systemctl", SYSTEMCTL.format(folder=folder)),
            ("timeout", _timeout(str(folder), last)),
            ("busctl", f"#!/bin/sh\nexec cat {folder}/signals\n"),
        ):
            (folder / name).write_text(text)
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

    def close(self) -> None:
        """End all of it."""
        self.end()
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    @property
    def applied(self) -> int:
        """How often the files were applied."""
        return len(_lines(self._folder / "applied"))

    @property
    def pauses(self) -> list[str]:
        """How many seconds each pause has that has begun."""
        return _lines(self._folder / "pauses")


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    made = Loop(tmp_path)
    yield made
    made.close()


def test_a_signal_is_followed_at_once_and_after_pauses(loop: Loop) -> None:
    """And by nothing else: at the second one, it is where it was at the first."""
    for number in (1, 2):
        loop.signal()
        wait_for(lambda number=number: loop.applied == 4 * number, "the files are applied four times")  # type: ignore[misc]
        assert loop.pauses == PAUSES * number


def test_a_signal_during_the_pauses_is_followed_at_once_and_they_begin_anew(tmp_path: Path) -> None:
    loop = Loop(tmp_path, last="600")
    try:
        loop.signal()
        wait_for(lambda: loop.pauses == PAUSES, "the last pause begins")
        assert loop.applied == 3
        loop.signal()
        wait_for(lambda: loop.pauses == PAUSES * 2, "the second signal ends it, and its own last pause begins")
        assert loop.applied == 6
    finally:
        loop.close()


def test_signals_that_come_together_are_followed_together(loop: Loop) -> None:
    loop.signal(times=1000)
    wait_for(lambda: loop.applied >= 2, "they are followed, and their first pause has ended")
    processes = subprocess.run(
        ["ps", "-o", "pid=", "-s", str(loop.process.pid)], capture_output=True, text=True, check=True
    )
    assert len(processes.stdout.split()) <= 6
    wait_for(lambda: loop.pauses[-3:] == PAUSES and loop.applied == 1 + len(loop.pauses), "all pauses are over")
    assert loop.applied <= 12


def test_it_ends_with_busctl(loop: Loop) -> None:
    loop.signal()
    wait_for(lambda: loop.applied == 1, "the signal is followed")
    loop.end()
    loop.process.wait(10)
    assert loop.applied <= 2


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
    for name, text in (
        ("systemctl", SYSTEMCTL.format(folder="/run")),
        ("timeout", _timeout("/run")),
        ("busctl", BUSCTL.format(real=shutil.which("busctl"))),
    ):
        machine.write(f"/run/{name}", text, 0o755)
    machine.write("/run/loop", f"PATH=/run:$PATH\n{_script()}\n")

    def signals() -> list[str]:
        """The signals that the loop has got."""
        return [line for line in _lines(machine.root / "run/signals") if '"signal"' in line]

    def applied() -> int:
        return len(_lines(machine.root / "run/applied"))

    def is_known() -> bool:
        """Whether the loop hears of a firewalld that comes and goes."""
        with _running(machine, "/usr/bin/python3", "-c", AS_FIREWALLD) as firewalld:
            _say(firewalld, "own")
            with suppress(WaitError):
                wait_for(signals, "the loop listens", timeout=1)
        return bool(signals())

    try:
        with _bus(machine), _running(machine, "/bin/sh", "/run/loop"):
            wait_for(is_known, "the loop listens")
            with _running(machine, "/usr/bin/python3", "-c", AS_FIREWALLD) as firewalld:
                for forgery in FORGED:
                    nobody = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
                    machine.run(*nobody, "dbus-send", "--system", "--type=signal", *forgery)
                before = len(signals())
                _say(firewalld, "own")
                wait_for(lambda: len(signals()) > before, "firewalld's start")
                _say(firewalld, "reloaded")
                wait_for(lambda: "Reloaded" in signals()[-1], "its reload")
            wait_for(lambda: "NameOwnerChanged" in signals()[-1], "its end")
            heard = [line for line in signals() if '"sender":"org.freedesktop.DBus"' not in line]
            assert len(heard) == 1, "anybody can have the files applied"
            wait_for(lambda: applied() >= 4, "what follows the last of these")
    finally:
        machine.close()


def _say(firewalld: subprocess.Popen[str], line: str) -> None:
    assert firewalld.stdin is not None
    firewalld.stdin.write(f"{line}\n")
    firewalld.stdin.flush()
