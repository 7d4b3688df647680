"""What every gate answers, and where in a chain a gate belongs."""

from __future__ import annotations

from nethook.steps.effect import REMOVE, Effect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.host.host import Host
    from nethook.host.process import Call, Result

COMMENT = "nethook-0x"  # no ":", which iptables would print in quotes
DOUBLED, BEHIND_DOUBTFUL = "doubled", "behind what may block"
BESIDE_FORMER = "open, and so is one for another mark bit"
PASSABLE = frozenset({DOUBLED, BEHIND_DOUBTFUL, BESIDE_FORMER})
"""The misfits that keep nothing from passing, or nobody knows."""
NFT_FAMILIES = {4: "ip", 6: "ip6"}
BITS = frozenset(1 << number for number in range(32))
HEXADECIMAL = frozenset("0123456789abcdef")


class Rule:
    """A rule of a foreign chain: what names it to its tool, whose it is, and whether it may stop a routed packet.

    ``is_doubtful``: it may, but as the program writes it that it belongs to, it does not. ``stops_all``: no
    condition of it is to be seen; ``hides``: it has one all the same.
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
        """Whether the rule is a gate, of whatever mark bit."""
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
    """What opens or closes a gate: commands for the nft transaction of this run, or a call of another tool."""

    __slots__ = ("call", "effects", "nft")

    def __init__(self, *effects: Effect, nft: Sequence[str] = (), call: Call | None = None) -> None:
        self.effects = effects
        self.nft = nft
        self.call = call


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

    def read_call(self) -> Call:
        """What lists the chain."""
        raise NotImplementedError

    def chain(self, result: Result) -> Chain | None:
        """The chain out of that listing, None if this host has none of it; ReadError if that is not known."""
        raise NotImplementedError

    def doubt(self, chain: Chain) -> Call | None:
        """What else has to be read before the gate is opened in this chain; None if nothing."""
        del self, chain
        return None

    def settle(self, chain: Chain, result: Result) -> Chain:
        """The chain, as it is after what was read for the ``doubt``; ReadError if that is not known."""
        raise NotImplementedError

    def settled(self, chain: Chain, host: Host) -> Chain:
        """The chain, after a look at what is in doubt about it; ReadError if that is not known."""
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
        """What is wrong with our rule in the chain: missing, behind what blocks, PASSABLE ones; '' if nothing is."""
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
    """The index of the first rule that may stop a routed packet; the number of rules if there is none."""
    return next((number for number, rule in enumerate(rules) if rule.blocks), len(rules))
