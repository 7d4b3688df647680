"""A program on a host whose lines are followed as they come."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from subprocess import PIPE, Popen
from typing import Callable

from lab.hosts.host import Host


@contextmanager
def following(host: Host, command: str, follow: Callable[[Iterable[str]], None]) -> Iterator[None]:
    """Have `follow`, in a thread of its own, read what the command prints on the host, for the time of the block."""
    told = [str(word) for word in host.command(["sh", "-c", f"echo $$; exec {command}"])]
    with Popen(told, stdout=PIPE, text=True) as process:
        assert process.stdout
        pid = process.stdout.readline().strip()
        follower = threading.Thread(target=follow, args=(process.stdout,))
        follower.start()
        try:
            yield
        finally:
            host.run(["kill", pid])
            follower.join()
