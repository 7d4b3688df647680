"""The station of kernel settings: forwarding, router advertisements, IPv6 on the bridge, and systemd-networkd."""

from __future__ import annotations

import glob
import os
from typing import TYPE_CHECKING

from nethook.config.text import some
from nethook.doctor.bridge_addresses import lost_addresses
from nethook.doctor.facts import keep_sysctl, set_sysctl, shown
from nethook.doctor.finding import FAILURE, OK, WARNING, Finding
from nethook.doctor.refusals import ENABLE, where_it_is_set
from nethook.host import links
from nethook.host.files import sysctl
from nethook.install import systemd
from nethook.install.forwarding import ALSO_AS_ROUTER, BY_ROUTER_ADVERTISEMENTS, accept_ra, needs_accept_ra
from nethook.placement import ROUTED
from nethook.shell import word

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nethook.doctor.facts import Facts, ForwardTarget, Target

MOST_SHOWN = 4
FORWARDING, IPV6, RA, NETWORKD = "forwarding", "ipv6 on the bridge", "router advertisements", "systemd-networkd"
IPV4 = "net/ipv4/ip_forward"
LEAST_MTU, USUAL_MTU = 1280, 1500

NETWORKD_CONF = "systemd/networkd.conf"
NETWORKD_FOLDERS = ("/usr/lib", "/usr/local/lib", "/run", "/etc")
NETWORKD_DROP_IN = "/etc/systemd/networkd.conf.d/50-nethook.conf"


def forwarding(facts: Facts, targets: Sequence[Target | ForwardTarget]) -> Iterator[Finding]:
    """Yield whether the host forwards packets to these targets."""
    names = {family: [target.name for target in targets if target.family == family] for family in (4, 6)}
    if names[4]:
        yield from _switch(IPV4, "the host does not forward IPv4", names[4])
    if names[6]:
        yield from _ipv6(facts, names[6])


def _ipv6(facts: Facts, names: Sequence[str]) -> Iterator[Finding]:
    learnt = [
        route["dev"]
        for route in facts.default_routes(6)
        if route.get("protocol") == BY_ROUTER_ADVERTISEMENTS and "dev" in route
    ]
    found = list(_switch("net/ipv6/conf/all/forwarding", "the host does not forward IPv6", names))
    yield from found
    if all(finding.verdict == OK for finding in found):
        for device in dict.fromkeys(learnt):
            if needs_accept_ra(device):
                yield Finding(
                    WARNING,
                    RA,
                    f"the default route on {device} comes from router advertisements, which a host that forwards IPv6 "
                    "ignores: the route will expire",
                    command=ENABLE,
                    advice=f"this sets {shown(accept_ra(device))} = {ALSO_AS_ROUTER}, now and after each boot",
                )


def _switch(name: str, what: str, names: Sequence[str]) -> Iterator[Finding]:
    if sysctl(name) == 0:
        advice = (
            "this enables forwarding, now and after each boot, "
            "and the host keeps its own default route from router advertisements"
        )
        where = where_it_is_set(name)
        text = f"{what}: {where}" if where else what
        yield Finding(FAILURE, FORWARDING, text, command=ENABLE, advice=advice, addresses=names)
    else:
        yield Finding(OK, FORWARDING, f"{name.replace('/', '.')} is on")


def is_on() -> bool:
    """Return whether the host forwards IPv4."""
    return sysctl(IPV4) != 0


def devices(facts: Facts, target: Target) -> Iterator[Finding]:
    """Yield a failure if the uplink or the bridge does not forward IPv4, or if the bridge has no IPv6."""
    if target.family == 4:
        if not is_on():
            return
        for device in (*facts.uplinks(4)[:1], target.bridge):
            name = f"net/ipv4/conf/{device}/forwarding"
            if sysctl(name) == 0:
                yield Finding(
                    FAILURE,
                    FORWARDING,
                    f"packets that arrive on {device} are not forwarded",
                    command=set_sysctl(name, 1),
                    advice=keep_sysctl(name, 1),
                    addresses=[target.name],
                )
        return
    if not links.has_ipv6(target.bridge):
        mtu = facts.devices.get(target.bridge, {}).get("mtu", 0)
        text = f"{target.bridge} has no IPv6, because its MTU is {mtu}, and IPv6 needs {LEAST_MTU}"
        commands = [
            f"ip link set {word(target.bridge)} mtu {USUAL_MTU}",
            *additions(facts, target),
            "nethook apply",
        ]
        yield Finding(FAILURE, IPV6, text, command=" && ".join(commands), addresses=[target.name])
        return
    name = f"net/ipv6/conf/{target.bridge}/disable_ipv6"
    if sysctl(name):
        lost = additions(facts, target)
        is_libvirts_doing = not any(":" in address for address, _ in facts.live[target.line.network].addresses)
        if is_libvirts_doing and facts.placement(target).status != ROUTED:
            return  # it is turned on as soon as the line has a place
        apply = "nethook apply"
        yield Finding(
            FAILURE,
            IPV6,
            f"IPv6 is off on {target.bridge}"
            + (", because libvirt turns it off for networks without an IPv6 <ip>" if is_libvirts_doing else ""),
            command=apply if is_libvirts_doing else " && ".join([set_sysctl(name, 0), *lost, apply]),
            addresses=[target.name],
        )


