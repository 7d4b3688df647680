"""``nethook status`` at a terminal: a pager where it does not fit, and ``--watch`` that scrolls."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from lab.world.network import WorldPort
from lab.world.verbs import command, nethook, tell_libvirt, verb
from tests.hosts.terminal import Terminal

if TYPE_CHECKING:
    from lab.world.world import World

MANY = 60
PAGER = "sed -e s/^/paged:/"
ENTER = "\033[?1049h"


@pytest.fixture
def many(nftables_world: World) -> World:
    """A host with many lines, one of which waits."""
    network = nftables_world.network("public", 1)
    guest = nftables_world.guest(network)
    tell_libvirt(nftables_world, network, WorldPort("web1", guest.mac))
    nftables_world.configure(*(f"203.0.113.{number} public" for number in range(MANY)), "203.0.113.99 gone")
    nethook(nftables_world, "apply", check=False)
    return nftables_world


def at_terminal(world: World, *arguments: str, lines: int = 24, **environment: str) -> str:
    """What is printed at a terminal of this size, without colours."""
    # pytest's own may be in the environment, and count before the terminal's.
    variables = {"TERM": "xterm", "LINES": str(lines), "COLUMNS": "80", **environment}
    with Terminal(command(world, "status", *arguments, **variables), lines=lines) as terminal:
        terminal.wait_for_end()
    return re.sub(r"\033\[\d*m", "", terminal.printed).replace("\r\n", "\n")


def test_a_pager_shows_what_does_not_fit(many: World) -> None:
    paged = at_terminal(many, PAGER=PAGER)
    assert paged.startswith("paged:60 of 61 lines routed, 1 waiting.\npaged:\npaged:ADDRESS")
    assert "paged:203.0.113.59 " in paged
    assert "paged:" not in at_terminal(many, lines=200, PAGER=PAGER)  # it fits
    assert "paged:" not in at_terminal(many, "--no-pager", PAGER=PAGER)
    assert "paged:" not in at_terminal(many, "--state", "waiting", PAGER=PAGER)
    assert "paged:" not in at_terminal(many, PAGER=PAGER, TERM="dumb")


@pytest.mark.parametrize("pager", ["", "cat", "no-such-pager"])
def test_without_a_pager_all_is_printed(many: World, pager: str) -> None:
    printed = at_terminal(many, PAGER=pager)
    assert "60 of 61 lines routed, 1 waiting.\n" in printed
    assert "203.0.113.59 " in printed


def test_a_pager_that_is_left_early_is_no_failure(many: World) -> None:
    printed = at_terminal(many, PAGER="head -n 1")
    assert printed.splitlines()[0] == "60 of 61 lines routed, 1 waiting."
    assert "Traceback" not in printed
    assert "Broken pipe" not in printed


def test_a_pipe_has_no_pager(many: World) -> None:
    assert "paged:" not in verb(many, "status").stdout


def test_watching_scrolls_and_shows_what_is_wrong_on_top(many: World) -> None:
    with Terminal(command(many, "status", "--watch", TERM="xterm", LINES="24"), lines=24) as terminal:
        terminal.wait_for(r"lines 1 to \d+ of \d+: scroll")
        shown = terminal.printed
        assert shown.index("203.0.113.99") < shown.index("203.0.113.0 ")
        assert "203.0.113.59 " not in shown
        for keys, wanted in (
            ("G", "Gates in other firewalls"),
            ("g", "lines 1 to"),
            ("\033[B", "lines 2 to"),
            (" ", "lines 2[0-9] to"),
        ):
            terminal.printed = ""
            terminal.press(keys)
            terminal.wait_for(wanted)
            assert "q quits" in terminal.printed  # the head stays
        terminal.press("q")
        terminal.wait_for_end()
    assert terminal.status == 0


LEADS = "import fcntl, os, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 1); "
"""A session with the terminal, as at a login: else keys send no signals. nsenter, which they would end, is outside."""


def test_an_interrupt_is_for_the_pager(many: World) -> None:
    # a shell that waits for a process of its own notices a signal only when that ends
    pager = "trap 'echo got it; kill $!; exit 0' INT; read -r first; sleep 60 & echo shown; wait"
    with Terminal(command(many, "status", code=LEADS, PAGER=pager, TERM="xterm", LINES="24")) as terminal:
        terminal.wait_for("shown")
        terminal.press("\x03")
        terminal.wait_for("got it")
        terminal.wait_for_end()
    assert "Traceback" not in terminal.printed
