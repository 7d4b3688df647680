"""Forwarding, which the administrator decides on: ``nethook install --enable-forwarding`` enables it for good.

A host that forwards IPv6 ignores router advertisements, unless accept_ra is 2. So a host that got its address or
default route from them would lose both. Therefore accept_ra is set to 2 on such a device before forwarding is enabled.
A device with accept_ra 0 stays as it is: there systemd-networkd, NetworkManager or dhcpcd reads the advertisements.

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
from nethook.install.own_files import MARK, holds, is_ours, write
from nethook.install.task import RefusedError, Task, remove

if TYPE_CHECKING:
    from nethook.host.process import Tools

FOLDER = "/etc/sysctl.d"
FILE = f"{FOLDER}/99-zz-nethook.conf"
"""Sorts after 99-sysctl.conf, which is /etc/sysctl.conf: the last file that sets a value wins."""
MODE = 0o644
BY_ROUTER_ADVERTISEMENTS = "ra"
OFF, ALSO_AS_ROUTER = 0, 2
"""Values of accept_ra: the kernel ignores router advertisements; it uses them although the host forwards."""
SWITCHES = ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding")


def accept_ra(device: str) -> str:
    """Return the name of the kernel setting accept_ra of this device."""
    return f"net/ipv6/conf/{device}/accept_ra"


def needs_accept_ra(device: str) -> bool:
    """Return whether the kernel uses router advertisements on this device, but not once the host forwards."""
    return sysctl(accept_ra(device)) not in {None, OFF, ALSO_AS_ROUTER}


def tasks(tools: Tools) -> list[Task]:
    """Return the tasks that make the host forward, now and after each boot. RefusedError if our file is foreign."""
    if is_ours(FILE) is False:
        raise RefusedError(f"{FILE} was not written by nethook; rename it")
    wanted = {accept_ra(device): ALSO_AS_ROUTER for device in _learning(tools)}  # before forwarding is turned on
    wanted.update({name: 1 for name in SWITCHES if sysctl(name) is not None})
    text = "".join(
        [f"{MARK}\n# Written by `nethook install --enable-forwarding`.\n"]
        + [f"{name} = {value}\n" for name, value in wanted.items()]
    ).encode()
    todo = [] if holds(FILE, text, MODE) else [_write(text)]
    return todo + [_set(name, value) for name, value in wanted.items() if sysctl(name) != value]


def removal() -> list[Task]:
    """Return the task that removes our file. Its values stay in force until the next boot."""
    return [remove(FILE)] if is_ours(FILE) else []


def _learning(tools: Tools) -> list[str]:
    """Return the devices whose default route comes from router advertisements that the kernel reads, sorted."""
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


def _write(text: bytes) -> Task:
    return Task(f"write {FILE}", f"+ {FILE}", lambda: write(FILE, text, MODE, FOLDER, lambda _: None), ends_run=True)


def _set(name: str, value: int) -> Task:
    def run() -> None:
        path = f"/proc/sys/{name}"
        try:
            with open(path, "w", encoding="ascii") as file:
                file.write(str(value))
        except OSError as error:
            raise NethookError(f"cannot set {os.path.relpath(path, '/proc/sys')}: {error.strerror}") from None

    return Task(f"set {name} = {value}", f"{name} = {value}", run)
