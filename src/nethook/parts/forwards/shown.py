"""The texts in which people see elements of the tables of forwards, and where a line leads."""

from __future__ import annotations

from nethook.changes import ADD, Effect
from nethook.parts.forwards.ruleset import SETS
from nethook.parts.forwards.wanted import ANY, OF_BRIDGES, OF_GUESTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Optional

    from nethook.config.forwarded_ports import Forward
    from nethook.host.nftables import Element, Elements
    from nethook.parts.forwards.wanted import Wants

    Found = tuple[Element, Element, Optional[Forward]]
    """Key, data and line of an element."""

OF_LINES = frozenset({"forward", "taken", "kept", "outgoing", "hidden"})
"""Kinds of effects that the state of a line tells."""
OF_HOST = frozenset({"kept", "hidden"})
"""Sets whose elements are effects of a kind of their own."""


def effects(sign: str, elements: Elements, wants: Wants | None, family: int) -> Iterator[Effect]:
    """Yield an effect for each port or address that leads elsewhere: one, although several sets have it.

    Ports that follow each other, and lead to ports that do, are one.
    """

    def line(name: str, key: Element) -> Forward | None:
        of_line = wants.index(name).get(key) if wants and sign == ADD else None
        return of_line.line if of_line else None

    led: set[str] = set()
    for name, members in elements.items():
        kind = SETS[family][name]
        size = len(kind.fields)
        ordered = sorted(members, key=in_order)
        if name in OF_BRIDGES:
            yield from _of_bridges(sign, name, ordered)
        elif name in OF_GUESTS:
            for element in ordered if kind.data else ():
                bridge, *guest = element[:size]
                yield Effect(sign, "outgoing", prefix=end(*element[size:]), to=end(*guest), bridge=bridge)
        elif kind.data or name in OF_HOST or name.startswith("taken"):
            word = "forward" if kind.data else name if name in OF_HOST else "taken"
            if word == "forward":
                led.update(shown(name, element[:size], family).partition(" from ")[0] for element in ordered)
            elif word == "taken":
                ordered = [element for element in ordered if shown(name, element, family) not in led]
            found = [(element[:size], element[size:], line(name, element[:size])) for element in ordered]
            for key, data, of_line in _in_runs(found):
                to = end(*data) if data else ""
                yield Effect(sign, word, prefix=shown(name, key, family), to=to, line=of_line)


def _of_bridges(sign: str, name: str, elements: Iterable[Element]) -> Iterator[Effect]:
    for element in elements:
        if name == "on_link":
            yield Effect(sign, "subnet", prefix=element[1], bridge=element[0])
        elif name == "bridges":
            yield Effect(sign, "inside", bridge=element[0])


def _in_runs(found: Iterable[Found]) -> Iterator[Found]:
    """Yield neighbours of one line as one, if their ports follow each other and lead to ports that do."""
    run: list[Found] = []
    for each in found:
        if run and not _follows(run[-1], each):
            yield _joined(run)
            run = []
        run.append(each)
    if run:
        yield _joined(run)


def _follows(before: Found, after: Found) -> bool:
    (key, data, line), (next_key, next_data, next_line) = before, after
    return line is next_line and _next(key) == next_key and (_next(data) if data else data) == next_data


def _next(element: Element) -> Element:
    """Return the element with the next port; () without a port, or with several."""
    return (*element[:-1], str(int(element[-1]) + 1)) if element[-1].isdigit() else ()


def _joined(run: Sequence[Found]) -> Found:
    (key, data, line), (last_key, last_data, _) = run[0], run[-1]
    if len(run) == 1:
        return run[0]
    return (*key[:-1], f"{key[-1]}-{last_key[-1]}"), (*data[:-1], f"{data[-1]}-{last_data[-1]}") if data else (), line


def shown(name: str, key: Element, family: int) -> str:
    """Return for people what the key of an element is about, such as ``203.0.113.1:80/tcp``."""
    source = key[0] if name.startswith("from") else ""
    address, *rest = key[1:] if source else (ANY[family], *key) if "any" in name else key
    text = end(address, *rest[1:]) + (f"/{rest[0]}" if rest else "")
    return f"{text} from {source}" if source else text


def end(address: str, *more: str) -> str:
    """Return an address, or address and port (the last of ``more``), as people write them."""
    if not more:
        return address
    return f"[{address}]:{more[-1]}" if ":" in address else f"{address}:{more[-1]}"


def in_order(element: Element) -> tuple[tuple[int, str], ...]:
    """Return a key that sorts elements with their numbers as numbers."""
    return tuple((int(field), "") if field.isdigit() else (-1, field) for field in element)
