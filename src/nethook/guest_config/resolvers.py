"""The DNS servers that the host uses, for guests to use as well.

A resolver on the host itself, such as systemd-resolved's at 127.0.0.53, is none that a guest could reach; the servers
behind that are in a file of its own. resolv.conf(5), systemd-resolved.service(8).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.config.unroutable import unroutable_kind
from nethook.net.prefix import parse_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable

FILES = ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf")


def resolvers(files: Iterable[str] = FILES) -> list[str]:
    """Those of the first file that has any, in order. A file that cannot be read has none."""
    for path in files:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                found = _servers(file.read())
        except OSError:
            continue
        if found:
            return found
    return []


def _servers(text: str) -> list[str]:
    found = []
    for line in text.splitlines():
        keyword, _, rest = line.strip().partition(" ")
        if keyword == "nameserver" and is_for_guests(rest.strip()):
            found.append(rest.strip())
    return list(dict.fromkeys(found))


def is_for_guests(server: str) -> bool:
    """Whether it is an address that means the same on a guest as on the host."""
    try:
        return unroutable_kind(parse_prefix(server)) is None
    except ValueError:  # with a zone, for example, which is one of the host's
        return False
