"""Forwards of other files → lines of ``forwarded-ports``, with a comment for all that a person should read."""

from __future__ import annotations

import os
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from nethook.config.forwarded_ports import parse_forwarded_ports
from nethook.config.listening import ports_text, with_ports
from nethook.config.text import one_line
from nethook.config.writing import line_of, name_word
from nethook.importing.found import PROTOCOLS, Found, Remark
from nethook.prefix import BITS, Prefix

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from nethook.config.files import File
    from nethook.config.text import Problem
    from nethook.libvirt import Network

UNKNOWN_NETWORK = "NETWORK"
"""Stands for a network that is not known. ``nethook check`` says that libvirt has none of this name."""
ANY = {family: Prefix(family, 0, bits) for family, bits in BITS.items()}


class Lines:
    """Lines and comments.

    ``losses`` is the number of things that were not taken over, ``unknown`` that of lines without a known network.
    """

    def __init__(
        self,
        networks: Iterable[Network],
        own: Mapping[int, Prefix],
        macs: Mapping[tuple[str, str], Sequence[str]] = MappingProxyType({}),
        active: Collection[str] = (),
    ) -> None:
        """``networks`` are those of libvirt, ``own`` the address of the host for each IP family.

        ``macs`` are the MAC addresses of guests, by guest and network; ``active`` are names of networks that are up.
        """
        self.texts: list[str] = []
        self.losses = 0
        self.unknown = 0
        self._networks = list(networks)
        self._own = own
        self._macs = macs
        self._active = active

    @property
    def number(self) -> int:
        """The number of lines that are no comments."""
        return sum(not text.startswith("#") and text != "" for text in self.texts)

    def add(self, file: str, items: Iterable[Found | Remark]) -> None:
        """Add what this file has."""
        self.texts += [""] * bool(self.texts) + [_comment(f"imported from {file}")]
        block: list[Found | Remark] = []
        for item in items:
            if block and item.block != block[0].block:
                self._add_block(block)
                block = []
            block.append(item)
        self._add_block(block)

    def _add_block(self, block: Sequence[Found | Remark]) -> None:
        comments: dict[str, None] = {}
        for item in block:
            if isinstance(item, Remark):
                place = f"{os.path.basename(item.place.file)}:{item.place.line}:{item.place.column}"
                comments[_comment(f"{place}: {'not taken over: ' * item.is_loss}{item.text}")] = None
                self.losses += item.is_loss
        lines = []
        for found in _joined([item for item in block if isinstance(item, Found)]):
            line, remarks = self._line(found)
            lines.append(line)
            comments.update((_comment(remark), None) for remark in remarks)
        self.texts += [*comments, *lines]

    def _line(self, found: Found) -> tuple[str, list[str]]:
        """Return the line, and remarks about it."""
        remarks = []
        listening = found.listening
        if listening is None:
            family = found.target.family
            listening = self._own.get(family) or ANY[family]
            what = "any address of this host" if listening == ANY[family] else f"{listening}, the address of this host"
            remarks.append(f"public_ip is missing, so the lines below are for {what}")
        network = self._network_of(found)
        if network is None:
            self.unknown += 1
            where = f"with {found.target}" + (f" or bridge {found.bridge}" if found.bridge else "")
            remarks.append(f"no network of libvirt {where} is known: write its name instead of {UNKNOWN_NETWORK}")
        elif found.bridge and network.bridge != found.bridge:
            remarks.append(
                f"the file says {found.bridge}, but network {network.name} has bridge {network.bridge or '-'}"
            )
        text = with_ports(listening, found.ports)
        protocols = found.protocol if found.protocol != PROTOCOLS[0] else ""
        words = [
            f"{text}/{protocols}" if protocols else text,
            name_word(network.name) if network else UNKNOWN_NETWORK,
            *([f"guest={name_word(found.guest)}"] if found.guest else []),
            *self._to(found, network),
            *([f"from={','.join(source.text for source in found.sources)}"] if found.sources else []),
            *(["outgoing=yes"] if found.outgoing else []),
            *([f"proxy={found.proxy}"] if found.proxy else []),
        ]
        return line_of(words), remarks

    def _to(self, found: Found, network: Network | None) -> list[str]:
        """Return the option with address and ports of the guest, without what the line does not have to say."""
        macs = self._macs.get((found.guest, network.name), ()) if network else ()
        if macs and network and network.reserved(found.target.family, found.guest, macs)[0] == found.target.text:
            return [f"to={ports_text(found.to_ports)}"] if found.to_ports else []
        return [f"to={with_ports(found.target, found.to_ports)}"]

    def _network_of(self, found: Found) -> Network | None:
        """Return the network whose subnet has the guest's address, or else the one with the bridge.

        Networks that are not up may have the subnet, or the bridge, of another one.
        """
        lengths = {network: _length_around(found.target, network) for network in self._networks}
        around = [network for network in self._networks if lengths[network]]
        with_bridge = [network for network in self._networks if network.bridge and network.bridge == found.bridge]
        return min(
            around or with_bridge,
            key=lambda network: (
                network not in with_bridge,
                (found.guest, network.name) not in self._macs,
                network.name not in self._active,
                -lengths[network],
                network.name,
            ),
            default=None,
        )

    def check(self, path: str, before: bytes, others: Sequence[File]) -> list[Problem]:
        """Make comments of lines that are wrong, or have what another line has, and return problems of other lines.

        The lines will come after ``before``, the content of ``path``; ``others`` are files that are read after it.
        """
        start = before.count(b"\n")
        after = "".join(f"{text}\n" for text in self.texts).encode()
        _, problems = parse_forwarded_ports([(path, before + after), *others])
        foreign = []
        for problem in problems:
            number = problem.place.line - start - 1
            if problem.place.file != path or not 0 <= number < len(self.texts):
                foreign.append(problem)
            elif not self.texts[number].startswith("#"):
                what = f"{problem.what}; {problem.advice}"
                self.texts[number] = _comment(f"not taken over: {self.texts[number]}    ({what})")
                self.losses += 1
        return foreign


def _length_around(address: Prefix, network: Network) -> int:
    """Return the prefix length of the network's smallest subnet that has the address; 0 if none has it."""
    return max((subnet.length for subnet in network.subnets if address.lies_in(subnet)), default=0)


def _joined(block: Sequence[Found]) -> Iterator[Found]:
    """Yield the same with fewer lines: equal ports of TCP and UDP together, and single ports as lists."""
    protocols: dict[Found, list[str]] = {}
    for found in block:
        same = replace(found, place=block[0].place, to_ports=() if found.to_ports == found.ports else found.to_ports)
        protocols.setdefault(replace(same, protocol=""), []).append(found.protocol)
    lists: dict[Found, list[tuple[int, int]]] = {}
    for found, names in protocols.items():
        whole = replace(found, protocol=",".join(name for name in PROTOCOLS if name in names))
        if found.to_ports or not found.ports:
            lists[whole] = []
        else:
            lists.setdefault(replace(whole, ports=()), []).extend(found.ports)
    for found, ports in lists.items():
        yield replace(found, ports=tuple(dict.fromkeys(ports))) if ports else found


def _comment(text: str) -> str:
    return f"# {one_line(text)}"
