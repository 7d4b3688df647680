"""A fake host on which verbs run that change files: with a network, and with answers of a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.world.network import WorldNetwork
from nethook.cli import main
from nethook.commands import apply, changing, check, edit, report
from nethook.config import FORWARDED_PORTS_FILES, ROUTED_IPS_FILES
from nethook.engine import cycle, situation
from nethook.host import links
from nethook.host.fake import Killed
from nethook.libvirt import names
from nethook.libvirt.live import LibvirtError, LiveNetwork
from nethook.libvirt.names import no_such_network
from nethook.status import overview
from tests.unit.machine import World

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pytest

    from nethook.config import Configuration
    from nethook.config.text import Problem
    from nethook.host.fake import FakeHost

ROUTED, FORWARDED = ROUTED_IPS_FILES[0], FORWARDED_PORTS_FILES[0]
OLD = "# our addresses\r\n203.0.113.10 public # web\r\n"


class Stage:
    """A host with the network public, and verbs that run on it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world = World()
        network = WorldNetwork("public", 1, "nat")
        self.world.bring_up(network)
        self.world.event(network, "started")
        self.answers: list[str] = []
        self.asked: list[str] = []
        self.has_libvirt = True
        monkeypatch.setattr("os.geteuid", lambda: 0)
        for module in (changing, edit, cycle, apply, situation, overview):
            monkeypatch.setattr(module, "limited_host", lambda: self.host)
        for module in (changing, edit, apply):
            monkeypatch.setattr(module, "require_root", lambda _: None)
        for module in (situation, check):
            monkeypatch.setattr(module, "live_networks", self._networks)
        for module in (names, check):
            monkeypatch.setattr(module, "live_guests", dict)
        monkeypatch.setattr(check, "forward_warnings", lambda *_: [])
        monkeypatch.setattr(check, "host_problems", _unknown_networks)
        monkeypatch.setattr(links, "exists", lambda _: True)
        monkeypatch.setattr(report, "Host", lambda _: self.host)
        monkeypatch.setattr(changing, "confirm", lambda question: self._answer(question) == "y")
        monkeypatch.setattr(edit, "choose", lambda _, choices: self._answer("".join(choices)))

    @property
    def host(self) -> FakeHost:
        return self.world.host

    def _networks(self, _: float = 0.0) -> dict[str, LiveNetwork]:
        if not self.has_libvirt:
            raise LibvirtError("libvirt does not answer")
        return {network.name: LiveNetwork(network, is_active=True) for network in self.world.networks()}

    def _answer(self, question: str) -> str:
        self.asked.append(question)
        return self.answers.pop(0)

    @property
    def routes(self) -> set[str]:
        return {route.prefix for route in self.host.kernel.routes if route.device == "virbr1" and route.protocol == 218}

    def says(self, path: str = ROUTED) -> str | None:
        return self.host.files.texts.get(path)

    def has(self, text: str, path: str = ROUTED) -> None:
        self.host.files.texts[path] = text


def _unknown_networks(configuration: Configuration, live: Mapping[str, LiveNetwork], _: object) -> list[Problem]:
    lines = [line for line in configuration.lines if not line.is_hosts]
    return [no_such_network(line, live) for line in lines if line.network not in live]


def attempt(arguments: Sequence[str]) -> int | None:
    """Run the verb; None if the program was killed."""
    try:
        return main(arguments)
    except Killed:
        return None
