"""What a guest has to be told to use its routed addresses, in the words of its system: ``nethook guest-config``.

nic.py is what is to be configured of a NIC; each format is a module of its own, that makes a text of it (pure);
selection.py finds out which addresses are meant, and resolvers.py which DNS servers there are.

All formats configure the same: single addresses of full length, so that everything else is reached through the host,
and a default route to the gateway, which is on the link although it is in no subnet. That also holds for a prefix:
other addresses of it may be at other guests, on other bridges.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nethook.guest_config.format import Format

FORMATS = (
    "netplan",
    "networkd",
    "ifupdown",
    "networkmanager",
    "ifcfg",
    "cloud-init",
    "alpine",
    "freebsd",
    "windows",
)
DEFAULT_FORMAT = FORMATS[0]


def format_named(name: str) -> Format:
    """The format, which has to be one of FORMATS."""
    found: Format = import_module(f"{__name__}.{name.replace('-', '_')}").FORMAT
    return found
