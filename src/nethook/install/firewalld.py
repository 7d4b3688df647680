"""The files for firewalld: its policy and ipsets, which it takes at a reload.

They are known as ours by their names. Where a package of the distribution has brought them, they are not written.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from nethook.config import load
from nethook.config.settings import GATES
from nethook.errors import NethookError
from nethook.gates.firewalld import CONFIGURED
from nethook.gates.firewalld.files import PACKAGED, SETS, contents, policy_file, set_file
from nethook.gates.firewalld.gate import OBJECT, call, has_policy
from nethook.host.process import ToolMissingError, find
from nethook.install.ownership import holds
from nethook.install.step import Step, remove
from nethook.install.writing import write
from nethook.net.prefixes import disjoint

if TYPE_CHECKING:
    from nethook.host.process import Tools

MODE = 0o644
BACKUP = ".old"
"""firewalld keeps what it has replaced in a file with this behind its name."""

RELOAD_SECONDS = 30
"""Longer than we let one program run: with many zones it takes a while."""


def steps(tools: Tools) -> list[Step]:
    """What is to be done so that firewalld has our policy; nothing where it has, or is not installed."""
    if not is_installed():
        return []
    entries: dict[int, list[str]] = {family: [] for family in SETS}
    try:
        configuration = load()
        wanted = configuration.settings.gates
        for prefix in disjoint(routed.prefix for routed in configuration.routed_ips):
            entries[prefix.family].append(prefix.text)
    except NethookError:  # `nethook apply` will tell, and bring the entries
        wanted = GATES
    if "firewalld" not in wanted:
        return []
    todo = []
    if not os.path.exists(f"{PACKAGED}/{policy_file()}"):
        for name, text in contents(entries).items():
            path = f"{CONFIGURED}/{name}"
            is_kept = name in map(set_file, SETS.values()) and os.path.isfile(path)  # firewalld itself writes entries
            if not is_kept and not holds(path, text.encode(), MODE):
                todo.append(_write(path, text))
    present = has_policy(tools)
    if present is False or (todo and present is not None):
        todo.append(_reload(tools, present=True))
    return todo


def removal(tools: Tools) -> list[Step]:
    """What is to be done so that firewalld has nothing of ours; the policy goes first, because it needs the ipsets."""
    names = reversed(contents(dict.fromkeys(SETS, ())))
    paths = [f"{CONFIGURED}/{name}{suffix}" for name in names for suffix in ("", BACKUP)]
    todo = [remove(path) for path in paths if os.path.isfile(path)]
    if todo and has_policy(tools) is not None:
        todo.append(_reload(tools, present=os.path.exists(f"{PACKAGED}/{policy_file()}")))
    return todo


def can_look() -> bool:
    """Whether we may see firewalld's files, which distributions show to root only."""
    return not os.path.isdir(CONFIGURED) or os.access(CONFIGURED, os.X_OK)


def is_installed() -> bool:
    """Whether this host has firewalld, running or not."""
    try:
        find("firewalld")
    except ToolMissingError:
        return False
    return os.path.isdir(CONFIGURED)


def _write(path: str, text: str) -> Step:
    return Step(f"write {path}", f"+ {path}", lambda: write(path, text.encode(), MODE, CONFIGURED, lambda _: None))


def _reload(tools: Tools, *, present: bool) -> Step:
    """Have firewalld read its files; afterwards our policy has to be ``present``, or not."""

    def take() -> None:
        result = tools.run(call(OBJECT, "", "reload"))
        until = time.monotonic() + RELOAD_SECONDS
        while result.status is None and time.monotonic() < until:
            result = tools.run(call(OBJECT, ".policy", "getPolicies"))  # answered when the reload is over
        if result.status != 0:
            raise NethookError(result.failure)
        if has_policy(tools) is not present:
            raise NethookError("firewalld has not taken our files; `journalctl -u firewalld` tells why")

    return Step("reload firewalld", "reloaded firewalld", take)
