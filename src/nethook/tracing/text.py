"""Ways of packets as text for people: first where the packet ends, then its way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.config.text import one_line
from nethook.terminal import columns_of, escaped, folded
from nethook.tracing.fate import PASSED
from nethook.tracing.rows import CHAIN
from nethook.tracing.tried import IN_THE_GUEST, ONE_WAY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.tracing.rows import Row
    from nethook.tracing.session import Found, Session
    from nethook.tracing.subject import Subject

GAP = "  "
INDENT = " " * 4
MOST_CHARACTERS = 3
"""For one column: some characters have no width."""
ARROW = " → "
WIDEST = 44
"""The columns of a cell to which others are aligned. Few are wider."""
LONGEST_RULE = 500
"""Characters. A rule may have a set with thousands of elements."""
STOPPING = frozenset({"drop", "reject"})


def packet_text(number: int, found: Found, width: int | None, *, coloured: bool = False) -> str:
    """Return the text of one packet. Lines of its way are cut at this width, if there is one; what decides is not."""
    packet, end = found.way.packet, found.fate
    whom = "to the guest" if found.way.is_to else "from the guest"
    head = f"{number}. {whom}: {packet.kind} {packet.from_end} → {packet.to_end}, {packet.length} bytes"
    lines = [escaped(head, "bold") if coloured else head]
    colour = "green" if end.kind == PASSED else "red"
    for text, paint in ((end.text, colour), (f"{GAP}{_shortened(end.rule)}", "bold"), (end.advice, "")):
        if text.strip():
            line = f"{INDENT[1:]}{one_line(text)}"
            line = folded(line, width) if width else line
            lines.append(escaped(line, paint) if coloured and paint else line)
    for row, whole in _table(found.rows):
        line = _cut(whole, width)
        lines.append(escaped(line, "red") if coloured and row.verdict in STOPPING else line)
    return "\n".join(lines)


def _table(rows: list[Row]) -> Iterator[tuple[Row, str]]:
    """Yield each row with its line. Columns that matter come first, as lines may be cut."""
    columns = {row: (row.verdict, f"{row.hook}, {row.priority}", _short_path(row.chain), row.owner) for row in rows}
    cells_of_chains = zip(*(columns[row] for row in rows if row.kind == CHAIN))
    widths = [min(max(map(columns_of, cells)), WIDEST) for cells in cells_of_chains]
    for row in rows:
        if row.kind != CHAIN:
            yield row, f"{INDENT}{row.kind} {row.text}"
            continue
        cells = [cell + " " * (width - columns_of(cell)) for cell, width in zip(columns[row], widths)]
        rule = f": {_shortened(row.rule)}" if row.rule else ""
        yield row, f"{INDENT}{GAP}{GAP.join(cells)}{GAP}{row.text}{rule}".rstrip()


def _short_path(chain: str) -> str:
    """Return the first chain and the last of those that were jumped to."""
    first, *others = chain.split(ARROW)
    return ARROW.join([first, "…", others[-1]] if len(others) > 1 else [first, *others])


def _shortened(rule: str) -> str:
    return rule if len(rule) <= LONGEST_RULE else f"{rule[:LONGEST_RULE]}…"


def _cut(line: str, width: int | None) -> str:
    if not width or columns_of(line) <= width:
        return line
    line = line[: MOST_CHARACTERS * width]
    while columns_of(line) >= width:
        line = line[:-1]
    return f"{line}…"


def beginning_text(subject: Subject, seconds: float) -> str:
    """Return what is said when the trace has begun."""
    what = f"tracing packets of {subject.name} for {seconds:g} s; now {what_to_do(subject)} from outside"
    return f"{what}, or use --probe; Ctrl-C ends it"


def what_to_do(subject: Subject) -> str:
    """Return what causes packets."""
    return f"connect to {subject.name}" if subject.ports else f"ping {subject.name}"


def ending_text(session: Session, subject: Subject) -> str:
    """Return the summary."""
    asks_both = {choice.is_to for choice in subject.choices} == {True, False}
    if not session.found:
        return f"no packet of {subject.name} was seen by this host"
    bad = [each for each in session.found if not each.fate.is_good]
    shown = len(session.found)
    alike = session.packets - shown
    text = f"{session.packets} packet{'s' * (session.packets != 1)} seen"
    text += f", {shown} shown" if alike else ""
    if session.is_one_way and asks_both:
        return f"{text}: {ONE_WAY}; {IN_THE_GUEST}"
    if not bad:
        return f"{text}: nothing was lost"
    return f"{text}: {len(bad)} did not get where {'it' if len(bad) == 1 else 'they'} should"


def unseen_text(address: str, at_devices: list[str]) -> str:
    """Return what it may mean that no packet was seen. ``at_devices`` are chains that packets pass before."""
    what = "XDP or tc drops them before"
    if at_devices:
        what = f"a chain at a device drops them before ({', '.join(at_devices)}), or {what}"
    return f"the provider does not deliver them here, or {what}; see if they come: tcpdump -ni any host {address}"


def limits(session: Session, legacy: list[str]) -> list[str]:
    """Return sentences about what the trace could not see."""
    said = []
    if legacy:
        said.append(f"rules of {' and '.join(legacy)} are not traced: the kernel tells of nftables alone")
    if not session.has_bridges:
        said.append("frames on bridges are not traced, because this kernel has no nftables for bridges")
    if session.is_cut:
        said.append("the kernel had more to tell than could be read: some packets are missing")
    return said
