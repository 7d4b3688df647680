"""The one place where processes start.

What makes it hard, and how each point is met:

- The hook starts often and ``subprocess`` costs more than Python itself: ``posix_spawn`` it is.
- A child that hangs must not hang libvirt: every call has a time-out, all calls together have a deadline.
- Input of a megabyte and output of a megabyte must not wait for each other: input and output are anonymous
  files in memory, not pipes, so a child never waits for us.
- No child may hold libvirt's pipes, or outlive the run: children get nothing but their three files (everything
  else is closed at exec, Python's default), and stay in the process group that the stub's ``timeout`` ends.
- Nothing from a file or an XML reaches a shell or decides which program runs: argument lists only, a fixed PATH.
- Many changes, or questions, must not cost a process each: ``ip -batch`` takes a line for each.
"""

from __future__ import annotations

import os
import select
import time

from nethook.errors import NethookError, ReadError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

SEARCHED = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")
ENVIRONMENT = {"PATH": ":".join(SEARCHED), "LC_ALL": "C"}
CALL_SECONDS = 4.0
"""For one program, or several side by side, where there are few addresses and libvirt waits."""
LONGEST_SHOWN = 200
"""Characters of a command line, and of what a program says."""
MOST_SAID = 6


class ToolMissingError(NethookError):
    """A program is not installed."""


class Call:
    """One program to run: its arguments, and what it reads from standard input."""

    __slots__ = ("argv", "stdin")

    def __init__(self, argv: Sequence[str], stdin: str = "") -> None:
        self.argv = tuple(argv)
        self.stdin = stdin

    def __str__(self) -> str:
        """Return the command line for people, of whom nobody reads ten thousand arguments."""
        text = " ".join(self.argv)
        return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


class Result:
    """The result of a call, with its exit status (negative: the signal that ended it, None: killed as too slow)."""

    __slots__ = ("call", "err", "out", "status")

    def __init__(self, call: Call, status: int | None, out: str, err: str) -> None:
        self.call = call
        self.status = status
        self.out = out
        self.err = err

    @property
    def failure(self) -> str:
        """The failure, as one sentence."""
        if self.status is None:
            return f"`{self.call}` did not end in time and was killed"
        how = f"was ended by signal {-self.status}" if self.status < 0 else f"failed with exit status {self.status}"
        lines = [line[:LONGEST_SHOWN] for line in (self.err or self.out).splitlines()[:MOST_SAID] if line.strip()]
        said = " | ".join(lines)
        return f"`{self.call}` {how}: {said or '(it said nothing)'}"

    @property
    def not_understood(self) -> str:
        """One sentence about output that this program should not print."""
        return f"`{self.call}` printed what is not understood: {self.out[:80]!r}"


class _Child:
    __slots__ = ("call", "err", "out", "pid", "pidfd")

    def __init__(self, call: Call) -> None:
        self.call = call
        path = find(call.argv[0])
        stdin = self.out = self.err = self.pidfd = -1
        try:
            stdin, self.out, self.err = _memory_file(), _memory_file(), _memory_file()
            if call.stdin:
                _write(stdin, call.stdin.encode())
            files = [(os.POSIX_SPAWN_DUP2, fd, n) for n, fd in enumerate((stdin, self.out, self.err))]
            self.pid = os.posix_spawn(path, call.argv, ENVIRONMENT, file_actions=files)
            self.pidfd = os.pidfd_open(self.pid)
        except OSError as error:  # what has started without a pidfd ends by itself, or with the stub's time-out
            for fd in (self.out, self.err):
                if fd >= 0:
                    os.close(fd)
            raise NethookError(f"cannot run `{call}`: {error.strerror}") from None
        finally:
            if stdin >= 0:
                os.close(stdin)

    def result(self, *, ended: bool) -> Result:
        if not ended:
            os.kill(self.pid, 9)
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.pidfd)
        return Result(self.call, status if ended else None, _read(self.out), _read(self.err))


def _memory_file() -> int:
    return os.memfd_create("nethook")


def _write(fd: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]
    os.lseek(fd, 0, os.SEEK_SET)


