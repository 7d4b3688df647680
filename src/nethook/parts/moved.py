"""What belongs to somebody else now than it did before: connections of that must not go on. Pure."""

from __future__ import annotations

from nethook.net.prefix import parse_prefix
from nethook.net.prefixes import Ordered, without
from nethook.parts.tables import binding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nethook.host.keys import Element
    from nethook.host.nftables import Elements
    from nethook.net.prefix import Prefix


def handed_on(gone: Elements, new: Elements) -> set[str]:
    """The blocks that do not belong to the NIC any more that they belonged to, by what goes and comes in the sets."""
    blocks: set[str] = set()
    for family in binding.KINDS:
        for single in (True, False):
            name = binding.set_name("holders", family, single=single)
            blocks.update(_given_up(gone.get(name, ()), new.get(name, ())))
        prefixes = new.get(binding.set_name("bound", family, single=False), ())
        bound_since = Ordered(parse_prefix(text) for (text,) in prefixes)
        apart = new.get(binding.set_name("apart", family, single=True), ())
        blocks.update(text for (text,) in apart if not bound_since.around(parse_prefix(text)))
    return blocks


def _given_up(gone: Iterable[Element], new: Iterable[Element]) -> Iterator[str]:
    """Of (MAC, block) pairs that go, what does not stay with this MAC in blocks that are cut otherwise."""
    again: dict[str, list[Prefix]] = {}
    for mac, text in new:
        again.setdefault(mac, []).append(parse_prefix(text))
    kept = {mac: Ordered(blocks) for mac, blocks in again.items()}
    for mac, text in gone:
        block, of_mac = parse_prefix(text), kept.get(mac)
        if of_mac is None:
            yield text
        elif not of_mac.around(block):
            yield from (rest.text for rest in without(block, of_mac.within(block)))
