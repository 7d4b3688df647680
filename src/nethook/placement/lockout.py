"""The lines of forwarded-ports that would lock the administrator out of this host. They are put in force only if asked.

If the port of an SSH session leads to a guest, the session goes on, but nobody can open another one. If the host's only
address leads to a guest as a whole, nobody reaches the host.
"""

from __future__ import annotations

from nethook.host.sockets import SSH_PORT, SSHD
from nethook.prefix import is_link_local, parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from nethook.config.forwarded_ports import Forward
    from nethook.config.text import Problem
    from nethook.host.addresses import Address
    from nethook.host.sockets import Socket

FORCED = "or run nethook apply --force"


def lockouts(
    lines: Iterable[Forward],
    everything: Sequence[Forward],
    sockets: Sequence[Socket],
    addresses: Iterable[Address],
    bridges: Collection[str],
) -> list[tuple[Forward, Problem]]:
    """Return the lines that would lock somebody out, each with its problem.

    ``everything`` are all lines, of which some leave ports with the host. ``sockets`` and ``addresses`` are those of
    this host. Behind ``bridges`` are guests alone.
    """
    kept = [line for line in everything if line.is_hosts]
    own = {each.text for each in addresses if each.device not in {"lo", *bridges} and not is_link_local(each.text)}
    found = []
    for line in lines:
        problem = _of_session(line, kept, sockets, own) or _of_only_address(line, kept, sockets, own)
        if problem:
            found.append((line, problem))
    return found


def _is_kept(kept: Iterable[Forward], address: str, port: int) -> bool:
    return any(line.address == address and line.covers("tcp", port) for line in kept)


def _is_session(each: Socket) -> bool:
    return not each.is_listening and each.protocol == "tcp" and each.program.startswith(SSHD)


def _of_session(
    line: Forward, kept: Iterable[Forward], sockets: Iterable[Socket], own: Collection[str]
) -> Problem | None:
    """Return the problem of a line that takes the port of a session; None if it takes none.

    A line for any address takes no port at addresses that only guests and the host itself reach. A line for some
    clients (``from=``) refuses all others.
    """
    for each in filter(_is_session, sockets):
        if not line.takes(each.address, "tcp", each.port) or _is_kept(kept, each.address, each.port):
            continue
        if line.is_any and each.address not in own:
            continue
        goes = f"go to {line.guest or line.to}"
        if line.sources and not any(parse_prefix(each.peer).lies_in(source) for source in line.sources):
            goes = "be refused"
        what = (
            f"somebody is connected from {each.peer} by SSH to port {each.port} of {each.address}: "
            f"new connections there would {goes}"
        )
        return line.problem(what, f"{_advice(line, each.address, each.port)}, {FORCED}")
    return None


def _advice(line: Forward, address: str, port: int) -> str:
    if not line.is_whole:
        return "choose another port"
    at = f"[{address}]" if ":" in address else address
    return f"write `{at}:{port} -` on a line of its own, so that SSH stays with this host"


def _of_only_address(
    line: Forward, kept: Sequence[Forward], sockets: Iterable[Socket], own: Collection[str]
) -> Problem | None:
    alike = {address for address in own if (":" in address) == (line.family == 6)}
    if not line.is_whole or alike != {line.address}:
        return None
    # systemd may listen in the place of sshd. Then the sessions tell the port.
    of_sshd = [each for each in sockets if each.protocol == "tcp" and each.program.startswith(SSHD)]
    ports = {each.port for each in of_sshd if each.is_listening} or {each.port for each in of_sshd} or {SSH_PORT}
    if any(_is_kept(kept, line.address, port) for port in ports):
        return None
    what = (
        f"{line.address} is the only IPv{line.family} address of this host: nobody would reach the host itself any more"
    )
    return line.problem(what, f"{_advice(line, line.address, min(ports))}, {FORCED}")


def listeners(lines: Iterable[Forward], sockets: Sequence[Socket], addresses: Iterable[Address]) -> list[Problem]:
    """Return a warning for each line that takes a port at which a program of this host listens.

    ``sockets`` and ``addresses`` are those of this host. Nothing is taken at an address that it does not have.
    """
    found = []
    own = {each.text for each in addresses}
    for line in lines:
        if line.is_whole or line.is_hosts or not (line.is_any or line.address in own):
            continue
        for each in sockets:
            if (
                each.is_listening
                and line.covers(each.protocol, each.port)
                and each.is_at(line.address, is_any=line.is_any)
            ):
                program = f"{each.program or 'a program'} (pid {each.pid})" if each.pid else "a program"
                what = f"warning: {program} of this host listens at port {each.port} ({each.protocol})"
                what += f": new connections to {line.text} go to {line.guest or line.to} instead"
                found.append(line.problem(what, "choose another port, or have the program listen at another address"))
                break
    return found
