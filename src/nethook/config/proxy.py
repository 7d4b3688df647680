"""What can be answered for on an uplink: ``proxy=UPLINK``."""

from __future__ import annotations

from nethook.config.problem import excerpt
from nethook.net.names import is_safe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nethook.net.prefix import Prefix

SHORTEST = 24
"""An entry for each address: more than 256 for one line would be a provider who should route the prefix instead."""


def uplink_refusal(uplink: str) -> tuple[str, str] | None:
    """Why this cannot be an uplink, and what to write instead; None if it can."""
    if not is_safe(uplink):
        return f"{excerpt(uplink)} is not the name of a network device", "write one as ip link shows it"
    return None


def proxy_refusal(prefix: Prefix) -> tuple[str, str] | None:
    """Why the kernel cannot answer for this prefix on an uplink, and what to write instead; None if it can.

    Its entries are for single addresses. Those of an IPv4 prefix can be written down; those of an IPv6 prefix are too
    many, and which of them are in use cannot be known before somebody has reached them.
    """
    if prefix.family == 6 and not prefix.is_address:
        return (
            f"the kernel answers NDP for single addresses, not for a prefix such as {prefix}",
            "write a line for each address in use, or ask your provider to route the prefix to this host, "
            "or run ndppd for it and leave out proxy=",
        )
    if prefix.length < SHORTEST:
        what = f"{prefix} has more addresses than the host should answer ARP for one by one"
        return what, f"write prefixes of /{SHORTEST} or longer, or ask your provider to route it to this host"
    return None
