"""A warning of a program of the setting ``on-change`` that would not be run when addresses come or go."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nethook.config.text import Problem
from nethook.engine.on_change import why_not_trusted
from nethook.host.process import ToolMissingError, find

if TYPE_CHECKING:
    from nethook.config import Settings
    from nethook.host import Host

SETTING = "on-change"
ADVICE = "correct that, or remove the setting: the program is not told which addresses come and go"


def change_program_warnings(settings: Settings, host: Host) -> list[Problem]:
    """Return a warning, in the words of the journal, if the program would not be run.

    Other users than root cannot know that: they may not see the program, and who may run it is no matter.
    """
    path = settings.on_change
    failure = _hindrance(path, host) if path and os.geteuid() == 0 else ""
    return [Problem(settings.places[SETTING], f"warning: {SETTING}: {failure}", ADVICE)] if failure else []


def _hindrance(path: str, host: Host) -> str:
    """Return why the program would not be run; '' if it would be."""
    why = why_not_trusted(path, host)
    if why:
        return why
    try:
        find(path)
    except ToolMissingError as error:
        return str(error)
    return ""
