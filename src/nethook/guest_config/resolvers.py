"""The DNS servers of the host, which its guests can use as well.

A guest cannot reach a resolver on the host itself, such as systemd-resolved at 127.0.0.53. Another file has the servers
that this resolver asks. resolv.conf(5), systemd-resolved.service(8).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.prefix import parse_prefix, unroutable_kind

if TYPE_CHECKING:
    from collections.abc import Iterable

FILES = ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf")


def resolvers(files: Iterable[str] = FILES) -> list[str]:
    """Return the DNS servers in the first file that has any. Files that cannot be read are skipped."""
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
    """Return whether the address of a server has the same meaning in a guest as on the host."""
    try:
        return unroutable_kind(parse_prefix(server)) is None
    except ValueError:  # for example an address with a zone, which names a device of the host
        return False
