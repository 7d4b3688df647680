"""The layout of one of our nftables tables: sets, and chains of constant rules."""

from __future__ import annotations

from binascii import crc32

from nethook.prefix import parse_prefix, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Final

    from nethook.host.nftables import Element, Elements

NAME = "nethook"
URL = "https://pypi.org/project/libvirt-nethook-helper/"
DEVICE: Final = "ifname"
MAC: Final = "ether_addr"
INDEX: Final = "iface_index"
"""Unlike a name, it is never another device's soon after."""
ADDRESS: Final = {4: "ipv4_addr", 6: "ipv6_addr"}
PROTOCOL: Final = "inet_proto"
PORT: Final = "inet_service"


def set_name(role: str, family: int, *, single: bool) -> str:
    """Return the name of the set with this role, for single addresses or prefixes of this family (4, 6)."""
    return f"{role}{family}" if single else f"{role}{family}_prefixes"


class SetType:
    """The type of a set or map: the fields of its keys, and of the data that each key of a map leads to.

    Fields are in nft's words; a device is the first. ``role`` says what the elements mean. ``family`` is that of its
    addresses: 4 or 6, or 0 if it has none. Where it has intervals, addresses are prefixes or ranges, and ports ranges.
    A set may count what it matches. ``in_payload`` says, in nft's words, where in a packet's transport header its
    addresses are looked for. nft then takes them for numbers.
    """

    def __init__(
        self,
        role: str,
        *fields: str,
        data: tuple[str, ...] = (),
        is_interval: bool = False,
        counts: bool = False,
        in_payload: str = "",
    ) -> None:
        self.role = role
        self.fields = fields
        self.data = data
        self.family = next((family for family, address in ADDRESS.items() if address in fields), 0)
        self.is_interval = is_interval
        self.counts = counts
        self.in_payload = in_payload

    @property
    def word(self) -> str:
        """The word for it in nft's commands."""
        return "map" if self.data else "set"

    @property
    def definition(self) -> str:
        """The set's definition for nft."""
        if self.in_payload:
            fields = "typeof " + "ether saddr . " * (MAC in self.fields) + self.in_payload
        else:
            fields = "type " + _joined(self.fields, self.data)
        return f"{fields}; {'flags interval; ' * self.is_interval}{'counter;' * self.counts}".rstrip()


def _joined(key: Sequence[str], data: Sequence[str]) -> str:
    """Return fields as nft writes them: those of a key, and those of the data that it leads to, if there are any."""
    return f"{' . '.join(key)} : {' . '.join(data)}" if data else " . ".join(key)


class Layout:
    """A table. ``fingerprint`` tells its sets and rules from those of another version or other settings."""

    def __init__(
        self, family: str, sets: Mapping[str, SetType], hooks: Mapping[str, str], chains: Mapping[str, Sequence[str]]
    ) -> None:
        """``family`` is nft's word; ``hooks`` has the chains that packets come into: what these are to the kernel.

        ``chains`` has rules, each with its reason behind a ``#``; what is jumped to stands before what jumps.
        """
        self.family = family
        self.table = f"{family} {NAME}"
        self.sets = sets
        self.hooks = hooks
        self.chains = chains
        self._fingerprint = ""

    @property
    def fingerprint(self) -> str:
        """The checksum of its sets and rules. An event without this table does not need it."""
        if not self._fingerprint:
            definitions = [self.hooks, self.chains, *((name, kind.definition) for name, kind in self.sets.items())]
            self._fingerprint = f"{crc32(repr(definitions).encode()):08x}"
        return self._fingerprint

    def creation(self) -> list[str]:
        """Return the nft commands that make table, sets and rules as they should be; elements that are there stay."""
        commands = [f'add table {self.table} {{ comment "{URL}"; }}']
        commands += [f"add {kind.word} {self.table} {name} {{ {kind.definition} }}" for name, kind in self.sets.items()]
        for chain in self.chains:
            hook = f" {{ {self.hooks[chain]} }}" if chain in self.hooks else ""
            commands += [f"add chain {self.table} {chain}{hook}", f"flush chain {self.table} {chain}"]
        for chain, rules in self.chains.items():
            for rule in rules:
                match = rule.partition(" # ")[0]
                commands.append(f'add rule {self.table} {chain} {match} comment "{self.comment(rule)}"')
        return commands

    def comment(self, rule: str) -> str:
        """Return the comment that the kernel keeps with a rule: its reason, and the fingerprint."""
        return f"{rule.partition(' # ')[2]} {self.fingerprint}".lstrip()

    def is_intact(self, comments: Mapping[str, Sequence[str]]) -> bool:
        """Return whether our chains have exactly these rules, by the comments of the rules in each chain."""
        return all(
            comments.get(chain) == [self.comment(rule) for rule in rules] for chain, rules in self.chains.items()
        )

    def deletions(self, elements: Elements) -> list[str]:
        """Return the commands that delete the elements with these keys.

        nft refuses the whole transaction if one is not there.
        """
        return [self._command("delete", name, members) for name, members in elements.items() if members]

    def additions(self, elements: Elements) -> list[str]:
        """Return the commands that add these elements."""
        return [self._command("add", name, members) for name, members in elements.items() if members]

    def _command(self, verb: str, name: str, elements: Iterable[Element]) -> str:
        kind = self.sets[name]
        size = len(kind.fields)
        if kind.in_payload:
            elements = [(*first, _number(block)) for *first, block in elements]
        if DEVICE in kind.fields:
            elements = [(quoted(device), *fields) for device, *fields in elements]
        if kind.data and verb == "add":
            texts = [_joined(fields[:size], fields[size:]) for fields in elements]
        else:
            texts = [" . ".join(fields[:size]) for fields in elements]
        return f"{verb} element {self.table} {name} {{ {', '.join(sorted(texts))} }}"


def _number(block: str) -> str:
    """Return an address or prefix as nft takes it for a number, or a range of them."""
    prefix = parse_prefix(block)
    return f"{prefix.first:#x}" if prefix.is_address else f"{prefix.first:#x}-{prefix.last:#x}"
