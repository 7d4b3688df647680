"""Which names a libvirt network or guest can have. Tried with libvirt 9.0: nearly all."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    Refusal = tuple[str, str]
    """What is wrong, and what to write instead."""

# libvirt keeps both in files NAME.xml, and the name of a file has at most 255 bytes (NAME_MAX).
_LONGEST = 255 - len(".xml")

SHOWN_BY = {"network": "virsh net-list --all", "guest": "virsh list --all"}


def name_refusal(name: str, of: str) -> Refusal | None:
    """Why no libvirt network or guest, whichever ``of`` says, can have this name; None if one can."""
    what = None
    if not name:
        what = f"the {of} name is empty"
    elif "/" in name:
        what = f"libvirt allows no / in the name of a {of}"
    elif not name.isprintable() and any(char < " " and char not in "\t\r" for char in name):
        # XML 1.0 has no way to write them, so libvirt cannot have been told such a name.
        what = f"a control character in the name of the {of}"
    elif len(name.encode()) > _LONGEST:
        what = f"the {of} name is longer than libvirt can store, {_LONGEST} bytes"
    return (what, f"write the name as {SHOWN_BY[of]} shows it") if what else None
