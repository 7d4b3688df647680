"""The kernel's table of connections: deleting those of an address. https://conntrack-tools.netfilter.org/"""

from __future__ import annotations

from nethook.host.process import Call, ToolMissingError, find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nethook.host.process import Result

TOOL = "conntrack"
NONE_FOUND = "0 flow entries have been deleted"


def can_be_deleted() -> bool:
    """Whether there is the tool for it, which not every host has; flows then end when they end."""
    try:
        return bool(find(TOOL))
    except ToolMissingError:
        return False


def deletions(prefix: str) -> list[Call]:
    """What deletes the connections from this prefix and to it, as their first packets had it."""
    family = "ipv6" if ":" in prefix else "ipv4"
    return [Call((TOOL, "-D", "-f", family, end, prefix)) for end in ("--orig-src", "--orig-dst")]


def has_failed(result: Result) -> bool:
    """Whether it went wrong; that there were no such connections is right, too."""
    return result.status != 0 and NONE_FOUND not in result.err
