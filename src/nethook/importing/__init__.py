"""Files of other port forwarders → lines of ``forwarded-ports``, for review.

Each format has a file: its reader yields what is forwarded (``Found``), and remarks about what is different or cannot
be taken over (``Remark``). ``compose`` makes lines of them. Nothing in here touches the machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nethook.importing import hooks_json, incus, kvm_scripts, mapping_json
from nethook.importing.json_text import read_json
from nethook.importing.tree import Node, Source
from nethook.importing.yaml_text import read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nethook.importing.found import Found, Remark

KNOWN = (
    "nethook imports hooks.json of libvirt-hook-qemu, mapping.json of libvirt-hook-nftables, scripts with addForward "
    "lines of kvm-scripts, and the output of `incus network forward show`"
)


def read_items(name: str, data: bytes) -> Iterator[Found | Remark]:
    """Yield what is in the file, and remarks, in the order of the file. ConfigError if it cannot be understood."""
    source = Source(name, data)
    start = source.first_significant
    if start in {"{", "["}:
        yield from _from_tree(read_json(source))
    elif kvm_scripts.is_one(source):
        yield from kvm_scripts.items(source)
    elif "listen_address:" in source.text:
        for document in read_yaml(source):
            yield from _from_tree(document)
    else:
        raise source.error(0, "the format of this file is unknown", KNOWN)


def _from_tree(top: Node) -> Iterator[Found | Remark]:
    for reader in (incus, mapping_json, hooks_json):
        if reader.is_one(top):
            yield from reader.items(top)
            return
    raise top.error("the format of this file is unknown", KNOWN)
