"""What README shows of a fresh Debian host: each command is run, and has to print what is printed there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.hosts.container import SHARED
from lab.hosts.guest import Nic
from lab.hosts.lab import Lab
from lab.hosts.wan import CLIENT
from lab.packages.builds import released_here
from lab.waiting import wait_for
from nethook import __version__

if TYPE_CHECKING:
    from lab.hosts.systemd_host import SystemdHost

pytestmark = pytest.mark.hosts

README = Path(__file__).parents[2] / "README.md"
PROMPT = "# "
WITHOUT_OUTPUT = "apt "
"""What this prints is not shown."""
SUITES = ("bookworm", "trixie", "forky")


def sessions() -> list[list[tuple[str, str]]]:
    """Every command that is shown at root's prompt, with its output, by block."""
    blocks = re.findall(r"^```console\n(.*?)^```$", README.read_text(encoding="utf-8"), re.M | re.S)
    return [_session(block) for block in blocks]


def _session(block: str) -> list[tuple[str, str]]:
    shown = [part.partition("\n") for part in re.split(rf"^{PROMPT}", block, flags=re.M) if part]
    return [(command, output) for command, _, output in shown]


def try_it(host: SystemdHost, session: list[tuple[str, str]]) -> None:
    """Run the commands of a session, where the files are. Each has to print what README shows."""
    for command, output in session:
        ran = host.run(["sh", "-c", f"cd {SHARED}; {{ {command}; }} 2>&1"], check=False)
        if not command.startswith(WITHOUT_OUTPUT):
            assert (command, ran.stdout) == (command, output)
        assert ran.returncode == (command == "nethook plan"), ran  # which says that there are changes


@pytest.mark.parametrize("suite", SUITES)
def test_the_commands_of_the_readme(suite: str) -> None:
    """A guest of two networks: its address is routed on the first, and on libvirt's own it gets ports of the host."""
    with Lab() as lab:
        host = lab.host(suite)
        lab.wan.deliver("203.0.113.0/24", host)
        shutil.copy(released_here() / f"libvirt-nethook-helper_{__version__}-1_all.deb", host.shared)
        (host.shared / "public.xml").write_text(the_network())
        host.run(["rm", "-r", "/etc/firewalld"])  # the reader's host has none
        host.run(["ip", "address", "add", "203.0.113.1/32", "dev", "lo"])
        five, network, edited, forwarded = sessions()
        assert len(five) == 5
        host.virsh("net-start", "default")
        try_it(host, network)
        addresses = ["203.0.113.10/32", "203.0.113.18/32"]
        nics = [Nic("default", "52:54:00:12:34:56")]
        guest = host.guest("web1", network="public", addresses=addresses, gateways=["192.168.50.1"], more_nics=nics)
        guest.start()
        assert not lab.wan.http("203.0.113.10")
        try_it(host, five)
        assert lab.wan.http("203.0.113.10")
        try_it(host, edited)
        assert lab.wan.http("203.0.113.18")
        guest.ask_for_address("eth1")
        try_it(host, forwarded)
        assert lab.wan.fetch("203.0.113.1", 80) == f"web1 {CLIENT.ipv4}"
        guest.hang_up()
        host.virsh("net-autostart", "default")
        host.reboot()
        wait_for(lambda: lab.wan.http("203.0.113.10"), "the address answers after a reboot", 90)


def the_network() -> str:
    """Return the XML that README shows."""
    (found,) = re.findall(r"^```xml\n(.*?)^```$", README.read_text(encoding="utf-8"), re.M | re.S)
    return str(found)
