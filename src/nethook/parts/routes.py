"""Our routes: those in the main table that carry our protocol number. All others are never touched."""

from __future__ import annotations

from nethook.errors import ReadError
from nethook.host.process import Call
from nethook.net.prefix import is_prefix
from nethook.parts.kind import NO_DEVICE, Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.host.host import Host
    from nethook.host.process import Result
    from nethook.parts.kind import Key

    Place = tuple[str, str]
    """Prefix in canonical text, and the device behind which it is."""

OTHER_SHAPES = frozenset({"unreachable", "blackhole", "prohibit", "throw", "default", "nexthop"})
"""How lines begin that ip prints for routes with our number and of another shape than ours."""

EXISTS = "File exists"
IN_TABLE = " table "
"""What ip prints in front of a table's number, if it is not the main one."""


def read_calls(protocol: int) -> list[Call]:
    """What lists all routes with our number, of both families and in all tables."""
    return [Call(("ip", "route", "show", "table", "all", "proto", str(protocol)))]


class Routes(Kind):
    """Keys are (prefix, device, next hop on it or '')."""

    name = "route"
    already_gone = (*Kind.already_gone, "No such process")

    def read_calls(self, protocol: int) -> list[Call]:
        """What lists them."""
        return read_calls(protocol)

    def read(self, host: Host, results: Sequence[Result], protocol: int) -> set[Key]:
        """Our routes. Those of another shape than we make are left out: somebody else's with our number."""
        del host, protocol
        routes: set[Key] = set()
        for result in results:
            if result.status != 0:
                raise ReadError(result.failure)
            for line in result.out.splitlines():
                if not line.strip() or IN_TABLE in line or line.startswith("unreachable "):  # half are our fallbacks
                    continue
                first, *rest = line.split(None, 5)
                if not line[0].isspace() and rest[:1] == ["dev"] and len(rest) > 1:
                    routes.add((first, rest[1], ""))
                elif not line[0].isspace() and rest[:1] == ["via"] and rest[2:3] == ["dev"] and " onlink" in line:
                    routes.add((first, rest[3], rest[1]))
                elif first not in OTHER_SHAPES and not is_prefix(first):
                    raise ReadError(result.not_understood)
        return routes

    def add(self, key: Key, protocol: int) -> str:
        """Never ``replace``: that would overwrite a route of somebody else."""
        return f"route add {_words(key)} proto {protocol}"

    def take_over(self, key: Key, protocol: int) -> str:
        """The line that puts our route in the place of the same one without our number, in one step."""
        return f"route replace {_words(key)} proto {protocol}"

    def delete(self, key: Key, protocol: int) -> str:
        """The line that deletes this route if it is ours."""
        return f"route del {_words(key)} proto {protocol}"

    def why_not_added(self, key: Key, said: str, host: Host) -> str:
        """A route that leads to the same place by somebody else's doing is as good."""
        if said.startswith(NO_DEVICE):
            return super().why_not_added(key, said, host)
        if said != EXISTS:
            return said
        prefix, device, via = key
        found = holder(host.run(holder_call(prefix)))
        if f" dev {device} " in f"{found} " and (f" via {via} " in found if via else " via " not in found):
            return ""
        return f"there is a route to it already, which is not ours: {found or '(not found any more)'}"


def _words(key: Key) -> str:
    """The route as ``ip`` takes it. ``onlink``: that the next hop is there, the configuration says, and no subnet."""
    prefix, device, via = key
    return f"{prefix} via {via} dev {device} onlink" if via else f"{prefix} dev {device}"


def holder_call(prefix: str) -> Call:
    """What lists the routes to exactly this prefix, whoever made them."""
    family = "-6" if ":" in prefix else "-4"
    return Call(("ip", family, "route", "show", "exact", prefix))


def holder(result: Result) -> str:
    """The one of them that keeps the kernel from adding ours, as ip prints it; '' if there is none."""
    metric = " metric 1024 " if "-6" in result.call.argv else ""  # what the kernel gives to IPv6 routes without one
    lines = (line.strip() for line in result.out.splitlines())
    return next((line for line in lines if (metric in f"{line} " if metric else " metric " not in line)), "")


ROUTES = Routes()
