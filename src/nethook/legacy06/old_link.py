"""The link /etc/libvirt/hooks/network -> .../lv-setup-routed-ips of an installation of release 0.6."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nethook.install import confinement
from nethook.install.task import RefusedError, warn

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "lv-setup-routed-ips"
ADVICE = "to replace it: nethook install --yes"


def target(link: str) -> str | None:
    """Return the target of the link of release 0.6, existing or not; None if this is no such link."""
    try:
        leads_to = os.readlink(link)
    except OSError:  # nothing, or no link
        return None
    return os.path.realpath(link) if os.path.basename(leads_to) == NAME else None


def replace(link: str, leads_to: str, answer: Callable[[str], bool], *, only_place: bool) -> bool:
    """Ask whether to replace the link, and return the answer. After a no, print what it means.

    RefusedError if the link must be replaced: ``only_place`` tells that libvirt runs no other hook, or the link would
    keep guests from starting.
    """
    if answer(f"{link} is a link of release 0.6 to {leads_to}. Replace it?"):
        return True
    what = f"{link} is a link of release 0.6 to {leads_to}"
    if only_place:
        raise RefusedError(f"{what}, and libvirt before 6.5 runs no other hook; {ADVICE}")
    if not confinement.may_run(leads_to) and confinement.confines_libvirt_here():
        raise RefusedError(f"{what}, which AppArmor does not let libvirt run, so no guest would start; {ADVICE}")
    if os.path.exists(leads_to):
        warn(f"{what}, which libvirt runs in addition to the hook; {ADVICE}")
    else:
        warn(f"{what}, which does not exist; {ADVICE}")
    return False
