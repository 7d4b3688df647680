"""Our routes: those in the main table that carry our protocol number. All others are never touched."""

from __future__ import annotations

from nethook.changes import PLACE, PLACE_BOUND, REPLACE, IpPiece
from nethook.host.process import Call
from nethook.host.routes import MAIN
from nethook.parts.part import Delta, Key, Objects, Wanted
from nethook.placement import Lack
from nethook.prefix import Longest, parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nethook.changes import Piece
    from nethook.config.text import Entry
    from nethook.engine.case import Case
    from nethook.engine.snapshot import Question
    from nethook.host import Host
    from nethook.host.process import Result
    from nethook.host.routes import RouteGroup
    from nethook.placement import Placement
    from nethook.placement.forwarded import Forwarding

    Place = tuple[str, str]
    """Prefix in canonical text, and the device behind which it is."""

EXISTS = "File exists"
OF_0_6 = "until now of release 0.6"


class Route(Key):
    """Prefix, device, next hop on it or ''."""

    __slots__ = ()

    @property
    def via(self) -> str:
        """The next hop, or ''."""
        return self[2]


class RouteDelta(Delta):
    """Routes that go and come; ``inherited`` are those that take the place of a route of release 0.6."""

    __slots__ = ("inherited",)

    def __init__(self, gone: Sequence[Route], new: Sequence[Route], inherited: Sequence[Route]) -> None:
        super().__init__(gone, new)
        self.inherited = inherited


def to_guests(groups: Iterable[RouteGroup]) -> set[Route]:
    """Return those of the routes with our number that lead to guests. Elsewhere than in the main table none does."""
    return {
        Route((prefix, group.device, group.via))
        for group in groups
        if group.device and group.table == MAIN
        for prefix in group.prefixes
    }


class Routes(Objects, words={"route": "route {prefix} → {bridge}"}):
    """Our routes to guests."""

    name = "route"
    already_gone = (*Objects.already_gone, "No such process")
    waits_for_binding = True

    def read(self, host: Host, question: Question) -> set[Route]:
        """Return our routes. Those of another shape than we make are left out: somebody else's with our number."""
        del host
        return to_guests(question.routes)

    def want(self, case: Case) -> Wanted:
        """Want a route for each line that has a place, and keep those that placement keeps.

        An address of forwarded-ports that the host answers for has a route, too.
        """
        placed: dict[Route, Entry] = {
            Route((each.line.prefix.text, each.bridge, each.line.via or "")): each.line
            for each in case.placements.placed
        }
        kept = set(case.placements.kept)
        if not case.proxied and not case.answered_in_doubt:  # as on most hosts
            return Wanted(placed, kept)
        from nethook.parts.answering import routes  # noqa: PLC0415 - see above

        answering = routes(case)
        return Wanted({**placed, **answering.keys}, kept | answering.stay, answering.displaced)

    def compare(self, case: Case) -> RouteDelta:
        """Return the difference. A route that would keep a network from starting goes in any case."""
        found = super().compare(case)
        starting = case.scope.starting
        in_the_way = {route for route in case.state(self) if route.prefix in starting} if starting else set()
        lacking = [route for route in found.new if route[:2] not in case.snapshot.standing_in]
        inherited = [route for route in lacking if route[:2] in case.snapshot.inherited]
        new = [route for route in lacking if route[:2] not in case.snapshot.inherited] if inherited else lacking
        return RouteDelta(sorted({*found.gone, *in_the_way}), new, inherited)

    def pieces(self, case: Case) -> Iterator[Piece]:
        """Yield deletions and additions, then routes that take the place of others' in one step."""
        yield from super().pieces(case)
        lines = case.wanted(self).keys
        for route in case.delta(self).inherited:
            effect = self.effect(REPLACE, route, lines[route])
            effect.note = OF_0_6
            stage = PLACE_BOUND if case.binds and lines[route].guest else PLACE
            yield IpPiece(stage, self, route, f"route replace {_words(route)} proto {case.protocol}", effect)

    def note(self, case: Case) -> tuple[set[Place], Longest]:
        """Return the places to which routes are still lacking, and their prefixes."""
        delta = case.delta(self)
        places = {(route.prefix, route.device) for route in (*delta.new, *delta.inherited)}
        return places, Longest(parse_prefix(prefix) for prefix, _ in places)

    def is_lacking(self, case: Case, place: Place) -> bool:
        """Return whether there is no route to this place yet."""
        places, _ = case.note(self)
        return place in places

    def lacks(self, case: Case, placement: Placement) -> Iterator[Lack]:
        """Yield that there is no route. Doctor looks who else may have one."""
        if self.is_lacking(case, (placement.line.prefix.text, placement.bridge)):
            yield Lack("route")

    def lacks_of_forward(self, case: Case, forwarding: Forwarding) -> Iterator[Lack]:
        """Yield that an address that the host answers for has no route, of this line or any other."""
        line = forwarding.line
        _, lacking = case.note(self)
        if line.proxy and lacking.around(line.prefix):
            yield Lack("route", f"there is no route for {line.prefix}, so the host does not answer for it")

    def add(self, key: Route, protocol: int) -> str:
        """Return the line that adds it. Never ``replace``: that would overwrite a route of somebody else."""
        return f"route add {_words(key)} proto {protocol}"

    def delete(self, key: Route, protocol: int) -> str:
        """Return the line that deletes this route if it is ours."""
        return f"route del {_words(key)} proto {protocol}"

    def why_not_added(self, key: Route, said: str, host: Host) -> str:
        """Return why not; '' if a foreign route leads to the same place, which is as good."""
        if said != EXISTS:
            return super().why_not_added(key, said, host)
        prefix, device, via = key
        found = holder(host.run(holder_call(prefix)))
        if f" dev {device} " in f"{found} " and (f" via {via} " in found if via else " via " not in found):
            return ""
        return f"there is a route to it already, which is not ours: {found or '(not found any more)'}"


def _words(key: Route) -> str:
    """Return the route as ``ip`` takes it. ``onlink``: the configuration says that the next hop is there, no subnet."""
    prefix, device, via = key
    return f"{prefix} via {via} dev {device} onlink" if via else f"{prefix} dev {device}"


def holder_call(prefix: str) -> Call:
    """Return the call that lists the routes to exactly this prefix, ours and foreign ones."""
    family = "-6" if ":" in prefix else "-4"
    return Call(("ip", family, "route", "show", "exact", prefix))


def holder(result: Result) -> str:
    """Return the one of them that keeps the kernel from adding ours, as ip prints it; '' if there is none."""
    metric = " metric 1024 " if "-6" in result.call.argv else ""  # the kernel gives it to IPv6 routes without one
    lines = (line.strip() for line in result.out.splitlines())
    return next((line for line in lines if (metric in f"{line} " if metric else " metric " not in line)), "")


ROUTES = Routes()
