"""Talk of a service with systemd: sd_notify(3)."""

from __future__ import annotations

import os
import socket


def tell(*lines: str) -> None:
    """Tell these lines, such as ``READY=1``. Do nothing where nobody listens; never fail."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.sendto("\n".join(lines).encode(errors="replace"), address)
    except OSError:  # the service works without
        return


def watchdog_seconds() -> float | None:
    """Return after how long a silence systemd takes this process for hung; None if it does not watch."""
    try:
        seconds = int(os.environ["WATCHDOG_USEC"]) / 1_000_000
        return seconds if int(os.environ.get("WATCHDOG_PID", os.getpid())) == os.getpid() else None
    except (KeyError, ValueError):
        return None


def reads_priorities() -> bool:
    """Return whether stderr is the journal, which understands ``<N>`` at the beginning of a line: sd-daemon(3)."""
    try:
        device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
        status = os.fstat(2)
        return (int(device), int(inode)) == (status.st_dev, status.st_ino)
    except (OSError, ValueError):
        return False
