"""The program of the setting ``on-change``, which is told what addresses came and went when a run has ended.

It is for what no routing daemon does, such as calling the API of a provider. That it fails is logged, and nothing more:
the addresses are in force.
"""

from __future__ import annotations

from nethook import log
from nethook.changes import REMOVE
from nethook.config.files import refusal
from nethook.errors import NethookError
from nethook.host.files import UnfitError
from nethook.host.process import Call
from nethook.parts.neighbours import PROXIES
from nethook.parts.routes import ROUTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.changes import Effect
    from nethook.engine.case import Case
    from nethook.host import Host

ACCEPT = "accept"


def tell(path: str, done: Sequence[Effect], case: Case, host: Host) -> None:
    """Run the program at this path, if by what was ``done`` addresses came or went. ``case`` is that of the last steps.

    Each is a line of its standard input: ``add`` or ``remove``, prefix, bridge. It is ended after CALL_SECONDS, or at
    the deadline of the run. Routes of a network that has stopped are gone with its bridge. Then guests may no longer
    use their prefixes, or the host does not answer for them any more.
    """
    told = {(each.prefix, each.bridge): each.sign for each in done if each.kind == ROUTES.name}
    routes = {(route.prefix, route.device) for route in case.state(ROUTES)}
    removed = [each for each in done if each.sign == REMOVE]
    gone = {(each.prefix, each.bridge) for each in removed if each.kind == ACCEPT}
    unanswered = {each.prefix for each in removed if each.kind == PROXIES.name}
    gone |= {(each.line.address, each.bridge) for each in case.proxied if each.line.address in unanswered}
    for place in sorted(gone - routes):
        told.setdefault(place, REMOVE)
    lines = [f"{'remove' if sign == REMOVE else 'add'} {prefix} {bridge}\n" for (prefix, bridge), sign in told.items()]
    failure = _failure(path, "".join(lines), host) if lines else ""
    if failure:
        log.errors([f"on-change: {failure}"], host)


def why_not_trusted(path: str, host: Host) -> str:
    """Return why the program must not be run; '' if it may be."""
    try:
        return "" if host.has_trusted(path) else f"there is no program {path}"
    except UnfitError as error:
        return f"the program was not run: {refusal(error)}"
    except OSError as error:
        return f"{path}: {error.strerror}"


def _failure(path: str, text: str, host: Host) -> str:
    """Return why the program did not do it; '' if it did."""
    why = why_not_trusted(path, host)
    if why:
        return why
    try:
        result = host.run(Call((path,), text))
    except OSError as error:
        return f"{path}: {error.strerror}"
    except NethookError as error:
        return str(error)
    return result.failure if result.status != 0 else ""
