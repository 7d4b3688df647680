"""Our routes: those in the main table that carry our protocol number. All others are never touched."""

from __future__ import annotations

from nethook.errors import ReadError
from nethook.kernel.process import Call
from nethook.prefix import parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nethook.kernel.process import Result

    Route = tuple[str, str]
    """Prefix in canonical text, and the device it leads to."""

OTHER_SHAPES = frozenset({"unreachable", "blackhole", "prohibit", "throw", "default", "nexthop"})
"""How lines begin that ip prints for routes with our number and of another shape than ours."""

EXISTS = "File exists"
NO_DEVICE = "Cannot find device "
ALREADY_GONE = ("No such process", NO_DEVICE)
"""How begins what the kernel says to a deletion of what went by itself, for example with its device."""


def read_calls(protocol: int) -> list[Call]:
    """What lists our routes: one call a family."""
    return [Call(("ip", family, "route", "show", "proto", str(protocol))) for family in ("-4", "-6")]


def parse(results: Iterable[Result]) -> set[Route]:
    """Our routes out of what ``read_calls`` printed; ReadError when one of the calls failed.

    Routes of another shape than we make (with a gateway, say) are left out: somebody else's with our number.
    """
    routes = set()
    for result in results:
        if result.status != 0:
            raise ReadError(result.failure)
        for line in result.out.splitlines():
            first, *rest = line.split(None, 3)
            if not line[0].isspace() and rest[:1] == ["dev"] and len(rest) > 1:
                routes.add((first, rest[1]))
            elif first not in OTHER_SHAPES and not _is_prefix(first):
                raise ReadError(result.not_understood)
    return routes


def _is_prefix(text: str) -> bool:
    try:
        parse_prefix(text)
    except ValueError:
        return False
    return True


def add(route: Route, protocol: int) -> str:
    """The line that adds a route. Never ``replace``: that would overwrite a route of somebody else."""
    return f"route add {route[0]} dev {route[1]} proto {protocol}"


def take_over(route: Route, protocol: int) -> str:
    """The line that puts our route in the place of the same one without our number, in one step."""
    return f"route replace {route[0]} dev {route[1]} proto {protocol}"


def delete(route: Route, protocol: int) -> str:
    """The line that deletes this route if it is ours."""
    return f"route del {route[0]} dev {route[1]} proto {protocol}"


def holder_call(prefix: str) -> Call:
    """What lists the routes to exactly this prefix, whoever made them."""
    family = "-6" if ":" in prefix else "-4"
    return Call(("ip", family, "route", "show", "exact", prefix))


def holder(result: Result) -> str:
    """The one of them that keeps the kernel from adding ours, as ip prints it; '' if there is none."""
    metric = " metric 1024 " if "-6" in result.call.argv else ""  # what the kernel gives to IPv6 routes without one
    lines = (line.strip() for line in result.out.splitlines())
    return next((line for line in lines if (metric in f"{line} " if metric else " metric " not in line)), "")


def batch(lines: Sequence[str]) -> Call:
    """One process for all lines; a line that the kernel refuses does not keep the others from being tried."""
    return Call(("ip", "-force", "-batch", "-"), "\n".join(lines) + "\n")


def refusals(result: Result) -> dict[int, str]:
    """Which lines of a batch were refused (counted from 0), and what the kernel said."""
    refused: dict[int, str] = {}
    said: list[str] = []
    for line in result.err.splitlines():
        _, failed, number = line.rpartition("Command failed -:")
        if failed and number.isdigit():
            refused[int(number) - 1] = "; ".join(said) or "refused"
            said = []
        else:
            said.append(line.removeprefix("RTNETLINK answers: ").removeprefix("Error: ").rstrip("."))
    return refused
