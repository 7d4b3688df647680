"""docs/tracing.md shows what ``nethook trace`` prints: for packets that are traced here, on each of libvirt's backends.

``NETHOOK_GOLDEN=write pytest tests/kernel/test_tracing_docs.py`` writes the output of this machine into it. Tools of
other versions may word a rule differently, so rules count as far as their first words here.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.firewalls import FIREWALLS
from lab.world.world import World
from tests.kernel.traced import ADDRESS, LISTENING, LISTENING_PORT, PORT, Traced

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT = Path(__file__).parents[2] / "docs/tracing.md"
BACKENDS = {"libvirt-nftables": "libvirt with nftables", "iptables-nft": "libvirt with iptables"}
CASES = ("Accepted", "Rejected", "Rewritten", "Routed away")
TO = f"{LISTENING}:{LISTENING_PORT}"


@pytest.fixture(params=BACKENDS)
def shown(request: pytest.FixtureRequest) -> Iterator[tuple[str, Traced]]:
    """A host with this backend, and its name in the document."""
    world = World(FIREWALLS[request.param])
    traced = Traced(world)
    yield BACKENDS[request.param], traced
    traced.close()
    world.close()


def prepare(case: str, traced: Traced) -> str:
    """Make the host as the document says, and return the address to trace."""
    if case == "Rejected":
        traced.sh("nft delete table inet nethook")
    elif case == "Routed away":
        traced.add_uplink("wg0")
        traced.sh(f"ip rule add to {ADDRESS[4]} lookup 52 priority 5270; ip route add default dev wg0 table 52")
    return TO if case == "Rewritten" else ADDRESS[4]


@pytest.mark.parametrize("case", CASES)
def test_the_document_shows_what_is_printed(case: str, shown: tuple[str, Traced]) -> None:
    backend, traced = shown
    word = prepare(case, traced)
    address, port = (LISTENING, LISTENING_PORT) if word == TO else (word, PORT)
    _, out, _ = traced.text(word, "--to-guest", traffic=lambda: traced.send(address, port))
    printed = f"# nethook trace {word} --to-guest --count 1\n{out}"
    text = DOCUMENT.read_text(encoding="utf-8")
    blocks = re.findall(rf"### {case}, {backend}\n(?:[^#`][^\n]*\n|\n)*```console\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 1, f"{DOCUMENT.name} has no part {case}, {backend}"
    if os.environ.get("NETHOOK_GOLDEN") == "write":
        DOCUMENT.write_text(text.replace(blocks[0], printed), encoding="utf-8")
        blocks = [printed]
    assert shape(printed) == shape(blocks[0])


def shape(text: str) -> list[str]:
    """The lines without the details of rules, and without the number of packets, as TCP may send one again."""
    text = re.sub(r"(by rule|by policy)([^:\n]*): .*", r"\1\2", text)
    return re.sub(r"^\d+ packets? seen(, 1 shown)?:", "seen:", text, flags=re.MULTILINE).splitlines()
