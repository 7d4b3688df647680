"""``nethook routing-daemon``: print a configuration of a routing daemon that announces our addresses."""

from __future__ import annotations

import re
import sys
from shlex import join
from typing import TYPE_CHECKING

from nethook.commands.parser import MOST_ASN
from nethook.config import load
from nethook.config.text import one_line
from nethook.errors import NethookError
from nethook.exit_status import OK, UNKNOWN
from nethook.host import Host
from nethook.libvirt.live import live_networks
from nethook.prefix import address_text, in_order, parse_address
from nethook.routing_daemons import Neighbor, Wanted, daemon_named
from nethook.terminal import show_problems

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable

    from nethook.config import RoutedIP

DEVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
"""Names of bridges that are a word for every daemon."""


def run(options: Namespace) -> int:
    """Print the configuration on stdout, and remarks on stderr."""
    configuration = load(Host(0))
    if configuration.problems:
        show_problems(configuration.problems, sys.stderr)
        print("nethook: correct these mistakes first: wrong lines would not be announced", file=sys.stderr)
        return UNKNOWN
    lines = announced(configuration.routed_ips)
    if not lines:
        raise NethookError("no line of routed-ips has an address to announce (those with proxy= need no announcement)")
    wanted = Wanted(
        prefixes=sorted((line.prefix for line in lines), key=in_order),
        bridges=_bridges({line.network for line in lines}) if options.daemon == "frr" else [],
        protocol=configuration.settings.route_protocol,
        asn=options.asn or 0,
        neighbors=[_neighbor(text) for text in options.neighbor],
        has_bfd=options.bfd,
        command=join(["nethook", *_words(options)]),
    )
    if wanted.neighbors and not wanted.asn:
        raise NethookError("--neighbor needs --asn, the AS number of this host")
    sys.stdout.write(daemon_named(options.daemon).configuration(wanted))
    for neighbor in wanted.neighbors:
        if neighbor.family not in wanted.families:
            what = f"no line has an IPv{neighbor.family} address, so nothing is announced to {neighbor.address}"
            print(f"nethook: {what}", file=sys.stderr)
    return OK


def announced(lines: Iterable[RoutedIP]) -> list[RoutedIP]:
    """Return the lines whose addresses a routing daemon should announce: the host answers for the others itself."""
    return [line for line in lines if not line.proxy]


def _words(options: Namespace) -> list[str]:
    words = ["routing-daemon", options.daemon]
    words += ["--asn", str(options.asn)] if options.asn else []
    words += [word for text in options.neighbor for word in ("--neighbor", text)]
    return [*words, *["--bfd"] * options.bfd]


def _neighbor(text: str) -> Neighbor:
    """Return the neighbor of ADDRESS or ADDRESS=ASN; NethookError if it is neither."""
    address, equals, asn = text.partition("=")
    try:
        family, number = parse_address(address)
    except ValueError as error:
        raise NethookError(one_line(f"--neighbor: {error}")) from None
    if equals and not (asn.isascii() and asn.isdigit() and 1 <= int(asn) <= MOST_ASN):
        raise NethookError(one_line(f"--neighbor: {asn} is no AS number: write a number from 1 to {MOST_ASN}"))
    return Neighbor(address_text(family, number), int(asn or 0))


def _bridges(networks: Iterable[str]) -> list[str]:
    """Return the bridges of these networks. NethookError if one is unknown, or is no word of a configuration."""
    live = live_networks()
    found = []
    for name in sorted(networks):
        bridge = live[name].network.bridge if name in live else ""
        if not bridge:
            raise NethookError(one_line(f"the bridge of network {name} is unknown: define and start the network"))
        if not DEVICE.fullmatch(bridge):
            raise NethookError(one_line(f"FRR cannot take bridge {bridge} of network {name}: rename it"))
        found.append(bridge)
    return list(dict.fromkeys(found))
