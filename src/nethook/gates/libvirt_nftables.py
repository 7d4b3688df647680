"""The gate in libvirt's own nftables tables: the backend of libvirt 10.4 and later.

Each family has a table ``libvirt_network`` with a base chain ``forward``, which jumps to chains that end in ``reject``
for every bridge. libvirt inserts at the head of those chains, not of this one, so a rule in front of the jumps stays
there. https://libvirt.org/firewall.html
"""

from __future__ import annotations

from nethook.changes import ADD, Effect
from nethook.gates.gate import NFT_FAMILIES, Chain, Firewall, Gate, GateChange, Rule, first_blocker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from nethook.host import Host
    from nethook.host.process import Result


class LibvirtNftables(Firewall):
    """libvirt's nftables backend."""

    settings = ("libvirt-nftables",)
    tables = ("ip libvirt_network", "ip6 libvirt_network")

    def gates(self, host: Host, families: Collection[int], mark_bit: int) -> list[Gate]:
        """Return one for each family."""
        del host
        return [LibvirtNftablesGate(family, mark_bit) for family in families]


class LibvirtNftablesGate(Gate):
    """The gate in the chain ``forward`` of libvirt's table for this IP family (4 or 6)."""

    def __init__(self, family: int, mark_bit: int) -> None:
        super().__init__("libvirt-nftables", f"{NFT_FAMILIES[family]} libvirt_network forward", family, mark_bit)

    def read(self, host: Host, results: Sequence[Result]) -> Chain | None:
        """Return the base chain; None where libvirt has another backend, or no network. ReadError if not known.

        A rule with conditions does not block: it is an admin's. Those of libvirt only count, and jump.
        """
        del results
        family, table, name = self.where.split()
        found = host.chain(family, table, name)
        if found is None:
            return None
        rules = [Rule(str(rule.handle), rule.comment, blocks=rule.stops) for rule in found.rules]
        return Chain(rules, policy_blocks=found.drops)

    def _put_right(self, chain: Chain, misfit: str) -> GateChange:
        """Return the nft commands that put our rule, and it alone, in front of libvirt's jumps."""
        blocker = first_blocker(chain.rules)
        place = (
            f"insert rule {self.where} handle {chain.rules[blocker].name}"
            if blocker < len(chain.rules)
            else f"add rule {self.where}"
        )
        bit = f"{self.mark_bit:#010x}"
        rule = f'{place} meta mark & {bit} == {bit} counter accept comment "{self.comment}"'
        effect = Effect(ADD, "gate", note=f"in {self.where} (was {misfit})")
        return GateChange(effect, nft=[rule, *self._deletions(self._for_this_bit(chain))])

    def removal(self, rules: Sequence[Rule], effects: Sequence[Effect]) -> GateChange:
        """Return the nft commands that delete these rules."""
        return GateChange(*effects, nft=self._deletions(rules))

    def _deletions(self, rules: Sequence[Rule]) -> list[str]:
        return [f"delete rule {self.where} handle {rule.name}" for rule in rules]
