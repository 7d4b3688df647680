"""The loop of nethook-firewalld.service, with commands in its PATH that write down that they were called."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

from nethook.installation import units

SIGNALS = 3
COMMANDS = {
    "busctl": f"for each in $(seq {SIGNALS}); do echo signal; done; exec /bin/sleep infinity",
    "systemctl": 'echo "$@" >>applied',
    "sleep": '[ "$1" = 0 ] || exec /bin/sleep infinity',
}


def _script() -> str:
    """What the shell is given, without systemd's quotes."""
    found = re.search(r"^ExecStart=/bin/sh -c '(.*?[^\\])'$", units.text(units.FIREWALLD, ""), re.M | re.S)
    assert found is not None
    return found[1].replace("\\\n", "").replace("\\'", "'").replace("$$", "$")


def test_each_signal_is_answered_at_once(tmp_path: Path) -> None:
    for name, does in COMMANDS.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    loop = subprocess.Popen(
        ["/bin/sh", "-c", _script()],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        cwd=tmp_path,
        start_new_session=True,
    )
    try:
        applied = tmp_path / "applied"
        deadline = time.monotonic() + 30
        while not applied.exists() or len(applied.read_text().splitlines()) < SIGNALS:
            assert time.monotonic() < deadline, "a signal waited for the pauses of the one before"
            time.sleep(0.05)
        assert set(applied.read_text().splitlines()) == {"reload-or-restart nethook.service"}
    finally:
        os.killpg(loop.pid, signal.SIGKILL)
        loop.wait()