def _read(fd: int) -> str:
    with os.fdopen(fd, "rb") as file:
        file.seek(0)
        return file.read().decode(errors="replace")


def find(name: str) -> str:
    """Return the path of a program, or of one with this absolute path; ToolMissingError if it is not installed."""
    if name.startswith("/"):
        if os.access(name, os.X_OK):
            return name
        raise ToolMissingError(f"{name} is not executable")
    for folder in SEARCHED:
        path = f"{folder}/{name}"
        if os.access(path, os.X_OK):
            return path
    raise ToolMissingError(f"the program {name} is not installed (looked in {':'.join(SEARCHED)})")


class Tools:
    """Runs programs until a common deadline, ``seconds`` from now, or later where there are many addresses.

    One program, or several side by side, may take ``call_seconds`` of that.
    """

    __slots__ = ("_addresses", "_call_seconds", "_seconds_per_address", "deadline")

    def __init__(self, seconds: float, seconds_per_address: float = 0.0, call_seconds: float = CALL_SECONDS) -> None:
        self.deadline = time.monotonic() + seconds
        self._call_seconds = call_seconds
        self._seconds_per_address = seconds_per_address
        self._addresses = 0

    def allow_for(self, addresses: int) -> None:
        """Give all programs together, and each, the time that so many addresses take."""
        more = max(0, addresses - self._addresses) * self._seconds_per_address
        self._addresses = max(addresses, self._addresses)
        self._call_seconds += more
        self.deadline += more

    @property
    def seconds_left(self) -> float:
        """Until the deadline."""
        return max(0.0, self.deadline - time.monotonic())

    def run(self, call: Call) -> Result:
        """Run one program to its end."""
        return self.start([call])()[0]

    def start(self, calls: Sequence[Call]) -> Callable[[], list[Result]]:
        """Start programs side by side. What is returned waits for all, and gives their results in order.

        ToolMissingError or another NethookError if one cannot be started; then none has been left running.
        """
        until = min(self.deadline, time.monotonic() + self._call_seconds)
        children: list[_Child] = []

        def results() -> list[Result]:
            return [child.result(ended=_wait(child.pidfd, until)) for child in children]

        try:
            for call in calls:
                children.append(_Child(call))  # one by one: if one is missing, those before it have started
        except NethookError:
            results()
            raise
        return results


def _wait(pidfd: int, until: float) -> bool:
    """Return whether the process ends before ``until`` (monotonic seconds)."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(max(0, (until - time.monotonic()) * 1000)))


def batch(lines: Sequence[str], family: str = "") -> Call:
    """Return the call that makes these changes. If the kernel refuses a line, the others are tried all the same.

    ``family`` is ``-4`` or ``-6``, for lines from which ip cannot tell.
    """
    return Call(("ip", *([family] if family else ()), "-force", "-batch", "-"), "\n".join(lines) + "\n")


def refusals(result: Result) -> dict[int, str]:
    """Return the lines of a batch that were refused (counted from 0), with what the kernel said."""
    refused: dict[int, str] = {}
    said: list[str] = []
    for line in result.err.splitlines():
        _, failed, number = line.rpartition("Command failed -:")
        if failed and number.isascii() and number.isdigit():
            refused[int(number) - 1] = "; ".join(said) or "refused"
            said = []
        else:
            said.append(line.removeprefix("RTNETLINK answers: ").removeprefix("Error: ").rstrip("."))
    return refused


def json_lists(result: Result, number: int) -> Iterator[list[dict[str, Any]]]:
    """Yield the first ``number`` lists that ``ip -json -batch`` printed, one for each line of the batch.

    ip prints empty objects for what it filters out: they are left out. ReadError for any other output.
    """
    import json  # noqa: PLC0415 - a hook never needs it

    rest = result.out.lstrip()
    for _ in range(number):
        try:
            listed, end = json.JSONDecoder().raw_decode(rest)
        except (ValueError, RecursionError):
            raise ReadError(result.not_understood) from None
        if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
            raise ReadError(result.not_understood)
        yield [entry for entry in listed if entry]
        rest = rest[end:].lstrip()
