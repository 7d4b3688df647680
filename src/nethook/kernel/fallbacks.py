"""Our fallback routes: what is sent to a configured prefix while it leads nowhere is answered with an ICMP error.

Without one, the host would send it back to the provider by its default route, who sends it here again, until its time
to live ends. They have the worst metric there is, so that any other route to the same prefix goes before them, and come
and go with the lines of the configuration, whatever networks are up.
"""

from __future__ import annotations

from nethook.errors import ReadError
from nethook.kernel.kind import Kind
from nethook.kernel.routes import read_calls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.kernel.kind import Key
    from nethook.kernel.process import Call, Result, Tools

METRIC = (1 << 32) - 1
_SHAPE = "unreachable "
_METRIC = f" metric {METRIC}"


class Fallbacks(Kind):
    """Keys are (prefix, '')."""

    name = "fallback"
    already_gone = ("No such process",)

    def read_calls(self, protocol: int) -> list[Call]:
        """The lists in which our other routes are, too."""
        return read_calls(protocol)

    def read(self, results: Sequence[Result], protocol: int) -> set[Key]:
        """Ours. What is unreachable with another metric is somebody else's with our number."""
        del protocol
        found: set[Key] = set()
        for result in results:
            if result.status != 0:
                raise ReadError(result.failure)
            if _SHAPE in result.out:
                found.update(
                    (line.split(None, 2)[1], "")
                    for line in result.out.splitlines()
                    if line.startswith(_SHAPE) and _METRIC in line
                )
        return found

    def add(self, key: Key, protocol: int) -> str:
        """Never ``replace``, as with other routes."""
        return f"route add {_SHAPE}{key[0]} proto {protocol}{_METRIC}"

    def delete(self, key: Key, protocol: int) -> str:
        """With all that makes it ours."""
        return f"route del {_SHAPE}{key[0]} proto {protocol}{_METRIC}"

    def why_not_added(self, key: Key, said: str, tools: Tools) -> str:
        """One that somebody else has made in its place does the same."""
        del key, tools
        return "" if said == "File exists" else said


FALLBACKS = Fallbacks()
