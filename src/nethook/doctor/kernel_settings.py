"""The station of kernel settings: forwarding, router advertisements, IPv6 on the bridge, and systemd-networkd."""

from __future__ import annotations

import glob
import os
from typing import TYPE_CHECKING

from nethook.doctor.facts import keep_sysctl, set_sysctl, shown
from nethook.doctor.finding import FAILURE, OK, WARNING, Finding
from nethook.host.files import sysctl
from nethook.install import systemd
from nethook.install.forwarding import ALSO_AS_ROUTER, BY_ROUTER_ADVERTISEMENTS, accept_ra, needs_accept_ra

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nethook.doctor.facts import Facts, Target

FORWARDING, IPV6, RA, NETWORKD = "forwarding", "ipv6 on the bridge", "router advertisements", "systemd-networkd"
IPV4 = "net/ipv4/ip_forward"
ENABLE = "nethook install --enable-forwarding"

NETWORKD_CONF = "systemd/networkd.conf"
NETWORKD_FOLDERS = ("/usr/lib", "/usr/local/lib", "/run", "/etc")
NETWORKD_DROP_IN = "/etc/systemd/networkd.conf.d/50-nethook.conf"


def forwarding(facts: Facts, targets: Sequence[Target]) -> Iterator[Finding]:
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
        yield Finding(FAILURE, FORWARDING, what, command=ENABLE, advice=advice, addresses=names)
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
    name = f"net/ipv6/conf/{target.bridge}/disable_ipv6"
    if sysctl(name):
        # The bridge has lost its IPv6 addresses, too. libvirt adds them only when the network starts.
        held = {(own.address.text, own.length) for own in facts.own_addresses if own.device == target.bridge}
        lost = [
            f"ip address add {address}/{length} dev {target.bridge}"
            for address, length in facts.live[target.line.network].addresses
            if ":" in address and (address, length) not in held
        ]
        is_libvirts_doing = not any(":" in address for address, _ in facts.live[target.line.network].addresses)
        apply = "nethook apply"
        yield Finding(
            FAILURE,
            IPV6,
            f"IPv6 is off on {target.bridge}"
            + (", because libvirt turns it off for networks without an IPv6 <ip>" if is_libvirts_doing else ""),
            command=apply if is_libvirts_doing else " && ".join([set_sysctl(name, 0), *lost, apply]),
            addresses=[target.name],
        )


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
