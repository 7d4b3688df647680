"""Which names a libvirt network can have. Tried with libvirt 9.0: nearly all."""

from __future__ import annotations

from nethook.config.lines import LineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nethook.config.words import Word

# libvirt keeps a network in a file NAME.xml, and the name of a file has at most 255 bytes (NAME_MAX).
_LONGEST = 255 - len(".xml")


def check_network_name(word: Word, errors: list[LineError]) -> None:
    """Append to ``errors`` why no libvirt network can have this name, if so."""
    name = word.text
    what = None
    if not name:
        what = "the network name is empty"
    elif "/" in name:
        what = "libvirt allows no / in the name of a network"
    elif not name.isprintable() and any(char < " " and char not in "\t\r" for char in name):
        # XML 1.0 has no way to write them, so libvirt cannot have been told such a name.
        what = "a control character in the name of the network"
    elif len(name.encode()) > _LONGEST:
        what = f"the network name is longer than libvirt can store, {_LONGEST} bytes"
    if what:
        errors.append(LineError(word.column, what, "write the name as virsh net-list --all shows it"))
