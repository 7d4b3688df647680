"""The elements of the table ``inet nethook``: reading them, and the commands that change single ones."""

from __future__ import annotations

from nethook.errors import ReadError
from nethook.kernel.process import Call
from nethook.kernel.ruleset import SETS, TABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nethook.kernel.process import Result

    Element = tuple[str, ...]
    """The key of an element, field by field: ``(bridge, block)``, ``(block,)`` or ``(bridge,)``."""
    Elements = dict[str, set[Element]]
    """Elements by the name of their set."""

NOT_FOUND = "No such file or directory"

# Characters that mean only themselves within a quoted nft string ('*' at its end would be a wildcard).
_DEVICE_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:@+=,~^")


def is_safe_device(name: str) -> bool:
    """Whether a device's name can be written into the input of nft and ip as it is."""
    return 0 < len(name) < 16 and _DEVICE_CHARACTERS.issuperset(name) and name[0] not in "-."


class Table:
    """The table as it was read: its elements, and its rules as nft prints them, by chain."""

    __slots__ = ("chains", "elements")

    def __init__(self) -> None:
        self.elements: Elements = {name: set() for name in SETS}
        self.chains: dict[str, list[str]] = {}


def read_call() -> Call:
    """What lists the table."""
    return Call(("nft", "list", "table", *TABLE.split()))


def parse(result: Result) -> Table | None:
    """The table out of what ``read_call`` printed, None when there is none; ReadError when that is not known."""
    if result.status != 0:
        if NOT_FOUND in result.err:
            return None
        raise ReadError(result.failure)
    table = Table()
    if not result.out.startswith(f"table {TABLE} {{") or not result.out.endswith("}\n"):
        raise ReadError(f"`{result.call}` printed what is not understood: {result.out[:80]!r}")
    rules: list[str] = []
    elements: set[Element] = set()
    in_elements = False
    for line in result.out.splitlines():
        text = line.strip()
        if text.startswith("elements = {"):
            in_elements = True
            text = text[len("elements = {") :]
        if in_elements:
            in_elements = not text.endswith("}")
            for item in text.rstrip("}").split(","):
                key = item.partition(" counter ")[0].strip().replace('"', "")
                if key:
                    elements.add(tuple(key.split(" . ")))
        elif text.startswith("chain "):
            rules = table.chains.setdefault(text.split()[1], [])
        elif text.startswith("set "):
            elements = table.elements.setdefault(text.split()[1], set())
            rules = []
        elif text not in {"", "}"} and not text.startswith("type "):
            rules.append(text)
    return table


def _command(verb: str, name: str, elements: set[Element]) -> str:
    if name.startswith("routed"):
        keys = [block for (block,) in elements]
    else:
        keys = [" . ".join((f'"{device}"', *fields)) for device, *fields in elements]
    return f"{verb} element {TABLE} {name} {{ {', '.join(sorted(keys))} }}"


def deletions(elements: Elements) -> list[str]:
    """The commands that delete these elements; nft refuses the whole transaction if one is not there."""
    return [_command("delete", name, members) for name, members in elements.items() if members]


def additions(elements: Elements) -> list[str]:
    """The commands that add these elements."""
    return [_command("add", name, members) for name, members in elements.items() if members]
