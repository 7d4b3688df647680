"""How many frames with which marks arrive somewhere, counted by the program frames.c."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Callable

Shell = Callable[[str], str]
"""Runs a shell command somewhere and returns its output."""


@contextmanager
def counted_frames(shell: Shell, program: str, device: str, marks: Sequence[bytes]) -> Iterator[dict[bytes, int]]:
    """Count on a device for the time of the block; the numbers are there behind it."""
    found: dict[bytes, int] = {}
    file = shell("mktemp -u").strip()
    pid = shell(f"{program} count {device} {file} {' '.join(mark.hex() for mark in marks)}").strip()
    try:
        yield found
    finally:
        numbers = shell(f"kill {pid}; until [ -e {file} ]; do sleep 0.1; done; cat {file}; rm {file}").split()
    found.update(zip(marks, map(int, numbers)))
