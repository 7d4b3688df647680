"""The service begins, ends, is killed, and goes on without libvirt."""

from __future__ import annotations

import time
from contextlib import contextmanager
from subprocess import Popen
from typing import TYPE_CHECKING, TextIO

import pytest

from lab.waiting import wait_for
from lab.world.damages import LINES, TABLE
from lab.world.verbs import FOLDER, tell_libvirt
from tests.kernel.watched import Watched

if TYPE_CHECKING:
    from collections.abc import Iterator

DELETED = f"nft delete table {TABLE}; nft delete table bridge nethook; ip -4 route flush proto 218"
WATCHDOG_SECONDS = 60


@pytest.fixture
def watched(service_host: Watched) -> Watched:
    """Each test starts the service and ends it."""
    return service_host


def test_once_applies_and_ends(watched: Watched) -> None:
    watched.nethook("watch", "--once")
    assert watched.silent() == []


def test_it_tells_systemd_what_it_does(watched: Watched) -> None:
    watching = watched.start({"WATCHDOG_USEC": str(WATCHDOG_SECONDS * 1_000_000)})
    before = watching.told.index("READY=1")
    assert "WATCHDOG=1" in watching.told[:before]
    assert f"WATCHDOG_USEC={WATCHDOG_SECONDS * 1_000_000}" in watching.told[:before], "short while it looks"
    assert f"WATCHDOG_USEC={(WATCHDOG_SECONDS + 600) * 1_000_000}" in watching.told[:before], "longer than the timer"
    assert watching.states[-1].startswith("6 lines routed, 0 lines forwarded; ")
    watched.heals("ip route delete 203.0.113.10")
    watching.settle()
    assert "+ route 203.0.113.10 → virbr1" in watching.states[-1]
    assert watching.stop() == 0
    assert "STOPPING=1" in watching.told


def test_memory(watched: Watched) -> None:
    """Without libvirt's library, which the fake is not."""
    watching = watched.start()
    watched.heals(DELETED)
    assert watching.kibibytes() < 25_000
    watching.stop()


def test_an_idle_one_does_not_wake_up(watched: Watched) -> None:
    watching = watched.start()
    watching.settle()
    before = watching.wake_ups()
    time.sleep(2)
    assert watching.wake_ups() == before
    watching.stop()


def test_the_end_changes_nothing(watched: Watched) -> None:
    watching = watched.start()
    assert watching.stop() == 0
    assert watched.is_whole()


@pytest.mark.parametrize("milliseconds", range(40, 280, 40))
def test_killed_in_the_middle_of_a_heal(watched: Watched, milliseconds: int) -> None:
    """The next one finds what is half done, and ends it."""
    watching = watched.start()
    whole = watched.whole
    watched.sh(DELETED)
    time.sleep(milliseconds / 1000)
    watching.kill()
    watching = watched.start()
    assert watched.whole == whole
    assert watched.silent() == []
    watching.stop()


def test_sigterm_in_the_middle_of_a_heal(watched: Watched) -> None:
    """What was begun is done, and what was not is left."""
    for milliseconds in (60, 120, 180):
        watching = watched.start()
        watched.sh(DELETED)
        time.sleep(milliseconds / 1000)
        assert watching.stop() == 0
    watched.start().stop()
    assert watched.silent() == []


def test_without_libvirt_its_last_word_counts(watched: Watched) -> None:
    watching = watched.start()
    watched.sh(f"mv {FOLDER} {FOLDER}.away")
    assert watched.heals(DELETED)
    assert watched.silent() == []
    assert any("its last word counts" in line for line in watching.said)
    watched.sh(f"mv {FOLDER}.away {FOLDER}")
    watching.stop()


def test_a_libvirt_that_hangs(watched: Watched) -> None:
    """The service heals without it, asks again when it goes on, and ends while it waits for it."""
    watching = watched.start()

    def connections() -> str:
        return watched.sh(f"wc -l < {FOLDER}/connections")

    watched.sh(f"touch {FOLDER}/hangs")
    assert watched.heals(DELETED)
    assert any("has not answered within 2 s" in line for line in watching.said)
    looks, before = watching.looks, connections()
    watching.wait(lambda: watching.looks > looks + 1, "it tries again")
    assert connections() == before, "each question would leave a thread and a connection"
    watched.sh(f"rm {FOLDER}/hangs")
    watching.wait(lambda: connections() != before, "it asks again")
    watching.settle()
    watched.sh(f"touch {FOLDER}/hangs")
    before = connections()
    watched.sh("ip route delete 203.0.113.10")
    watching.wait(lambda: connections() != before, "it asks once more")
    assert watching.stop(seconds=1.5) == 0
    watched.sh(f"rm {FOLDER}/hangs")


