"""The station of the guest, once more: whether it has sent anything from an address to which packets came.

A guest may answer its neighbours for an address, and send its answers another way, or none: what it does inside is not
seen, but its silence is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.doctor.facts import SOMEBODY
from nethook.doctor.finding import WARNING, Finding
from nethook.doctor.guest_answers import ANSWERS
from nethook.parts import counters

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from nethook.doctor.facts import Facts, Target

MANY = 10
"""So many packets without any answer are no chance."""


def one_way(facts: Facts, targets: Sequence[Target]) -> Iterator[Finding]:
    """Yield one warning for each family and bridge about those of the targets from which nothing has come.

    They are in force, and without a failure.
    """
    if not targets:
        return
    received, sent = counters.received(facts.tools), counters.sent(facts.tools)
    spoofed = counters.spoofed(facts.tools) if any(target.line.guest for target in targets) else {}
    silent: dict[tuple[int, str], list[Target]] = {}
    for target in targets:
        place = (target.line.prefix.text, target.bridge)
        if place in received and place in sent and received[place].packets >= MANY and not sent[place].packets:
            silent.setdefault((target.family, target.bridge), []).append(target)
    for (family, bridge), members in silent.items():
        address = members[0].address if len(members) == 1 else "ADDRESS"
        yield Finding(
            WARNING,
            ANSWERS,
            f"packets come, and nothing from there has come back to {bridge}{_elsewhere(members, spoofed)}",
            advice=(
                f"see in the guest whether it answers on its NIC on {bridge} (ip route get {SOMEBODY[family]} from "
                f"{address}), and whether its own firewall lets packets in; `nethook doctor --probe {address}` shows "
                "what becomes of one"
            ),
            addresses=[member.name for member in members],
            is_silence=True,
        )


def _elsewhere(targets: Iterable[Target], spoofed: Mapping[str, int]) -> str:
    """Return what is known of packets from these that came by another NIC than that to which they are bound."""
    count = sum(spoofed.get(target.line.prefix.text, 0) for target in targets)
    return f"; {count} packets from there came by another NIC, and were dropped" if count else ""
