"""Ansible's way into a host of the lab, in place of SSH: the command that runs others in its namespaces."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path

from ansible.plugins.connection import ConnectionBase  # type: ignore[import-untyped]

DOCUMENTATION = """
name: lab
short_description: run tasks in a host of the lab
description: The environment variable LAB_COMMAND has the words of the command, as JSON.
options: {}
"""


class Connection(ConnectionBase):  # type: ignore[misc]
    """Runs each command by LAB_COMMAND."""

    transport = "lab"
    has_pipelining = True

    def _connect(self) -> Connection:
        self._connected = True
        return self

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        """Run a command of a shell; return its status, and what it prints."""
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        command = [*json.loads(os.environ["LAB_COMMAND"]), "sh", "-c", cmd]
        ended = subprocess.run(command, input=in_data or b"", capture_output=True, check=False)
        return ended.returncode, ended.stdout, ended.stderr

    def put_file(self, in_path: str, out_path: str) -> None:
        """Copy a file into the host."""
        status, _, err = self.exec_command(f"cat > {shlex.quote(out_path)}", Path(in_path).read_bytes())
        assert status == 0, err

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Copy a file out of the host."""
        status, out, err = self.exec_command(f"cat {shlex.quote(in_path)}")
        assert status == 0, err
        Path(out_path).write_bytes(out)

    def close(self) -> None:
        """End the connection, which is none."""
        self._connected = False
