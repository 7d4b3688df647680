"""Reasons for which libvirt refuses to start a network, or for which its forwarding does not come at boot.

libvirt tells its reason only to the program that starts the network. These are the usual ones:
src/network/bridge_driver_linux.c (networkCheckRouteCollision), src/util/virnetdevip.c (virNetDevIPCheckIPv6Forwarding).
"""

from __future__ import annotations

import glob
import os
import re
from typing import TYPE_CHECKING, NamedTuple

from nethook.doctor.libvirts_rules import FILTERED, lost_by
from nethook.doctor.routing import shown
from nethook.host import links
from nethook.host.files import read
from nethook.install import daemon, systemd
from nethook.install.forwarding import BY_ROUTER_ADVERTISEMENTS, needs_accept_ra
from nethook.shell import operand

if TYPE_CHECKING:
    from nethook.doctor.facts import Facts, Target
    from nethook.libvirt.live import LiveNetwork

ENABLE = "nethook install --enable-forwarding"
OLD_FILE = "/etc/sysctl.conf"
SYSCTL_FILES = (
    "/etc/sysctl.d/*.conf",
    "/run/sysctl.d/*.conf",
    "/usr/local/lib/sysctl.d/*.conf",
    "/usr/lib/sysctl.d/*.conf",
)


class Refusal(NamedTuple):
    """The reason for which libvirt does not start a network, and the command that removes it, or else advice."""

    why: str
    command: str = ""
    advice: str = ""


def why_refused(facts: Facts, target: Target, live: LiveNetwork) -> Refusal | None:
    """Return the reason for which libvirt does not start the target's network; None if there seems to be none."""
    network = live.network
    if not network.is_libvirts_own:
        return None
    edit = f"virsh net-edit {operand(network.name)}"
    if network.bridge and links.exists(network.bridge):
        why = f"libvirt does not start it, because a device {network.bridge} exists already"
        return Refusal(why, advice=f"remove that device if nothing uses it, or give the network another bridge: {edit}")
    for prefix in [each for each in (*network.subnets, *network.routes) if each.family == 4]:
        (answer,) = facts.ask(4, [f"route show exact {prefix}"])
        for route in answer.listed:
            if str(route.get("protocol")) != str(facts.settings.route_protocol):
                why = f"libvirt does not start it, because its prefix {prefix} has a route already: {shown(route)}"
                return Refusal(why, advice=f"remove that route, or give the network another subnet: {edit}")
    if network.forward_mode in FILTERED and lost_by(facts, target.family):
        return Refusal("libvirt may refuse to start it, because its own rules are gone", daemon.restart(facts.tools))
    if network.forward_mode and any(each.family == 6 for each in network.subnets):
        for route in facts.default_routes(6):
            device = route.get("dev", "")
            if route.get("protocol") == BY_ROUTER_ADVERTISEMENTS and needs_accept_ra(device):
                return Refusal(f"libvirt may refuse to start it, because accept_ra of {device} is not 2", ENABLE)
    return None


def where_it_is_set(name: str) -> str:
    """Return a sentence about the place that turns this kernel setting on and is not read; '' without one.

    systemd reads /etc/sysctl.conf only by a link in sysctl.d, which Debian 13 has no longer.
    """
    if not systemd.runs() or any(
        os.path.realpath(path) == OLD_FILE for each in SYSCTL_FILES for path in glob.glob(each)
    ):
        return ""
    pattern = re.compile(rf"-?\s*{re.escape(name).replace('/', '[./]')}\s*=\s*1\s*")
    for number, text in enumerate((read(OLD_FILE) or "").splitlines(), 1):
        if pattern.fullmatch(text.strip()):
            return f"{OLD_FILE}:{number} turns it on, but systemd does not read this file"
    return ""