@contextmanager
def libvirtd(watched: Watched) -> Iterator[None]:
    """Have a process that is called libvirtd, with its PID file. It ends with the block, and the file stays."""
    watched.sh("cp $(command -v sleep) /run/libvirtd")
    argv = watched.machine.command(["sh", "-c", "echo $$ > /run/libvirtd.pid; exec /run/libvirtd infinity"])
    with Popen(argv) as process:
        try:
            wait_for(lambda: watched.sh("pgrep -x libvirtd || :"), "libvirtd runs")
            yield
        finally:
            watched.sh("pkill -x libvirtd")
            process.wait()


@pytest.mark.parametrize("leaves_file", [False, True])
def test_a_stopped_libvirt_is_not_started(watched: Watched, leaves_file: bool) -> None:
    """As systemd would do for who asks it. One that crashes while it stops leaves its file."""
    with libvirtd(watched):
        watching = watched.start()
    if not leaves_file:
        watched.sh("rm /run/libvirtd.pid")
    connections = watched.sh(f"cat {FOLDER}/connections")
    assert watched.heals(DELETED)
    assert watched.sh(f"cat {FOLDER}/connections") == connections
    watching.stop()


def test_nothing_is_changed_if_libvirt_has_never_told(watched: Watched) -> None:
    """As at boot, when it takes long to answer: what is in force stays, and it is asked again."""
    watched.start().stop()
    watched.sh(f"mv {FOLDER} {FOLDER}.away; rm -rf /run/nethook")
    watching = watched.start()
    assert any("does not list its networks" in line for line in watching.said)
    assert watched.silent() == []
    watched.sh(f"mv {FOLDER}.away {FOLDER}")
    watching.wait(lambda: "6 lines routed" in watching.states[-1], "it is asked again")
    watching.stop()


def test_events_of_libvirt(watched: Watched) -> None:
    """Networks that libvirt has started without the hook are looked at, also after libvirt was away."""
    watched.sh(f"mkfifo {FOLDER}/events")
    watched.world.configure(*LINES, "203.0.113.50 late", "203.0.113.51 later")
    late, later = watched.world.network("late", 3), watched.world.network("later", 4)
    watched.nethook("apply", check=False)  # libvirt does not know them yet

    def events() -> TextIO:
        return (watched.machine.root / f"{FOLDER}/events".lstrip("/")).open("w", encoding="utf-8")

    def comes(address: str) -> None:
        watching.wait(lambda: address in watched.sh("ip route show proto 218"), f"{address} is routed")

    def says(what: str) -> None:
        watching.wait(lambda: any(what in line for line in watching.said), f"it says {what}")

    with libvirtd(watched):
        watching = watched.start()
        watching.settle()
        tell_libvirt(watched.world, late)
        with events() as told:
            told.write("late 2\n")
        comes("203.0.113.50")
        says("[watch: network late started]")
        watching.settle()
        tell_libvirt(watched.world, later)
        with events():
            watched.sh(f"mv {FOLDER} {FOLDER}.away")
    watching.wait(lambda: any("nanosleep" in each for each in watching.waits_in()), "it pauses before it tries again")
    watched.sh(f"mv {FOLDER}.away {FOLDER}")
    with libvirtd(watched):
        comes("203.0.113.51")
        says("libvirt is here again")
        watching.stop()


def test_the_file_of_metrics_is_written(watched: Watched) -> None:
    """At the start, and after each heal; a folder that is not there is told once, and costs nothing else."""
    file = "/run/metrics/nethook.prom"
    watched.settings(f"metrics-file = {file}\n")
    watched.nethook("apply", check=False)
    watching = watched.start()
    watching.wait(lambda: any(f"cannot write {file}" in line for line in watching.said), "the folder is missed")
    watched.sh("mkdir /run/metrics")
    assert watched.heals("ip route delete 203.0.113.10")
    healed = 'nethook_runs_total{cause="routes",result="changed"} 1\n'
    watching.wait(lambda: healed in watched.sh(f"cat {file} || :"), "the heal is counted")
    watching.stop()
