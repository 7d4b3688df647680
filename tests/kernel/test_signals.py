"""The tests' processes have the signals that they need, also below ``nohup``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.signals import IGNORED_BY_CALLERS

REPOSITORY = Path(__file__).parents[2]
INNER = """
import os, subprocess
from tests.signals import IGNORED_BY_CALLERS, keep_ignored_signals_from_children

def ignored():
    status = subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True, check=True).stdout
    mask = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigIgn:"))
    return [number.name for number in IGNORED_BY_CALLERS if mask & (1 << (number - 1))]

print(*ignored())
keep_ignored_signals_from_children()
print(*ignored())
for number in IGNORED_BY_CALLERS:
    os.kill(os.getpid(), number)
print("alive")
"""


def test_children_do_not_ignore_what_the_caller_of_the_tests_ignores() -> None:
    names = " ".join(number.name for number in IGNORED_BY_CALLERS)
    shell = 'trap "" HUP INT QUIT TERM; exec "$@"'
    argv = ["sh", "-c", shell, "sh", sys.executable, "-c", INNER]
    done = subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [names, "", "alive"]
