"""``nethook import``: make lines of forwarded-ports from the files of other port forwarders."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from nethook.config.text import excerpt
from nethook.config.writing import appended
from nethook.editing.draft import FORWARDED_PORTS, Draft
from nethook.engine.situation import limited_host, require_root
from nethook.errors import NethookError
from nethook.exit_status import DIFFERENT, OK
from nethook.host.files import SIZE_LIMIT
from nethook.importing import read_items
from nethook.importing.lines import UNKNOWN_NETWORK, Lines
from nethook.libvirt.live import live_guests, live_networks
from nethook.prefix import parse_prefix, unroutable_kind
from nethook.terminal import show_problems

if TYPE_CHECKING:
    from argparse import Namespace

    from nethook.host import Host
    from nethook.libvirt import Network
    from nethook.libvirt.live import LiveNetwork
    from nethook.prefix import Prefix

STDIN = "-"
OUTPUT = "output"
"""The name of the file that is printed, in comments about lines that are there twice."""


def run(options: Namespace) -> int:
    """Print the lines for review, or append them to the file."""
    host = limited_host()
    if options.write:
        require_root("write the file")
    contents = [(file, _content(file)) for file in options.files]
    live = _networks()
    networks = [each.network for each in live]
    active = {each.network.name for each in live if each.is_active}
    lines = Lines(networks, _own_addresses(host, networks), _macs() if networks else {}, active)
    for file, data in contents:
        lines.add(file, read_items(file, data))
    if options.write:
        return _write(lines, host)
    lines.check(OUTPUT, b"", [])
    print("\n".join(lines.texts))
    return _sum_up(lines, "")


def _content(file: str) -> bytes:
    """Return the content of a file, or of the standard input. NethookError if it is too large, OSError."""
    if file == STDIN:
        data = sys.stdin.buffer.read(SIZE_LIMIT + 1)
    else:
        with open(file, "rb") as stream:
            data = stream.read(SIZE_LIMIT + 1)
    if len(data) > SIZE_LIMIT:
        raise NethookError(f"{excerpt(file)} is larger than {SIZE_LIMIT >> 20} MiB: check that this is the right file")
    return data


def _networks() -> list[LiveNetwork]:
    """Return the networks of libvirt; none, and say so, if it cannot be asked."""
    try:
        return [*live_networks().values()]
    except NethookError as error:
        print(f"nethook: the lines have {UNKNOWN_NETWORK} instead of a network: {error}", file=sys.stderr)
        return []


def _macs() -> dict[tuple[str, str], list[str]]:
    """Return the MAC addresses of all guests, by guest and network; none if libvirt does not list its guests."""
    guests = live_guests() or {}
    return {(name, network): guest.macs_on(network) for name, guest in guests.items() for network, _ in guest.nics}


def _own_addresses(host: Host, networks: list[Network]) -> dict[int, Prefix]:
    """Return the first address of this host at the device of its default route, by IP family, as far as known."""
    own: dict[int, Prefix] = {}
    try:
        devices = {device for _, device in host.next_hops()} - {network.bridge for network in networks}
        for address in host.addresses():
            prefix = parse_prefix(address.text)
            if address.device in devices and not unroutable_kind(prefix):
                own.setdefault(prefix.family, prefix)
    except NethookError:
        return {}
    return own


def _write(lines: Lines, host: Host) -> int:
    """Add the lines to the file, unless they would be wrong there."""
    sources = FORWARDED_PORTS.sources(host)
    path = FORWARDED_PORTS.path(host)
    before = dict(sources).get(path)
    separator = [""] if before else []
    others = [(file, data) for file, data in sources if file != path]
    problems = lines.check(path, appended(before or b"", separator), others)
    if problems:
        show_problems(problems, sys.stderr)
        print("nethook: nothing was written, because of these mistakes in the files", file=sys.stderr)
        return DIFFERENT
    if lines.unknown:
        print("\n".join(lines.texts))
        what = f"nothing was written, because {UNKNOWN_NETWORK} stands for a network that is not known"
        print(f"nethook: {what}; write its name, and append the lines to {path}", file=sys.stderr)
        return DIFFERENT
    if not lines.number:
        print("\n".join(lines.texts))
        print("nethook: nothing was written, because there is no new line", file=sys.stderr)
        return DIFFERENT
    Draft(path, before, appended(before or b"", [*separator, *lines.texts])).write(host)
    return _sum_up(lines, path)


def _sum_up(lines: Lines, path: str) -> int:
    """Print the numbers of lines and of what was not taken over. Return the exit status."""
    number, losses = lines.number, lines.losses
    said = f"{number} line{'s' * (number != 1)}" + (f" added to {path}" if path else "")
    if losses:
        said += f"; {losses} thing{'s' * (losses != 1)} not taken over: the comments say why"
    if lines.unknown:
        said += f"; complete the lines with {UNKNOWN_NETWORK}"
    following = "run `nethook check`" if path else "append them to the file" if lines.unknown else "add --write"
    advice = f"review them, then {following}"
    print(f"nethook: {said}; {advice}. Disable the old hook before you run `nethook apply`.", file=sys.stderr)
    return DIFFERENT if losses or lines.unknown else OK
