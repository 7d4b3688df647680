"""A gate: our opening in the firewall of another program.

To add one, write a file with a class that derives from ``Firewall``, and put an instance into the registry in
``gates/__init__.py``. A firewall that has its rules in chains has a ``Gate`` for each, which says what to read and what
to change. One that is asked otherwise answers by ``look``.
"""

from __future__ import annotations

from nethook.changes import REMOVE, Effect
from nethook.placement import BROKEN, WEAK, Lack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from nethook.engine.case import Case
    from nethook.host import Host
    from nethook.host.process import Call, Result
    from nethook.prefix import Prefix

STATION = "gate"
"""The station of doctor at which it looks at our gates."""
COMMENT = "nethook-0x"  # no ":", which iptables would print in quotes
DOUBLED, BEHIND_DOUBTFUL = "doubled", "behind what may block"
BESIDE_FORMER = "open, and so is one for another mark bit"
PASSABLE = frozenset({DOUBLED, BEHIND_DOUBTFUL, BESIDE_FORMER})
"""The misfits that keep nothing from passing, or nobody knows."""
NFT_FAMILIES = {4: "ip", 6: "ip6"}
BITS = frozenset(1 << number for number in range(32))
HEXADECIMAL = frozenset("0123456789abcdef")


class Rule:
    """A rule of a foreign chain: its name for its tool, its owner, and whether it may stop a routed packet.

    ``is_doubtful``: it may, but not as its program usually writes it. ``stops_all``: it is listed without conditions.
    ``hides``: it has a condition that its tool does not list.
    """

    __slots__ = ("blocks", "comment", "hides", "is_doubtful", "name", "stops_all")

    def __init__(
        self,
        name: str,
        comment: str,
        *,
        blocks: bool,
        is_doubtful: bool = False,
        stops_all: bool = False,
        hides: bool = False,
    ) -> None:
        self.name = name
        self.comment = comment
        self.blocks = blocks
        self.is_doubtful = is_doubtful
        self.stops_all = stops_all
        self.hides = hides

    @property
    def is_ours(self) -> bool:
        """True if the rule is a gate, of whatever mark bit."""
        prefix, bit = self.comment[: len(COMMENT)], self.comment[len(COMMENT) :]
        return prefix == COMMENT and bool(bit) and HEXADECIMAL.issuperset(bit)

    @property
    def mark_bit(self) -> int:
        """The bit of a gate, by its comment."""
        return int(self.comment[len(COMMENT) :], 16)


class Chain:
    """A foreign chain as it was read: its rules from top to bottom, and whether what passes them all is blocked."""

    __slots__ = ("policy_blocks", "rules")

    def __init__(self, rules: Sequence[Rule], *, policy_blocks: bool) -> None:
        self.rules = rules
        self.policy_blocks = policy_blocks

    @property
    def gates(self) -> list[Rule]:
        """The rules that are ours."""
        return [rule for rule in self.rules if rule.is_ours]

    @property
    def mark_bits(self) -> set[int]:
        """The mark bits of the rules that are ours."""
        return {rule.mark_bit for rule in self.gates if rule.mark_bit in BITS}


class GateChange:
    """A change of a gate: commands for the nft transaction of this run, or a call of another tool."""

    __slots__ = ("call", "effects", "nft")

    def __init__(self, *effects: Effect, nft: Sequence[str] = (), call: Call | None = None) -> None:
        self.effects = effects
        self.nft = nft
        self.call = call


class Firewall:
    """A firewall of another program. ``settings`` are the names of its gates in the setting ``gates``.

    ``tables`` are nftables tables, family and name: a change of their rules may close a gate.
    """

    settings: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()

    def gates(self, host: Host, families: Collection[int], mark_bit: int) -> list[Gate]:
        """Return its gates for these IP families (4, 6) on this host, which are read side by side with all else."""
        del host, families, mark_bit
        return []

    def is_due(self, case: Case) -> bool:
        """Return whether it has to be asked by ``look``, which takes time."""
        del case
        return False

    def look(self, case: Case, host: Host) -> tuple[Opening | None, list[str]]:
        """Ask it. Returns what it answered, None if it does not run, and a sentence for each failure."""
        raise NotImplementedError


class Opening:
    """A gate as it was found in a firewall, and what follows from that for a run."""

    setting = ""
    where = ""
    family = 0
    """The IP family that it is for (4, 6); 0: both."""

    @property
    def mark_bits(self) -> set[int]:
        """The mark bits that it is open for."""
        return set()

    def is_wanted(self, case: Case) -> bool:
        """Return whether anything has to pass, and the settings leave it in."""
        return case.opens(self)

    def changes(self, case: Case) -> list[GateChange]:
        """Return the changes that open or close it."""
        raise NotImplementedError

    def former(self, case: Case) -> list[GateChange]:
        """Return the changes that close it for other mark bits, when everything else has been done."""
        del case
        return []

    def state(self, case: Case) -> str:
        """Return its state for people; '' if there is nothing to say."""
        raise NotImplementedError

    def closed_for(self, case: Case, prefix: Prefix) -> str:
        """Return why packets of this prefix do not pass here; '' if they do, or nobody knows."""
        raise NotImplementedError

    def lacks(self, case: Case) -> Iterator[Lack]:
        """Yield what is wrong with it, for doctor; nothing if all is well, and ``state`` says the rest."""
        raise NotImplementedError


