"""``nethook networks``: list what the words of a line can be."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from nethook.config.text import one_line
from nethook.engine.situation import limited_host
from nethook.exit_status import OK
from nethook.libvirt.live import live_guests, live_networks
from nethook.terminal.table import Column, table_lines

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping

    from nethook.libvirt.live import LiveGuest, LiveNetwork

VERSION = 1
"""The version of the JSON format, which docs/json.md describes."""
COLUMNS = (Column("NETWORK"), Column("STATE"), Column("MODE"), Column("BRIDGE"), Column("SUBNETS"), Column("GUESTS"))
REASON = Column("")
ISOLATED = "isolated"
LOOPBACK = "lo"


def run(options: Namespace) -> int:
    """Print the networks, and return the exit status."""
    networks = live_networks()
    guests = live_guests() or {}
    if options.json:
        print(json.dumps(_as_json(networks, guests), indent=2))
        return OK
    rows = [
        {
            "NETWORK": one_line(name),
            "STATE": "active" if live.is_active else "inactive",
            "MODE": live.network.forward_mode or ISOLATED,
            "BRIDGE": one_line(live.network.bridge) or "-",
            "SUBNETS": ",".join(map(str, live.network.subnets)) or "-",
            "GUESTS": ",".join(one_line(guest) for guest, found in guests.items() if found.macs_on(name)) or "-",
            REASON.heading: one_line(live.network.why_unroutable),
        }
        for name, live in networks.items()
    ]
    if rows:
        print("\n".join(table_lines([*COLUMNS, REASON], rows, coloured=False)))
    else:
        print("nethook: libvirt has no network", file=sys.stderr)
    return OK


def _as_json(networks: Mapping[str, LiveNetwork], guests: Mapping[str, LiveGuest]) -> dict[str, Any]:
    bridges = {live.network.bridge for live in networks.values()}
    addresses = [each for each in limited_host().addresses() if each.device not in {LOOPBACK, *bridges}]
    return {
        "version": VERSION,
        "networks": [
            {
                "name": name,
                "mode": live.network.forward_mode or ISOLATED,
                "bridge": live.network.bridge or None,
                "is_active": live.is_active,
                "subnets": [str(subnet) for subnet in live.network.subnets],
                "problem": live.network.why_unroutable or None,
            }
            for name, live in networks.items()
        ],
        "guests": [
            {
                "name": name,
                "is_running": guest.is_running,
                "nics": [{"network": network, "mac": mac} for network, mac in guest.nics],
            }
            for name, guest in guests.items()
        ],
        "addresses": [{"address": each.text, "device": each.device} for each in addresses],
    }
