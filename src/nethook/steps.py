"""Change → steps: which tools run with which input, in which order, and what each says when it is done.

A packet must never be routed to where it is not let in. So routes that go are deleted first, then one nft
transaction changes what is accepted, then the gates of other tools open, and new routes come last. A route that only
leads elsewhere now is deleted right before it is added, in that last step.
"""

from __future__ import annotations

from nethook.kernel import routes, table
from nethook.kernel.process import Call
from nethook.kernel.ruleset import BRIDGES, ISOLATED, TABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nethook.change import Change
    from nethook.desired import Desired
    from nethook.gates.gate import Opening
    from nethook.kernel.process import Tools
    from nethook.kernel.routes import Route
    from nethook.kernel.ruleset import Ruleset
    from nethook.kernel.table import Elements


class Step:
    """One process to run, all of whose work is done or none: ``says`` has a line for each change it makes."""

    def __init__(self, call: Call, says: Sequence[str], *, ends_run: bool = False) -> None:
        self.call = call
        self.says = list(says)
        self.ends_run = ends_run
        """Whether what comes behind this step must not be done without it."""

    def take(self, tools: Tools) -> tuple[list[str], list[str]]:
        """Run it. Returns the lines of what was done, and a sentence for each failure."""
        result = tools.run(self.call)
        return (self.says, []) if result.status == 0 else ([], [result.failure])


class RouteStep(Step):
    """Routes deleted and added by one process; what the kernel refuses of them does not keep the others."""

    def __init__(self, gone: Sequence[Route], new: Sequence[Route], protocol: int, desired: Desired) -> None:
        self.gone = gone
        self.new = new
        lines = [routes.delete(route, protocol) for route in gone] + [routes.add(route, protocol) for route in new]
        says = [f"- route {prefix} dev {device}" for prefix, device in gone]
        for route in new:
            line = desired.routes[route]
            says.append(f"+ route {route[0]} dev {route[1]} ({line.network}, {line.place})")
        super().__init__(routes.batch(lines), says)

    def take(self, tools: Tools) -> tuple[list[str], list[str]]:
        """Run it; a route that is as desired by somebody else's doing is neither done nor a failure."""
        result = tools.run(self.call)
        refused = routes.refusals(result)
        if result.status != 0 and not refused:
            return [], [result.failure]
        failures = []
        for number, why in sorted(refused.items()):
            if number < len(self.gone):
                if not why.startswith(routes.ALREADY_GONE):
                    prefix, device = self.gone[number]
                    failures.append(f"cannot delete route {prefix} dev {device}: {why}")
            else:
                failures += _why_not_added(self.new[number - len(self.gone)], why, tools)
        return [line for number, line in enumerate(self.says) if number not in refused], failures


def _why_not_added(route: Route, why: str, tools: Tools) -> Iterator[str]:
    prefix, device = route
    if why == routes.EXISTS:
        holder = routes.holder(tools.run(routes.holder_call(prefix)))
        if f" dev {device} " in f"{holder} ":
            return
        why = f"there is a route to it already, which is not ours: {holder}"
    yield f"cannot add route {prefix} dev {device}: {why}"


def steps(change: Change, desired: Desired, openings: Iterable[Opening], ruleset: Ruleset, protocol: int) -> list[Step]:
    """What has to be run, in this order; nothing if there is nothing to do."""
    todo: list[Step] = []
    moved = {prefix for prefix, _ in change.routes_new}
    gone = [route for route in change.routes_gone if route[0] not in moved]
    if gone:
        todo.append(RouteStep(gone, [], protocol, desired))

    openings = list(openings)
    commands = [command for opening in openings for command in opening.nft]
    if change.ruleset == "rebuilt":
        commands.append(f"delete table {TABLE}")
    if change.ruleset:
        commands += ruleset.creation()
    commands += table.deletions(change.elements_gone) + table.additions(change.elements_new)
    if commands:
        says = [f"+ {opening.what}" for opening in openings if opening.nft]
        if change.ruleset:
            says.append(f"+ nftables table inet nethook {change.ruleset}")
        says += _elements_say("-", change.elements_gone)
        says += _elements_say("+", change.elements_new)
        todo.append(Step(Call(("nft", "-f", "-"), "\n".join(commands) + "\n"), says, ends_run=True))

    todo += [Step(opening.call, [f"+ {opening.what}"]) for opening in openings if opening.call]

    if change.routes_new:
        gone = [route for route in change.routes_gone if route[0] in moved]
        todo.append(RouteStep(gone, change.routes_new, protocol, desired))
    return todo


def _elements_say(sign: str, elements: Elements) -> Iterator[str]:
    """A line for each address or prefix whose acceptance changes, in however many of our sets."""
    accepted: set[tuple[str, str]] = set()
    guarded: set[str] = set()
    for name, members in elements.items():
        if name == BRIDGES:
            yield from (f"{sign} bridge {bridge} as one of libvirt's" for (bridge,) in sorted(members))
        elif name == ISOLATED:
            yield from (f"{sign} bridge {bridge} as isolated" for (bridge,) in sorted(members))
        elif name.startswith("routed"):
            guarded.update(block for (block,) in members)
        else:
            accepted.update((block, bridge) for bridge, block in members)
    yield from (f"{sign} accept {block} on {bridge}" for block, bridge in sorted(accepted))
    yield from (f"{sign} guard {block} against forgery" for block in sorted(guarded - {block for block, _ in accepted}))
