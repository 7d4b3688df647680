"""The station of the guest, second part: whether a program in it answers at the TCP ports that lead there.

The host itself connects, and hangs up at once. A guest may answer its clients and not the host, so this is no failure.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import time
from typing import TYPE_CHECKING

from nethook.doctor.finding import WARNING, Finding
from nethook.doctor.guest_answers import ANSWERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nethook.doctor.facts import ForwardTarget

SECONDS = 1.0
MOST = 500
"""The number of ports that are asked: one socket each."""


def services(targets: Iterable[ForwardTarget]) -> Iterator[Finding]:
    """Yield a warning for each port at which nothing answers. Of a range, mostly not every port is used."""
    asked: dict[tuple[str, int], list[str]] = {}
    for target in targets:
        for port in target.single_tcp_ports:
            asked.setdefault((target.address, port), []).append(target.name)
    silent = unanswered(list(asked)[:MOST])
    for (address, port), error in silent.items():
        if error == errno.ECONNREFUSED:
            text = f"{address} refuses TCP port {port}"
            advice = "start the service in the guest, or open the port in the guest's firewall"
        else:
            text = f"{address} does not answer this host at TCP port {port}: {os.strerror(error)}"
            advice = (
                "open the port in the guest's firewall; if it is open for some clients only, there is nothing to do"
            )
        yield Finding(WARNING, ANSWERS, text, advice=advice, addresses=asked[address, port])


def unanswered(ends: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """Return the error of each of these addresses and ports to which there is no connection within SECONDS."""
    lines: dict[socket.socket, tuple[str, int]] = {}
    found: dict[tuple[str, int], int] = {}
    try:
        for end in ends:
            line = socket.socket(socket.AF_INET6 if ":" in end[0] else socket.AF_INET)
            lines[line] = end
            line.setblocking(False)
            found[end] = line.connect_ex(end)
        until = time.monotonic() + SECONDS
        poll = select.poll()
        waiting = {line.fileno(): line for line, end in lines.items() if found[end] == errno.EINPROGRESS}
        for number in waiting:
            poll.register(number, select.POLLOUT)
        while waiting and time.monotonic() < until:
            for number, _ in poll.poll(max(0.0, until - time.monotonic()) * 1000):
                poll.unregister(number)
                line = waiting.pop(number)
                found[lines[line]] = line.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        for line in waiting.values():
            found[lines[line]] = errno.ETIMEDOUT
    finally:
        for line in lines:
            line.close()
    return {end: error for end, error in found.items() if error}
