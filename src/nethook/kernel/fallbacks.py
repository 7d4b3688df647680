"""Our fallback routes: what is sent to a configured prefix while it leads nowhere is answered with an ICMP error.

Without one, the host would send it back to the provider by its default route, who sends it here again, until its time
to live ends. They come and go with the lines of the configuration, whatever networks are up.

They are in routing tables of their own, because libvirt refuses to start a network if the main table has a route to
exactly one of its prefixes, and because a routing daemon announces what it finds in there. Rules lead to these tables
(``fallback_rules.py``). One table comes behind all routes of the main table but the default, so any of these wins. The
other comes before the main table: it is for a prefix within another that is routed, where the shorter route must not
win. Earlier releases had fallback routes in the main table: those are deleted.
"""

from __future__ import annotations

from nethook.errors import ReadError
from nethook.kernel.kind import Kind
from nethook.kernel.routes import IN_TABLE, read_calls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.kernel.kind import Key
    from nethook.kernel.process import Call, Result, Tools

INNER = "inner"
"""The one within another prefix that is routed."""
MAIN = "main"
MAIN_METRIC = (1 << 32) - 1
"""The one that fallback routes in the main table had."""
_SHAPE = "unreachable "


def tables(protocol: int) -> tuple[int, int]:
    """Return the numbers of the routing tables of fallback routes and of inner ones: the next two after ours."""
    return protocol + 1, protocol + 2


class Fallbacks(Kind):
    """Keys are (prefix, ''), (prefix, '', INNER), and (prefix, '', MAIN) for those of a release before."""

    name = "fallback"
    already_gone = ("No such process", "FIB table does not exist", "ipv4: FIB table does not exist")

    def read_calls(self, protocol: int) -> list[Call]:
        """The list in which our other routes are, too."""
        return read_calls(protocol)

    def read(self, results: Sequence[Result], protocol: int) -> set[Key]:
        """Ours. What is unreachable elsewhere, or with another metric, is somebody else's with our number."""
        all_keys, inner = (f"{IN_TABLE}{number} " for number in tables(protocol))
        found: set[Key] = set()
        for result in results:
            if result.status != 0:
                raise ReadError(result.failure)
            for line in result.out.splitlines() if _SHAPE in result.out else ():
                if line.startswith(_SHAPE):
                    prefix = line.split(None, 2)[1]
                    if all_keys in f"{line} ":
                        found.add((prefix, ""))
                    elif inner in f"{line} ":
                        found.add((prefix, "", INNER))
                    elif IN_TABLE not in line and f" metric {MAIN_METRIC}" in line:
                        found.add((prefix, "", MAIN))
        return found

    def add(self, key: Key, protocol: int) -> str:
        """Never ``replace``, as with other routes."""
        return f"route add {_words(key, protocol)}"

    def delete(self, key: Key, protocol: int) -> str:
        """With all that makes it ours."""
        return f"route del {_words(key, protocol)}"

    def why_not_added(self, key: Key, said: str, tools: Tools) -> str:
        """One that somebody else has made in its place does the same."""
        del key, tools
        return "" if said == "File exists" else said


def _words(key: Key, protocol: int) -> str:
    if key[2:] == (MAIN,):
        return f"{_SHAPE}{key[0]} proto {protocol} metric {MAIN_METRIC}"
    return f"{_SHAPE}{key[0]} table {tables(protocol)[bool(key[2:])]} proto {protocol}"


FALLBACKS = Fallbacks()