class ChainOpening(Opening):
    """A gate in a chain."""

    def __init__(self, gate: Gate, chain: Chain) -> None:
        self.gate = gate
        self.chain = chain
        self.setting = gate.setting
        self.where = gate.where
        self.family = gate.family

    @property
    def mark_bits(self) -> set[int]:
        """The mark bits of the rules that are ours."""
        return self.chain.mark_bits

    def changes(self, case: Case) -> list[GateChange]:
        """Return the change, if there is one."""
        change = self.gate.opening(self.chain) if self.is_wanted(case) else self.gate.closing(self.chain)
        return [change] if change else []

    def former(self, case: Case) -> list[GateChange]:
        """Return the change, if there is one."""
        change = self.gate.former_closing(self.chain) if self.is_wanted(case) else None
        return [change] if change else []

    def state(self, case: Case) -> str:
        """Return open, not needed, or what is wrong; '' for a family without lines, where nothing is ours."""
        if not case.settings.opens(self.setting):
            return "open, but left out by the setting gates" if self.chain.gates else ""
        if self.family not in case.families and not self.chain.gates:
            return ""
        return self.gate.misfit(self.chain) or ("open" if self.chain.gates else "not needed")

    def closed_for(self, case: Case, prefix: Prefix) -> str:
        """Return what is wrong with it."""
        if not case.settings.opens(self.setting) or self.family != prefix.family:
            return ""
        misfit = self.gate.misfit(self.chain)
        return f"its gate is {misfit}; run nethook apply" if misfit and misfit not in PASSABLE else ""

    def lacks(self, case: Case) -> Iterator[Lack]:
        """Yield that it is not as the settings want it."""
        misfit = self.gate.misfit(self.chain)
        if case.settings.opens(self.setting):
            if misfit:
                weight = WEAK if misfit in PASSABLE else BROKEN
                yield Lack(STATION, f"our gate in {self.where} is {misfit}", weight)
        elif self.chain.gates:
            yield Lack(STATION, f"our gate in {self.where} is open, but the setting gates leaves it out", WEAK)
        elif misfit:
            advice = f"add {self.setting} to the setting gates in nethook.conf, and run nethook apply"
            text = f"{self.where} blocks, and the setting gates leaves it out"
            yield Lack(STATION, text, command="", advice=advice)


class Gate:
    """One gate for one IP family (4 or 6): says what to read, and what has to be done about what was read.

    ``setting`` is its name in the setting ``gates``.
    """

    def __init__(self, setting: str, where: str, family: int, mark_bit: int) -> None:
        self.setting = setting
        self.where = where
        self.family = family
        self.mark_bit = mark_bit
        self.comment = f"{COMMENT}{mark_bit:x}"

    def calls(self, host: Host) -> list[Call]:
        """Return the programs whose results ``read`` needs. They run while everything else is read."""
        del host
        return []

    def read(self, host: Host, results: Sequence[Result]) -> Chain | None:
        """Return the chain; None if this host has no such chain, ReadError if that is not known."""
        raise NotImplementedError

    def doubt(self, chain: Chain) -> Call | None:
        """Return the call whose result is needed before the gate is opened in this chain; None if none is."""
        del self, chain
        return None

    def settle(self, chain: Chain, result: Result) -> Chain:
        """Return the chain with what was read for the ``doubt``; ReadError if that is not known."""
        raise NotImplementedError

    def settled(self, chain: Chain, host: Host) -> Chain:
        """Return the chain after all doubts about it are settled; ReadError if that is not known."""
        doubt = self.doubt(chain)
        return self.settle(chain, host.run(doubt)) if doubt else chain

    def opening(self, chain: Chain) -> GateChange | None:
        """Return what opens the gate for our mark bit; None if it is open, or nothing has to pass."""
        misfit = self.misfit(chain)
        return None if misfit in {"", BESIDE_FORMER} else self._put_right(chain, misfit)

    def _put_right(self, chain: Chain, misfit: str) -> GateChange:
        """Return what opens the gate in front of what blocks, in place of those for this mark bit that are there."""
        raise NotImplementedError

    def closing(self, chain: Chain) -> GateChange | None:
        """Return what removes our rules, whatever their mark bit; None if there is none."""
        rules = chain.gates
        return self.removal(rules, [Effect(REMOVE, "gate", note=f"in {self.where}")]) if rules else None

    def former_closing(self, chain: Chain) -> GateChange | None:
        """Return what removes our rules for other mark bits; None if there is none."""
        rules = [rule for rule in chain.gates if rule.comment != self.comment]
        bits = ", ".join(f"{rule.mark_bit:#x}" for rule in rules)
        note = f"in {self.where}, for mark bit {bits}"
        return self.removal(rules, [Effect(REMOVE, "gate", note=note)]) if rules else None

    def removal(self, rules: Sequence[Rule], effects: Sequence[Effect]) -> GateChange:
        """Return what deletes these rules of the chain, all or none."""
        raise NotImplementedError

    def _for_this_bit(self, chain: Chain) -> list[Rule]:
        return [rule for rule in chain.rules if rule.comment == self.comment]

    def misfit(self, chain: Chain) -> str:
        """Return the mistake of our rule: missing, behind a rule that blocks, or a PASSABLE one; '' if it has none."""
        blocker = first_blocker(chain.rules)
        ours = [number for number, rule in enumerate(chain.rules) if rule.comment == self.comment]
        if not ours:
            if chain.gates:
                return "for another mark bit"
            return "missing" if chain.policy_blocks or blocker < len(chain.rules) else ""
        if ours[0] > blocker:
            before = chain.rules[: ours[0]]
            return (
                "behind what blocks"
                if any(rule.blocks and not rule.is_doubtful for rule in before)
                else BEHIND_DOUBTFUL
            )
        if len(ours) > 1:
            return DOUBLED
        return BESIDE_FORMER if len(chain.gates) > 1 else ""


def first_blocker(rules: Sequence[Rule]) -> int:
    """Return the index of the first rule that may stop a routed packet; the number of rules if there is none."""
    return next((number for number, rule in enumerate(rules) if rule.blocks), len(rules))
