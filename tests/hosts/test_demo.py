"""`make demo`, as people run it: to its end, and stopped in the middle."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab.hosts.footprint import HOME

pytestmark = pytest.mark.hosts

DEMO = [sys.executable, "-m", "demo"]
REPOSITORY = Path(__file__).parents[2]


def left_by(pid: int) -> list[str]:
    """What the run with this process number has left behind: every footprint begins with it."""
    namespaces = Path("/run/netns").glob(f"nethook-{pid}-*")
    return [str(path) for path in (*HOME.glob(f"{pid}-*"), *namespaces)]


def test_out_of_reach_before_and_reachable_after() -> None:
    with subprocess.Popen(DEMO, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as demo:
        told, _ = demo.communicate(timeout=240)
    assert demo.returncode == 0, told
    before, _, after = told.partition("2. The hook")
    assert before.count("no answer") == 1
    assert "+ route 203.0.113.10 → br-public" in after
    assert after.count("web1 192.0.2.1") == 2
    assert after.count("      203.0.113.10\n") == 2
    assert left_by(demo.pid) == []


def test_ctrl_c_cleans_up() -> None:
    with subprocess.Popen(DEMO, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout
        for line in demo.stdout:
            if "Running against daemon" in line:
                break
        assert left_by(demo.pid)
        demo.send_signal(signal.SIGINT)
        told = demo.stdout.read()
    assert demo.returncode == 130
    assert "Stopped; everything has been removed." in told
    assert left_by(demo.pid) == []
