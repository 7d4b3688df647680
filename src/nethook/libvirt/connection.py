"""Asking libvirt over its API, with its own Python binding.

Never from a hook, and never while our lock is held: libvirt would wait for a hook that waits for the lock. A read-only
connection is enough, and is open to users who are not root. https://libvirt.org/uri.html
"""

from __future__ import annotations

import sys
from importlib import import_module
from queue import Empty, Queue
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

from nethook.errors import NethookError

if TYPE_CHECKING:
    from collections.abc import Callable

Answer = TypeVar("Answer")

SECONDS = 110.0
"""At boot libvirt answers only when it has probed QEMU and started its networks, which takes a while on a slow host."""


class LibvirtError(NethookError):
    """libvirt cannot be asked."""


def ask(uri: str, question: Callable[[Any, Any], Answer], what: str, advice: str) -> Answer:
    """What ``question`` returns, which is called with the binding and a connection.

    LibvirtError if that takes too long or libvirt refuses; it says that libvirt does not tell ``what``, and ``advice``.
    """
    libvirt = binding()
    # By default the binding prints each error to stderr as well.
    libvirt.registerErrorHandler(lambda *_: None, None)

    def answer() -> Answer:
        connection = libvirt.openReadOnly(uri)
        try:
            return question(libvirt, connection)
        finally:
            connection.close()

    try:
        return _within(SECONDS, answer, advice)
    except libvirt.libvirtError as error:
        raise LibvirtError(f"libvirt does not tell {what}: {error}; {advice}") from None


def _within(seconds: float, answer: Callable[[], Answer], advice: str) -> Answer:
    """What is answered. libvirt's library waits without a limit, and not even Ctrl-C ends that: so a thread asks."""
    answered: Queue[tuple[Answer | None, BaseException | None]] = Queue()

    def run() -> None:
        try:
            answered.put((answer(), None))
        except BaseException as error:
            answered.put((None, error))

    Thread(target=run, daemon=True).start()
    try:
        result, error = answered.get(timeout=seconds)
    except Empty:
        raise LibvirtError(f"libvirt has not answered within {seconds:.0f} s; {advice}") from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


def binding() -> Any:
    """libvirt's own Python binding, which is a package of the distribution; LibvirtError where it is missing."""
    try:
        return import_module("libvirt")
    except ImportError:
        raise LibvirtError(
            f"libvirt's binding for {sys.executable} is not installed, without which it cannot be asked: "
            f"install {_package()}"
        ) from None


def _package() -> str:
    """How to install the binding on this distribution. https://www.freedesktop.org/software/systemd/man/os-release.html"""
    ids: list[str] = []
    try:
        with open("/etc/os-release", encoding="utf-8", errors="replace") as file:
            for line in file:
                key, _, value = line.strip().partition("=")
                if key in {"ID", "ID_LIKE"}:
                    ids += value.strip("\"'").split()
    except OSError:
        pass
    for distributions, command in (
        ({"debian", "ubuntu"}, "apt install python3-libvirt"),
        ({"fedora", "rhel", "centos"}, "dnf install python3-libvirt"),
        ({"suse", "opensuse", "sles"}, "zypper install python3-libvirt-python"),
    ):
        if distributions & set(ids):
            return f"it with `{command}`"
    return "the package that brings it (mostly called python3-libvirt)"
