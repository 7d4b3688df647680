"""The running guests of libvirt, as far as status asks: those that are paused, and the taps of all.

https://libvirt.org/html/libvirt-libvirt-domain.html (virConnectListAllDomains)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nethook.errors import NethookError
from nethook.libvirt.details import taps_of
from nethook.libvirt.live import GUESTS_URI, binding, within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from nethook.libvirt.details import Tap

SECONDS = 5.0
"""libvirt has answered already when it is asked this, so it does at once, or not at all."""


def paused_guests() -> set[str]:
    """Return the names of the guests that are paused; none if libvirt does not tell."""
    found: set[str] = _listed("PAUSED", lambda guests: {guest.name() for guest in guests}) or set()
    return found


def running_taps() -> Mapping[str, Sequence[Tap]]:
    """Return the taps of each running guest, by its name; nothing if libvirt does not tell."""
    found: dict[str, Sequence[Tap]] = _listed("ACTIVE", lambda guests: dict(map(_with_taps, guests))) or {}
    return found


def _with_taps(guest: Any) -> tuple[str, Sequence[Tap]]:
    try:
        return guest.name(), taps_of(guest.XMLDesc())
    except binding().libvirtError:  # it has stopped meanwhile
        return guest.name(), ()


def _listed(flag: str, read: Callable[[Iterable[Any]], Any]) -> Any:
    """Return what ``read`` makes of the guests in this state; None if libvirt does not answer, as without QEMU."""
    try:
        libvirt = binding()
        return within(SECONDS, lambda: _ask(libvirt, f"VIR_CONNECT_LIST_DOMAINS_{flag}", read))
    except NethookError:
        return None


def _ask(libvirt: Any, flag: str, read: Callable[[Iterable[Any]], Any]) -> Any:
    try:
        connection = libvirt.openReadOnly(GUESTS_URI)
        try:
            return read(connection.listAllDomains(getattr(libvirt, flag)))
        finally:
            connection.close()
    except libvirt.libvirtError:
        return None
