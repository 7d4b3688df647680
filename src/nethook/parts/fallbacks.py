"""Our fallback routes: what is sent to a configured prefix while it leads nowhere is answered with an ICMP error.

Without one, the host would send it back to the provider by its default route, who sends it here again, until its time
to live ends. They come and go with the lines of the configuration, whatever networks are up.

They are in routing tables of their own, because libvirt refuses to start a network if the main table has a route to
exactly one of its prefixes, and because a routing daemon announces what it finds in there. Rules lead to these tables
(``fallback_rules.py``). One table is for prefixes that lie in nothing of ours that is routed: any route but a default
one wins. The others, one for each length, are for a prefix within another that is routed: there a route wins that is
not shorter. Earlier releases had fallback routes in the main table: those are deleted.
"""

from __future__ import annotations

from nethook.errors import ReadError
from nethook.net.prefix import parse_prefix
from nethook.parts.kind import Kind
from nethook.parts.routes import IN_TABLE, read_calls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.host.host import Host
    from nethook.host.process import Call, Result
    from nethook.net.prefix import Prefix
    from nethook.parts.kind import Key

INNER = "inner"
"""The one within another prefix that is routed."""
MAIN = "main"
MAIN_METRIC = (1 << 32) - 1
"""The one that fallback routes in the main table had."""
_SHAPE = "unreachable "


TABLES = 1000
"""Their tables begin at so many times our protocol: far from those that people and other programs number, up to 255."""
SHORT = 3
"""A route no longer than this stands for a default route: 0.0.0.0/1 and 128.0.0.0/1 of a tunnel, 2000::/3."""
LONGEST = 128


def table_of(protocol: int, length: int = 0) -> int:
    """Return the number of the routing table of inner fallback routes of this length; 0: of the others."""
    return TABLES * protocol + length


def is_inner(prefix: Prefix) -> bool:
    """Return whether there may be an inner fallback route for this prefix within another."""
    return prefix.length > SHORT + 1


class Fallbacks(Kind):
    """Keys are (prefix, ''), (prefix, '', INNER), and (prefix, '', MAIN) for those of a release before."""

    name = "fallback"
    already_gone = ("No such process", "FIB table does not exist", "ipv4: FIB table does not exist")

    def read_calls(self, protocol: int) -> list[Call]:
        """The list in which our other routes are, too."""
        return read_calls(protocol)

    def read(self, host: Host, results: Sequence[Result], protocol: int) -> set[Key]:
        """Ours. What is unreachable elsewhere, or with another metric, is somebody else's with our number."""
        del host
        found: set[Key] = set()
        all_others = str(table_of(protocol))
        for result in results:
            if result.status != 0:
                raise ReadError(result.failure)
            for line in result.out.splitlines() if _SHAPE in result.out else ():
                if line.startswith(_SHAPE):
                    prefix = line.split(None, 2)[1]
                    table = line.partition(IN_TABLE)[2].partition(" ")[0]
                    if table == all_others:
                        found.add((prefix, ""))
                    elif table:
                        if table == str(table_of(protocol, parse_prefix(prefix).length)):
                            found.add((prefix, "", INNER))
                    elif f" metric {MAIN_METRIC}" in line:
                        found.add((prefix, "", MAIN))
        return found

    def add(self, key: Key, protocol: int) -> str:
        """Never ``replace``, as with other routes."""
        return f"route add {_words(key, protocol)}"

    def delete(self, key: Key, protocol: int) -> str:
        """With all that makes it ours."""
        return f"route del {_words(key, protocol)}"

    def why_not_added(self, key: Key, said: str, host: Host) -> str:
        """One that somebody else has made in its place does the same."""
        del key, host
        return "" if said == "File exists" else said


def _words(key: Key, protocol: int) -> str:
    if key[2:] == (MAIN,):
        return f"{_SHAPE}{key[0]} proto {protocol} metric {MAIN_METRIC}"
    length = parse_prefix(key[0]).length if key[2:] else 0
    return f"{_SHAPE}{key[0]} table {table_of(protocol, length)} proto {protocol}"


FALLBACKS = Fallbacks()
