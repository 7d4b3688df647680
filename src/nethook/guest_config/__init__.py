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
    from nethook.guest_config.nic import Format

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


def format_named(name: str) -> Format:
    """Return the format of this name, which is one of FORMATS."""
    module = import_module(f"{__name__}.{MODULES[name]}")
    found: Format = getattr(module, name.replace("-", "_").upper())
    return found
