"""The table ``arp nethook``: who asks for one of our gateways is answered on the bridges that have it, nowhere else.

Linux answers ARP for each of its addresses on each of its devices. A gateway of ours is a link-local address, so the
provider's network may have somebody else with the same one. Everything here follows from the gateways that there are,
so the table is written anew as a whole whenever they change, and known as right by the comments of its rules.
"""

from __future__ import annotations

from binascii import crc32

from nethook.host.layout import NAME, URL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from nethook.host.host import Host
    from nethook.parts.kind import Key

FAMILY = "arp"
TABLE = f"{FAMILY} {NAME}"


def read(host: Host) -> list[str]:
    """Return the comments of its rules; nothing where there is no such table. ReadError."""
    table = host.table(FAMILY, {})
    return table.comments.get("input", []) if table else []


class ArpRules:
    """The rules for these gateways, which are keys as of ``gateways.py``; those of IPv6 need none."""

    def __init__(self, gateways: Collection[Key]) -> None:
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
        """The nft commands that make the table so, whether or not there is one; without rules it goes.

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
