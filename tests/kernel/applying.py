"""``nethook apply`` in a world: as it is, but that libvirt, which does not run here, is not asked for its networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.world.world import SOURCE

if TYPE_CHECKING:
    from lab.world.network import WorldNetwork
    from lab.world.world import World

_SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from nethook.config import load
from nethook.host import Host
from nethook.libvirt.event import parse_event
from nethook.engine.run import reconcile
from nethook.engine.snapshot import Question
from nethook.placement.scope import Scope
up = [parse_event((name, "started", "begin", "-"), xml.encode()).network
      for name, xml in zip(sys.argv[2::2], sys.argv[3::2])]
host = Host(20)
with host.locked():
    outcome = reconcile(Question(load(host), up, Scope(known=up), host, is_thorough=True))
for effect in outcome.done:
    print(effect)
for failure in outcome.failures:
    print("failure:", failure)
"""


def apply(world: World, *networks: WorldNetwork) -> list[str]:
    """Put the files in force when exactly these networks run. Returns what was done, and what failed."""
    words = [word for network in networks for word in (network.name, network.event_xml())]
    return world.machine.run("/usr/bin/python3", "-I", "-c", _SCRIPT, str(SOURCE), *words).splitlines()
