"""Forwarding, which is the administrator's decision: turned on for good by ``nethook install --enable-forwarding``.

A host that forwards IPv6 takes no router advertisements any more, so that one that has its address or default route by
them would lose both: unless accept_ra is 2 on that device, before forwarding is turned on. Where the kernel itself
does not look at them (accept_ra is 0: systemd-networkd, NetworkManager and dhcpcd do it), that is left alone.

https://docs.kernel.org/networking/ip-sysctl.html, sysctl.d(5)
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from nethook.errors import NethookError, ReadError
from nethook.host.files import sysctl
from nethook.host.links import available
from nethook.host.process import Call
from nethook.install.ownership import MARK, holds, is_ours
from nethook.install.refusal import RefusedError
from nethook.install.step import Step, remove
from nethook.install.writing import write

if TYPE_CHECKING:
    from nethook.host.process import Tools

FOLDER = "/etc/sysctl.d"
FILE = f"{FOLDER}/99-zz-nethook.conf"
"""Behind 99-sysctl.conf, which is /etc/sysctl.conf: the last file that sets a value wins."""
MODE = 0o644
BY_ROUTER_ADVERTISEMENTS = "ra"
OFF, ALSO_AS_ROUTER = 0, 2
"""accept_ra: the kernel does not look at them; it takes them although the host forwards."""
SWITCHES = ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding")


def accept_ra(device: str) -> str:
    """The name of this setting."""
    return f"net/ipv6/conf/{device}/accept_ra"


def needs_accept_ra(device: str) -> bool:
    """Whether the kernel takes router advertisements on this device, but not when the host forwards."""
    return sysctl(accept_ra(device)) not in {None, OFF, ALSO_AS_ROUTER}


def steps(tools: Tools) -> list[Step]:
    """What is to be done so that the host forwards, now and after each boot. RefusedError if that cannot be."""
    if is_ours(FILE) is False:
        raise RefusedError(f"{FILE} is a file of somebody else; rename it")
    wanted = {accept_ra(device): ALSO_AS_ROUTER for device in _learning(tools)}  # before forwarding is turned on
    wanted.update({name: 1 for name in SWITCHES if sysctl(name) is not None})
    text = "".join(
        [f"{MARK}\n# Written by `nethook install --enable-forwarding`.\n"]
        + [f"{name} = {value}\n" for name, value in wanted.items()]
    ).encode()
    todo = [] if holds(FILE, text, MODE) else [_write(text)]
    return todo + [_set(name, value) for name, value in wanted.items() if sysctl(name) != value]


def removal() -> list[Step]:
    """What is to be done so that our file is not there; the values stay in force until somebody sets others."""
    return [remove(FILE)] if is_ours(FILE) else []


def _learning(tools: Tools) -> list[str]:
    """The devices on which the kernel takes router advertisements that this host uses, in order."""
    if 6 not in available():
        return []
    result = tools.run(Call(("ip", "-6", "-json", "route", "show", "default")))
    if result.status != 0:
        raise ReadError(result.failure)
    try:
        routes = json.loads(result.out or "[]")
    except ValueError:
        raise ReadError(result.not_understood) from None
    devices = {str(route.get("dev", "")) for route in routes if route.get("protocol") == BY_ROUTER_ADVERTISEMENTS}
    return sorted(device for device in devices if sysctl(accept_ra(device)) not in {None, OFF})


def _write(text: bytes) -> Step:
    return Step(f"write {FILE}", f"+ {FILE}", lambda: write(FILE, text, MODE, FOLDER, lambda _: None), ends_run=True)


def _set(name: str, value: int) -> Step:
    def take() -> None:
        path = f"/proc/sys/{name}"
        try:
            with open(path, "w", encoding="ascii") as file:
                file.write(str(value))
        except OSError as error:
            raise NethookError(f"cannot set {os.path.relpath(path, '/proc/sys')}: {error.strerror}") from None

    return Step(f"set {name} = {value}", f"{name} = {value}", take)
