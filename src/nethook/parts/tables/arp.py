"""The table ``arp nethook``: who asks for one of our gateways is answered on the bridges that have it, nowhere else.

Linux answers ARP for each of its addresses on each of its devices. A gateway of ours is a link-local address, so the
provider's network may have somebody else with the same one. Everything here follows from the gateways that there are,
so the table is written anew as a whole whenever they change, and known as right by the comments of its rules.
"""

from __future__ import annotations

from binascii import crc32

from nethook.host.layout import NAME, URL
from nethook.parts.gateways import GATEWAYS
from nethook.parts.part import Part
from nethook.steps.effect import ADD, REMOVE, Effect
from nethook.steps.piece import ARP as ALONE
from nethook.steps.piece import CLASSIFY, NftPiece

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from nethook.engine.case import Case
    from nethook.engine.snapshot import Question
    from nethook.host.host import Host
    from nethook.parts.gateways import Gateway
    from nethook.steps.piece import Piece

FAMILY = "arp"
TABLE = f"{FAMILY} {NAME}"


class ArpRules:
    """The rules for these gateways, which are keys as of ``gateways.py``; those of IPv6 need none."""

    def __init__(self, gateways: Collection[Gateway]) -> None:
        bridges: dict[str, list[str]] = {}
        for address, bridge, _ in sorted(gateways):
            if ":" not in address:
                bridges.setdefault(address, []).append(bridge)
        self.addresses = list(bridges)
        self._matches = [
            "arp operation request arp daddr ip {} iifname != {{ {} }} drop".format(
                address, ", ".join(f'"{bridge}"' for bridge in names)
            )
            for address, names in bridges.items()
        ]
        fingerprint = f"{crc32(repr(self._matches).encode()):08x}"
        self.comments = [f"towards guests only {fingerprint}" for _ in self._matches]

    def commands(self) -> list[str]:
        """Return the nft commands that make the table so, whether or not there is one; without rules it goes.

        What is there is emptied and not deleted, for which the kernel waits 10 ms and more.
        """
        if not self._matches:
            return [f"add table {TABLE}", f"delete table {TABLE}"]
        return [
            f'add table {TABLE} {{ comment "{URL}"; }}',
            f"add chain {TABLE} input {{ type filter hook input priority filter; policy accept; }}",
            f"flush chain {TABLE} input",
            *(
                f'add rule {TABLE} input {match} comment "{comment}"'
                for match, comment in zip(self._matches, self.comments)
            ),
        ]


class Arp(Part):
    """The table ``arp nethook``. Its state are the comments of its rules."""

    name = "arp"

    def read(self, host: Host, question: Question) -> list[str]:
        """Return the comments of its rules; none where there is no such table."""
        del question
        table = host.table(FAMILY, {})
        return table.comments.get("input", []) if table else []

    def want(self, case: Case) -> ArpRules:
        """Want rules for all gateways, when the changes of these have been made."""
        return ArpRules(case.afterwards(GATEWAYS))

    def want_nothing(self) -> ArpRules:
        """Return that no rule is wanted."""
        return ArpRules(())

    def compare(self, case: Case) -> ArpRules | None:
        """Return the rules if they are not as they should be."""
        wanted: ArpRules = case.wanted(self)
        return wanted if wanted.comments != list(case.state(self)) else None

    def pieces(self, case: Case) -> Iterator[Piece]:
        """Yield its commands. If they may have failed before, they are a step of their own: routing works without."""
        rules: ArpRules | None = case.delta(self)
        if rules is None:
            return
        if rules.addresses:
            effect = Effect(ADD, "arp", note=f"for {', '.join(rules.addresses)}, answered towards guests only")
        else:
            effect = Effect(REMOVE, "arp", note="rules for gateways")
        yield NftPiece(ALONE if case.again else CLASSIFY, rules.commands(), [effect], joins=True)


ARP = Arp()
