"""``nethook guest-config``: the configuration of a guest's NIC, in the format of the guest's system.

nic.py has the NIC, which a format makes text of; both are pure. selection.py finds the addresses that are meant, and
resolvers.py the DNS servers. A new format is a new module and a line in MODULES.

All formats configure the same: single addresses of full length, so that the guest reaches everything else through the
host, and a default route to a gateway that is on the link although it is in no subnet. A prefix is configured in the
same way, because its other addresses may belong to other guests on other bridges.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.guest_config.nic import Format, Nic

MODULES = {
    "netplan": "netplan",
    "networkd": "networkd",
    "ifupdown": "ifupdown",
    "networkmanager": "networkmanager",
    "ifcfg": "ifcfg",
    "cloud-init": "netplan",
    "alpine": "alpine",
    "freebsd": "freebsd",
    "windows": "windows",
}
"""The module of each format. It has the format as a constant: CLOUD_INIT for cloud-init."""
FORMATS = tuple(MODULES)
DEFAULT_FORMAT = FORMATS[0]
JSON = "json"
"""Stands for all formats together, for programs."""
SYSTEMS = {
    "ubuntu": "netplan",
    "debian": "ifupdown",
    "debian-cloud": "netplan",
    "fedora": "networkmanager",
    "rhel": "networkmanager",
    "centos": "networkmanager",
    "alma": "networkmanager",
    "rocky": "networkmanager",
    "opensuse": "networkmanager",
    "rhel8": "ifcfg",
    "arch": "networkd",
}
"""The format of each system whose name is not that of a format: what its installer or its cloud image configures."""


def format_named(name: str) -> Format:
    """Return the format of this name, which is one of FORMATS or SYSTEMS."""
    name = SYSTEMS.get(name, name)
    module = import_module(f"{__name__}.{MODULES[name]}")
    found: Format = getattr(module, name.replace("-", "_").upper())
    return found


def configurations(nic: Nic, interface: str) -> Iterator[dict[str, object]]:
    """Yield the configuration of the NIC in each format that can have it, as JSON.

    ``interface`` is what the guest calls the NIC; '': as is usual in the system.
    """
    for name in FORMATS:
        found = format_named(name)
        if nic.automatic and not found.keeps_dhcp:
            continue
        called = interface or found.interface
        yield {
            "format": name,
            "systems": [system for system, its in SYSTEMS.items() if its == name],
            "title": found.title,
            "path": found.path.format(called) or None,
            "interface": called,
            "is_interface_certain": bool(interface or (nic.mac and found.matches_mac)),
            "text": found.text(nic._replace(interface=called)),
        }
