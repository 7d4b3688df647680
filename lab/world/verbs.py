"""The verbs of nethook in a world, with a libvirt that is a folder: see ``fake_libvirt``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from lab.processes import run
from lab.world.world import SOURCE

if TYPE_CHECKING:
    from lab.processes import Completed
    from lab.world.network import WorldNetwork, WorldPort
    from lab.world.world import World

FAKE = Path(__file__).parent / "fake_libvirt"
FOLDER = "/run/fake-libvirt"
START = f"import sys; sys.path[:0] = [{str(FAKE)!r}, {str(SOURCE)!r}]; from nethook.cli import main; sys.exit(main())"
PROGRAM = ("/usr/bin/python3", "-I", "-c")


def tell_libvirt(world: World, network: WorldNetwork, *ports: WorldPort, has_ipv6: bool = True) -> None:
    """Have libvirt know this network, which is active and has exactly these ports, and maybe no IPv6."""
    folder = f"{FOLDER}/{network.name}"
    world.machine.run("rm", "-rf", folder)
    for name, port in (("network.xml", None), *((port.uuid, port) for port in ports)):
        xml = network.event_xml(port)
        if not has_ipv6:
            xml = re.sub(r"<ip family='ipv6'.*?</ip>", "", xml, flags=re.S)
        pattern = r"<networkport>.*</networkport>" if port else r"<network>.*</network>"
        found = re.search(pattern, xml, re.S)
        assert found
        world.machine.write(f"{folder}/{name}", found[0])


def command(world: World, *arguments: str, code: str = "", **environment: str) -> list[str]:
    """Return the command ``nethook`` with this libvirt, for out here.

    It runs this Python code first, with these variables of the environment.
    """
    variables = ["env", *(f"{name}={value}" for name, value in environment.items())] if environment else []
    return world.machine.command([*variables, *PROGRAM, code + START, *arguments])


def verb(world: World, *arguments: str) -> Completed:
    """Run it, whatever becomes of it; return its status and what it prints."""
    return run(command(world, *arguments), check=False)


def nethook(world: World, *arguments: str, check: bool = True) -> str:
    """Run it and return what it prints; with ``check``, it has to succeed."""
    return world.machine.run(*PROGRAM, START, *arguments, check=check)
