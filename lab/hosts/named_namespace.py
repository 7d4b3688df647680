"""A network namespace with a name that belongs to one lab."""

from collections.abc import Sequence
from pathlib import Path

from lab.hosts.footprint import NAMESPACES, Footprint
from lab.namespace import Namespace
from lab.processes import Argument, Completed, run


class NamedNamespace(Namespace):
    """A new one that ``ip netns`` knows, as long as its lab is there."""

    def __init__(self, footprint: Footprint, name: str) -> None:
        self._footprint = footprint
        self.name = f"{footprint.name}-{name}"
        super().__init__(str(NAMESPACES / self.name))
        self._make()

    def renew(self) -> None:
        """Take an empty one in its place; what was in it is gone."""
        run(["ip", "netns", "delete", self.name])
        self._make()

    def _make(self) -> None:
        run(["ip", "netns", "add", self.name])
        self.ip("link set lo up")

    def command(self, argv: Sequence[Argument]) -> list[Argument]:
        """Return the command that runs `argv` in here."""
        return self._footprint.command(["ip", "netns", "exec", self.name, *argv])

    def run(self, argv: Sequence[Argument], *, check: bool = True, timeout: float = 180) -> Completed:
        """Run a command in here; see processes.run."""
        title = f"{self.name}: {' '.join(map(str, argv))}"
        return run(self.command(argv), check=check, timeout=timeout, title=title)

    def start(self, argv: Sequence[Argument], log: Path) -> None:
        """Start a process in here that runs until the end of the lab."""
        self._footprint.start(["ip", "netns", "exec", self.name, *argv], log)
