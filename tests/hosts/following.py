"""A program on a host whose lines are followed as they come."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from subprocess import PIPE, Popen
from typing import Callable

from lab.hosts.host import Host


@contextmanager
def following(host: Host, command: Sequence[str], follow: Callable[[Iterable[str]], None]) -> Iterator[None]:
    """Have `follow`, in a thread of its own, read what the command prints on the host, for the time of the block.

    The block begins when it has printed its first line, which is the number of its process.
    """
    with Popen([str(word) for word in host.command(command)], stdout=PIPE, text=True) as process:
        assert process.stdout
        pid = process.stdout.readline().strip()
        assert pid.isdecimal(), f"{command[0]} says {pid!r}"
        follower = threading.Thread(target=follow, args=(process.stdout,))
        follower.start()
        try:
            yield
        finally:
            host.run(["kill", pid])
            follower.join()
