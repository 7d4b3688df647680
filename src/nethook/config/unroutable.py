"""Prefixes that are valid but cannot be routed to a guest."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nethook.net import Prefix

# First address, last address, kind: from the IANA special-purpose address registries (RFC 6890). Private and
# documentation blocks are not here, because people route them, the latter in labs.
_KINDS = {
    4: (
        (0x00000000, 0x00FFFFFF, "unspecified"),
        (0x7F000000, 0x7FFFFFFF, "loopback"),
        (0xA9FE0000, 0xA9FEFFFF, "link-local"),
        (0xE0000000, 0xEFFFFFFF, "multicast"),
        (0xF0000000, 0xFFFFFFFE, "reserved"),
        (0xFFFFFFFF, 0xFFFFFFFF, "broadcast"),
    ),
    6: (
        (0, 0, "unspecified"),
        (1, 1, "loopback"),
        (0xFFFF << 32, (0x10000 << 32) - 1, "IPv4-mapped"),
        (0xFE80 << 112, (0xFEC0 << 112) - 1, "link-local"),
        (0xFF00 << 112, (1 << 128) - 1, "multicast"),
    ),
}


def unroutable_kind(prefix: Prefix) -> str | None:
    """Return the kind of addresses in the prefix that cannot be routed to a guest; None if all can be routed."""
    first = prefix.first
    last = prefix.last
    for kind_first, kind_last, kind in _KINDS[prefix.family]:
        if first <= kind_last and last >= kind_first:
            return kind
    return None
