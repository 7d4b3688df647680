"""The fake host beside the real tools: the same scripts, the same answers, the same state as the program reads it.

Each life of ``tests/unit/scenarios.py`` is recorded on the fake host, with all that libvirt and the program did, and
played on the kernel. Others are about what goes wrong.
"""

from __future__ import annotations

import json
import shlex
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import pytest

from lab.world.machine import Machine
from nethook.host.fake import FakeHost
from nethook.host.fake.kernel import Kernel
from tests.kernel.playing import OnFake, in_namespace
from tests.kernel.wrong_calls import BRIDGES, FORWARDS, IP, IPTABLES, NFT, written
from tests.unit.machine import World
from tests.unit.scenarios import SCENARIOS, steps_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nethook.host.fake.answer import Answer
    from nethook.host.links import Link
    from nethook.host.netlink import Key
    from nethook.host.nftables import ForeignChain
    from nethook.host.process import Call
    from tests.kernel.playing import Step


@pytest.fixture
def machine() -> Iterator[Machine]:
    made = Machine()
    yield made
    made.close()


class Recorded(Kernel):
    """A kernel that writes down what is done to it, but not by tools."""

    def __init__(self, script: list[Step]) -> None:
        self.script: list[Step] = []  # lo
        super().__init__()
        self.script = script

    def add_link(self, name: str, kind: str = "", mac: str = "52:54:00:ff:ff:ff", master: str = "") -> Link:
        self.script.append(["link", name, kind, mac, master])
        return super().add_link(name, kind, mac, master)

    def delete_link(self, name: str) -> None:
        self.script.append(["unlink", name])
        super().delete_link(name)

    def add_address(self, text: str, device: str, *, metric: int = 0, flags: int = 0) -> None:
        if not metric:
            self.script.append(["address", text, device])
        super().add_address(text, device, metric=metric, flags=flags)

    def write_setting(self, path: str, text: str) -> None:
        self.script.append(["setting", path, text])
        super().write_setting(path, text)


class Recorder(FakeHost):
    """A host that writes down what is asked of it, as a script."""

    def __init__(self) -> None:
        super().__init__()
        self.script: list[Step] = []
        self.kernel = Recorded(self.script)

    def _tool(self, call: Call) -> Answer:
        answer = super()._tool(call)
        self.script.append(["call", list(call.argv), call.stdin, answer.out])
        return answer

    def _chain(self, family: str, table: str, name: str) -> ForeignChain | None:
        found = super()._chain(family, table, name)
        self.script.append(["chain", family, table, name, [rule.handle for rule in found.rules] if found else []])
        return found

    def _change_elements(
        self, family: str, new: Mapping[str, Sequence[Key]], gone: Mapping[str, Sequence[Key]]
    ) -> None:
        self.script.append(["elements", family, written(new), written(gone)])
        super()._change_elements(family, new, gone)


def compare(machine: Machine, script: list[Step]) -> None:
    """Play the script on both, and compare step by step."""
    machine.write("/mnt/script", json.dumps(script))
    machine.run("ip", "link", "set", "lo", "up")
    real = json.loads(machine.run("sh", "-c", f"{shlex.join(in_namespace())} </mnt/script"))
    fake = json.loads(json.dumps(OnFake(FakeHost()).play(script)))
    found = [
        f"{step}\n  fake:   {differing(on_fake, on_kernel)}\n  kernel: {differing(on_kernel, on_fake)}"
        for step, on_kernel, on_fake in zip(script, real, fake)
        if on_kernel != on_fake
    ]
    assert not found, "\n".join(found)


def differing(found: Any, wanted: Any) -> Any:
    """Return what is not the same, of what was found."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return {key: differing(found[key], wanted.get(key)) for key in found if found[key] != wanted.get(key)}
    if isinstance(found, list) and isinstance(wanted, list):
        return [differing(each, other) for each, other in zip_longest(found, wanted) if each != other]
    return found


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_life(machine: Machine, name: str) -> None:
    host = Recorder()
    scenario = SCENARIOS[name]
    world = World(scenario.firewall, host)
    world.configure(*scenario.lines, settings=scenario.settings)
    for step in steps_of(scenario):
        step.before(world)
        assert step.act(world) == []
        host.script.append(["state"])
    compare(machine, host.script)


@pytest.mark.parametrize("steps", [NFT, FORWARDS, [*BRIDGES, *IP], IPTABLES], ids=["nft", "forwards", "ip", "iptables"])
def test_what_goes_wrong(machine: Machine, steps: list[Step]) -> None:
    compare(machine, [each for step in steps for each in (step, ["state"])])
