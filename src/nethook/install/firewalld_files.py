"""Our files for firewalld, a policy and ipsets, which it reads when it reloads.

Their names tell that they are ours. Files that a package of the distribution has installed are used as they are, and
ours give way to them.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from nethook.config import load
from nethook.errors import NethookError
from nethook.gates.firewalld import CONFIGURED
from nethook.gates.firewalld.files import PACKAGED, SETS, contents, policy_file, set_file
from nethook.gates.firewalld.gate import OBJECT, call, has_policy
from nethook.host.process import ToolMissingError, find
from nethook.install.own_files import holds, write
from nethook.install.task import Task, remove
from nethook.prefix import disjoint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nethook.host import Host
    from nethook.host.process import Tools

MODE = 0o644
BACKUP = ".old"
"""firewalld keeps a replaced file under its name with this suffix."""

_WITH_ENTRIES = frozenset(map(set_file, SETS.values()))
"""firewalld writes these files itself."""

RELOAD_SECONDS = 30
"""Longer than any program of ours may run, because a reload with many zones takes a while."""


def tasks(tools: Host) -> list[Task]:
    """Return the tasks that give firewalld our policy; none if it has the policy or is not installed."""
    if not is_installed():
        return []
    entries: dict[int, list[str]] = {family: [] for family in SETS}
    try:
        configuration = load(tools)
        is_wanted = configuration.settings.opens("firewalld")
        for prefix in disjoint(routed.prefix for routed in configuration.routed_ips):
            entries[prefix.family].append(prefix.text)
    except NethookError:  # `nethook apply` reports the mistake, and adds the entries
        is_wanted = True
    if not is_wanted:
        return []
    texts = contents(entries)
    todo, has_changed = _without_ours(texts) if is_packaged() else _with_ours(texts)
    present = has_policy(tools)
    if present is False or (has_changed and present is not None):
        todo.append(_reload(tools, present=True))
    return todo


def removal(tools: Tools) -> list[Task]:
    """Return the tasks that remove everything of ours from firewalld: the policy first, because it uses the ipsets."""
    names = reversed(contents(dict.fromkeys(SETS, ())))
    paths = [f"{CONFIGURED}/{name}{suffix}" for name in names for suffix in ("", BACKUP)]
    todo = [remove(path) for path in paths if os.path.isfile(path)]
    if todo and has_policy(tools) is not None:
        todo.append(_reload(tools, present=is_packaged()))
    return todo


def _with_ours(texts: Mapping[str, str]) -> tuple[list[Task], bool]:
    """Return the tasks that write files of ours with these texts, and whether firewalld has to read them."""
    todo = []
    for name, text in texts.items():
        path = f"{CONFIGURED}/{name}"
        is_kept = name in _WITH_ENTRIES and os.path.isfile(path)
        if not is_kept and not holds(path, text.encode(), MODE):
            todo.append(_write(path, text))
    return todo, bool(todo)


def _without_ours(texts: Mapping[str, str]) -> tuple[list[Task], bool]:
    """Return the tasks that remove files of ours, which would override a package's, and whether these differ."""
    paths = {f"{CONFIGURED}/{name}": text for name, text in texts.items() if name not in _WITH_ENTRIES}
    ours = [path for path in paths if os.path.isfile(path)]
    return [remove(path) for path in ours], any(not holds(path, paths[path].encode(), MODE) for path in ours)


def is_packaged() -> bool:
    """Return whether a package of the distribution has installed our policy."""
    return os.path.exists(f"{PACKAGED}/{policy_file()}")


def can_look() -> bool:
    """Return whether we may look into firewalld's folder, which most distributions show to root only."""
    return not os.path.isdir(CONFIGURED) or os.access(CONFIGURED, os.X_OK)


def is_installed() -> bool:
    """Return whether this host has firewalld, running or not."""
    try:
        find("firewalld")
    except ToolMissingError:
        return False
    return os.path.isdir(CONFIGURED)


def _write(path: str, text: str) -> Task:
    return Task(f"write {path}", f"+ {path}", lambda: write(path, text.encode(), MODE, CONFIGURED, lambda _: None))


def _reload(tools: Tools, *, present: bool) -> Task:
    """Return the task that reloads firewalld, and fails unless our policy is then there (``present``) or gone."""

    def run() -> None:
        result = tools.run(call(OBJECT, "", "reload"))
        until = time.monotonic() + RELOAD_SECONDS
        while result.status is None and time.monotonic() < until:
            result = tools.run(call(OBJECT, ".policy", "getPolicies"))  # answered when the reload is over
        if result.status != 0:
            raise NethookError(result.failure)
        if has_policy(tools) is not present:
            raise NethookError("firewalld did not accept our files; see `journalctl -u firewalld`")

    return Task("reload firewalld", "reloaded firewalld", run)