def additions(facts: Facts, target: Target) -> list[str]:
    """Return the commands that give the bridge of a target its IPv6 addresses back.

    The bridge loses them when it goes down, or IPv6 does.
    """
    return [lost.addition for lost in lost_addresses(facts.live[target.line.network], facts.own_addresses, 6)]


def advertisements_of_guests(facts: Facts, bridges: Sequence[str]) -> Iterator[Finding]:
    """Yield a warning if the host believes router advertisements of guests on devices of these bridges.

    A guest could give the host a default route. libvirt turns it off on bridges that have an IPv6 address. A port of a
    bridge takes advertisements that are sent to a link-local group of IEEE 802.1D.
    """
    devices = [device for bridge in bridges for device in (bridge, *facts.ports(bridge)) if _believes(facts, device)]
    if not devices:
        return
    named = some(devices, MOST_SHOWN)
    settings = " ".join(f"{word(shown(accept_ra(device)))}=0" for device in devices)
    taps = "" if {*devices} <= {*bridges} else "; new taps begin with net.ipv6.conf.default.accept_ra"
    text = f"the host believes router advertisements of guests on {named}"
    advice = f"to keep it after a boot, write this into a file in /etc/sysctl.d{taps}"
    yield Finding(WARNING, RA, text, command=f"sysctl -w {settings}", advice=advice)


def _believes(facts: Facts, device: str) -> bool:
    """Return whether the kernel takes router advertisements that come in by this device."""
    if device in facts.uplinks(6) or sysctl(f"net/ipv6/conf/{device}/disable_ipv6"):
        return False
    value, forwards = sysctl(accept_ra(device)), sysctl(f"net/ipv6/conf/{device}/forwarding")
    return value == ALSO_AS_ROUTER or (value == 1 and forwards == 0)


def networkd(facts: Facts) -> Iterator[Finding]:
    """Yield whether systemd-networkd may delete our routes, which it does at a restart by default."""
    if not systemd.runs() or not systemd.is_active(facts.tools, "systemd-networkd.service"):
        return
    if manages_foreign_routes(_networkd_texts()):
        yield Finding(
            WARNING,
            NETWORKD,
            "systemd-networkd may delete our routes when it restarts (ManageForeignRoutes is not off)",
            command=f"mkdir -p {os.path.dirname(NETWORKD_DROP_IN)} && "
            f"printf '[Network]\\nManageForeignRoutes=no\\n' > {NETWORKD_DROP_IN}",
        )
    else:
        yield Finding(OK, NETWORKD, "systemd-networkd leaves foreign routes alone")


def _networkd_texts() -> Iterator[str]:
    """Yield the files of systemd-networkd in its order: the main file, then drop-ins by name. networkd.conf(5)"""
    mains = [path for folder in NETWORKD_FOLDERS if os.path.isfile(path := f"{folder}/{NETWORKD_CONF}")]
    drop_ins: dict[str, str] = {}
    for folder in NETWORKD_FOLDERS:
        for path in glob.glob(f"{folder}/{NETWORKD_CONF}.d/*.conf"):
            drop_ins[os.path.basename(path)] = path
    for path in [*mains[-1:], *(drop_ins[name] for name in sorted(drop_ins))]:
        with open(path, encoding="utf-8", errors="replace") as file:
            yield file.read()


def manages_foreign_routes(texts: Iterator[str]) -> bool:
    """Return whether ManageForeignRoutes is on in these files. The last setting wins; the default is on."""
    manages = True
    for text in texts:
        section = ""
        for raw in text.splitlines():
            line = raw.strip()
            if line.startswith("["):
                section = line
            key, equals, value = line.partition("=")
            if equals and section == "[Network]" and key.strip() == "ManageForeignRoutes":
                manages = value.strip().lower() not in {"no", "n", "false", "f", "off", "0"}
    return manages
