"""The station of the guest: whether it answers for an address, when asked on its bridge with ARP or NDP.

The kernel's own neighbour entries are not changed, and not believed: they may be minutes old.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from nethook.doctor import plugged
from nethook.doctor.asking import arp, ndp
from nethook.doctor.finding import FAILURE, OK, WARNING, Finding
from nethook.shell import word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from nethook.doctor.asking import Answers
    from nethook.doctor.facts import AnyTarget, Facts

ANSWERS = "guest"
PERMANENT = "PERMANENT"


class _Asked(NamedTuple):
    """The questions on one bridge: the targets, their addresses, and the sender's address."""

    bridge: str
    family: int
    targets: Sequence[AnyTarget]
    addresses: Sequence[str]
    sender: str

    @property
    def how(self) -> str:
        """The name of the question."""
        return "ARP" if self.family == 4 else "NDP"

    def answers(self) -> Answers | str:
        """Ask, and return the answers, or why nobody can be asked."""
        try:
            return (arp if self.family == 4 else ndp)(self.bridge, self.addresses, self.sender)
        except OSError as error:
            return error.strerror or str(error)


def answering(facts: Facts, targets: Iterable[AnyTarget]) -> Iterator[Finding]:
    """Yield for each target whether a guest answers for it now; for a large prefix without a next hop nothing."""
    groups: dict[tuple[str, int], list[AnyTarget]] = {}
    for target in targets:
        if target.link_addresses:
            groups.setdefault((target.bridge, target.family), []).append(target)
    asked = [
        _Asked(bridge, family, members, _addresses(members), _own(facts, bridge, members))
        for (bridge, family), members in groups.items()
        if facts.ports(bridge)
    ]
    if not asked:
        return
    with ThreadPoolExecutor(len(asked)) as pool:  # each waits for silent addresses
        answers = list(pool.map(_Asked.answers, asked))
    for group, answer in zip(asked, answers):
        if isinstance(answer, str):
            yield Finding(WARNING, ANSWERS, f"guests on {group.bridge} cannot be asked: {answer}")
        else:
            yield from _judged(facts, group, answer)


def _addresses(targets: Iterable[AnyTarget]) -> list[str]:
    return list(dict.fromkeys(address for target in targets for address in target.link_addresses))


def _judged(facts: Facts, asked: _Asked, answers: Answers) -> Iterator[Finding]:
    """Yield what the answers tell of each target, with all silent ones together."""
    (entries,) = facts.ask(asked.family, [f"neigh show dev {asked.bridge}"])
    fixed = {
        entry["dst"]: entry.get("lladdr", "")
        for entry in entries.listed
        if PERMANENT in entry.get("state", ()) and "lladdr" in entry
    }
    own = {target.link_address for target in asked.targets}
    silent = []
    for target in asked.targets:
        if target.link_address:
            macs = answers.get(target.link_address, set())
            if macs:
                yield _finding(target, asked.how, macs, fixed)
        else:  # an address with a line of its own may be another guest's
            macs = {mac for address in target.link_addresses if address not in own for mac in answers.get(address, ())}
            if macs:
                text = f"{', '.join(sorted(macs))} answers {asked.how} for an address of it"
                yield Finding(OK, ANSWERS, text, addresses=[target.name], is_answer=True)
        if not macs:
            silent.append(target)
    silent = _on_link(facts, silent)
    if not silent:
        return
    suspects = plugged.nics(facts, asked.bridge).troubles
    yield from _suspected(silent, suspects) if suspects else _silent(asked, silent)


def _on_link(facts: Facts, targets: Sequence[AnyTarget]) -> list[AnyTarget]:
    """Return those of the targets that the host asks for itself: no route of others leads to them by a next hop."""
    asked = [target for target in targets if target.link_address in {"", target.address}]
    questions = [f"route get {target.link_addresses[0]}" for target in asked]
    ways = facts.ask(asked[0].family, questions) if asked else []
    elsewhere = [target for target, way in zip(asked, ways) if {"gateway", "via"} & way.first.keys()]
    return [target for target in targets if target not in elsewhere]


def _suspected(silent: Sequence[AnyTarget], suspects: Sequence[plugged.Trouble]) -> Iterator[Finding]:
    """Yield failures for silent targets, if there are guests that cannot answer and may have their addresses."""
    which = silent[0].link_address or silent[0].name if len(silent) == 1 else "these addresses"
    ending = f"; it may have {which}, for which nobody answers"
    yield from plugged.findings(suspects, FAILURE, [target.name for target in silent], ending)


def _silent(asked: _Asked, silent: Sequence[AnyTarget]) -> Iterator[Finding]:
    """Yield one failure for all silent targets that need the same, such as an address in a guest."""
    alike: dict[tuple[type, bool], list[AnyTarget]] = {}
    for target in silent:
        has_next_hop = target.link_address not in {"", target.address}
        alike.setdefault((type(target), has_next_hop), []).append(target)
    for members in alike.values():
        first, names = members[0], [target.name for target in members]
        which = first.link_address or f"any address of {first.name}"
        advice = first.how_to_answer
        asked_for = {member.link_address for member in members}
        if members[1:] and (asked_for == {""} or len(asked_for) > 1):
            which = f"any of these {len(members)}"
            advice = advice.replace(first.link_address or "ADDRESS", "ADDRESS")
        text = f"no guest on {asked.bridge} answers {asked.how} for {which}"
        yield Finding(FAILURE, ANSWERS, text, advice=advice, addresses=names)


def _finding(target: AnyTarget, how: str, macs: set[str], fixed: Mapping[str, str]) -> Finding:
    """Return what it means that NICs with these MACs answer."""
    address, bridge = target.link_address, target.bridge
    if address in fixed and fixed[address] not in macs:
        return Finding(
            FAILURE,
            ANSWERS,
            f"the host's permanent neighbour entry for {address} has {fixed[address]}, but {min(macs)} answers",
            command=f"ip neigh del {address} dev {word(bridge)}",
            addresses=[target.name],
        )
    if len(macs) > 1:
        text = f"several guests answer {how} for {address}: {', '.join(sorted(macs))}"
        advice = "give it to one of them"
        return Finding(WARNING, ANSWERS, text, advice=advice, addresses=[target.name], is_answer=True)
    return Finding(OK, ANSWERS, f"{min(macs)} answers {how}", addresses=[target.name], is_answer=True)


def _own(facts: Facts, bridge: str, targets: Sequence[AnyTarget]) -> str:
    """Return the address from which the host itself would ask."""
    held = [own.address for own in facts.own_addresses if own.device == bridge and own.address.family == 4]
    if held:
        return held[0].text
    (way,) = facts.ask(targets[0].family, [f"route get {targets[0].link_addresses[0]}"])
    return str(way.first.get("prefsrc", "0.0.0.0"))  # noqa: S104 # stands for no sender
