"""A world in which verbs run that change the file of addresses."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lab.world.verbs import tell_libvirt, verb
from lab.world.world import CONFIGURATION

if TYPE_CHECKING:
    from pathlib import Path

    from lab.processes import Completed
    from lab.world.world import World

OLD = b"# our addresses\r\n203.0.113.10 public # web\r\n"
ADDED = OLD + b"203.0.113.11  public\r\n"


class Here:
    """A world with the network public, in which verbs run."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.public = world.network("public", 1)
        tell_libvirt(world, self.public)
        self.file = world.machine.root / CONFIGURATION.lstrip("/")

    def has(self, data: bytes = OLD, mode: int = 0o644) -> Path:
        self.world.machine.write(CONFIGURATION, data, mode)
        return self.file

    def verb(self, *arguments: str) -> Completed:
        return verb(self.world, *arguments)

    def folder(self) -> list[str]:
        return sorted(os.listdir(self.file.parent))

    def is_routed(self, address: str) -> bool:
        return f"{address} dev virbr1" in self.world.machine.run("ip", "route", "show", "proto", "218")
