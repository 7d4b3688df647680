"""The fake host: the same methods as ``host/__init__.py``, on a kernel, tools and files in memory.

One instance stands for the machine, so it is used for several runs. Its deadline is far away: nothing takes time.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from nethook.errors import NethookError, ReadError
from nethook.host.conntrack import Deleted, described
from nethook.host.fake.answer import Refused
from nethook.host.fake.faults import DELETION, Fault, Touch
from nethook.host.fake.files import FakeLock, FakeRecordLock, FakeVersion, error_of
from nethook.host.fake.kernel import IPV6
from nethook.host.fake.machine import IPTABLES, Machine
from nethook.host.layout import NAME
from nethook.host.lock import FOLDER, MISSED
from nethook.host.nftables import Table, decoded
from nethook.host.sockets import SSHD
from nethook.host.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from nethook.host.addresses import Address
    from nethook.host.files import Stamp
    from nethook.host.layout import SetType
    from nethook.host.links import Link
    from nethook.host.lock import Locked, Version
    from nethook.host.netlink import Key
    from nethook.host.nftables import Element, Elements, ForeignChain
    from nethook.host.routes import RouteGroup, RoutingRule
    from nethook.host.sockets import Socket

IPTABLES_NFT = {"ip": "iptables-nft", "ip6": "ip6tables-nft"}
LEGACY_NAMES = {f"/proc/self/net/{'ip6' if '6' in tool else 'ip'}_tables_names": tool for tool in IPTABLES[1::2]}


class FakeHost(Machine):
    """The fake host: what a run asks of it that is not a program's."""

    __slots__ = ()

    # Our tables

    def tables(self) -> set[str]:
        """Return the families in which there is a table of ours. ReadError."""
        return self._ask("tables", lambda: {family for family, name in self.nftables.tables if name == NAME})

    def table(self, family: str, sets: Mapping[str, SetType]) -> Table | None:
        """Return our nftables table of this family, with these sets; None if there is none. ReadError."""
        return self._ask(f"table {family}", lambda: self._table(family, sets))

    def _table(self, family: str, sets: Mapping[str, SetType]) -> Table | None:
        there = self.nftables.tables.get((family, NAME))
        if there is None:
            return None
        found = Table(sets)
        for name, chain in there.chains.items():
            if chain.rules:
                found.comments[name] = [rule.comment for rule in chain.rules]
        for name in sets.keys() & there.sets.keys():
            found.elements[name] = set(there.sets[name].elements)
        return found if found.comments or sets.keys() & there.sets.keys() else None

    def elements(self, family: str, sets: Mapping[str, SetType]) -> Elements | None:
        """Return the elements of these sets of our table; None if one of them is not there. ReadError."""
        return self._ask(f"elements {family}", lambda: self._elements(family, sets))

    def _elements(self, family: str, sets: Mapping[str, SetType]) -> Elements | None:
        there = self.nftables.tables.get((family, NAME))
        if there is None or sets.keys() - there.sets.keys():
            return None
        return {name: set(there.sets[name].elements) for name in sets}

    def traffic(self, family: str, sets: Mapping[str, SetType]) -> list[tuple[str, Element, Traffic]]:
        """Return each element of these sets of our table with what it has counted: nothing passes here."""
        found = self.elements(family, sets) or {}
        return [(name, element, Traffic(0, 0)) for name in found for element in sorted(found[name])]

    def change_elements(self, family: str, new: Mapping[str, Sequence[Key]], gone: Mapping[str, Sequence[Key]]) -> None:
        """Add and delete elements with these keys, by set of our table, in one transaction. ReadError if refused."""
        self._ask("change of elements", lambda: self._change_elements(family, new, gone), changes=True)

    def _change_elements(
        self, family: str, new: Mapping[str, Sequence[Key]], gone: Mapping[str, Sequence[Key]]
    ) -> None:
        key = (family, NAME)
        try:
            table = self.nftables.tables[key].copy()
            for sets, verb in ((new, "add"), (gone, "delete")):
                for name, keys in sets.items():
                    for each in keys:
                        getattr(table.sets[name], verb)(decoded(table.sets[name].fields, each))
        except (KeyError, Refused):
            raise ReadError("cannot change nftables: No such file or directory") from None
        self.nftables.tables[key] = table

    # Tables of other programs

    def chain(self, family: str, table: str, name: str) -> ForeignChain | None:
        """Return a chain of another program; None if there is none."""
        return self._ask(f"chain {family} {table} {name}", lambda: self._chain(family, table, name))

    def _chain(self, family: str, table: str, name: str) -> ForeignChain | None:
        there = self.nftables.tables.get((family, table))
        return there.chains[name].as_read if there and name in there.chains else None

    def has_chain(self, family: str, table: str, name: str) -> bool:
        """Return whether nftables has this chain, maybe one of iptables-nft."""
        iptables = self.iptables[IPTABLES_NFT[family]].chains.get(table, {}) if family in IPTABLES_NFT else {}
        return self._ask(
            f"existence of chain {family} {table} {name}",
            lambda: name in iptables or self._chain(family, table, name) is not None,
        )

    # Devices, addresses, routes

    def families(self) -> tuple[int, ...]:
        """Return the IP families of this kernel."""
        return (4, 6) if self.has_ipv6_at_all else (4,)

    def has_ipv6(self, device: str) -> bool:
        """Return whether the device has IPv6, on or off."""
        return f"{IPV6}/{device}/disable_ipv6" in self.kernel.settings

    def links(self) -> list[Link]:
        """Return all network devices."""
        return self._ask("devices", self._links)

    def _links(self) -> list[Link]:
        for link in self.kernel.links.values():
            link.is_up = link.name not in self.kernel.down
        return list(self.kernel.links.values())

    def number_of(self, device: str) -> int:
        """Return the number of this device; 0 if there is none."""
        return self.kernel.links[device].number if device in self.kernel.links else 0

    def addresses(self) -> list[Address]:
        """Return all addresses of this host."""
        return self._ask("addresses", lambda: list(self.kernel.addresses))

    def sockets(self) -> list[Socket]:
        """Return the sockets that programs of this host have opened."""
        return self._ask("sockets", lambda: list(self.opened))

    def ssh_peers(self) -> set[str]:
        """Return the peers of the sockets of sshd."""
        of_sshd = (each for each in self.opened if each.program.startswith(SSHD) and not each.is_listening)
        return self._ask("sockets", lambda: {each.peer for each in of_sshd})

    def routes(self, protocol: int) -> list[RouteGroup]:
        """Return the routes with this protocol number, but for shapes that we do not make."""
        return self._ask("routes", lambda: self.kernel.route_groups(protocol))

    def next_hops(self) -> set[tuple[str, str]]:
        """Return address and device of each next hop of routes, but for those of routing daemons."""
        return self._ask(
            "next hops",
            lambda: {(route.via, route.device) for route in self.kernel.routes if route.via and route.protocol <= 16},
        )

    def routing_rules(self, protocol: int) -> list[RoutingRule]:
        """Return the routing rules with this protocol number."""
        return self._ask("routing rules", lambda: self.kernel.routing_rules(protocol))

    def permanent_neighbours(self, protocol: int) -> list[tuple[str, str, str]]:
        """Return address, device and MAC of each permanent neighbour entry with this protocol number."""
        return self._ask(
            "neighbours",
            lambda: [
                (address, device, entry.mac)
                for (address, device), entry in self.kernel.neighbours.items()
                if entry.is_permanent and entry.protocol == protocol
            ],
        )

    def proxies(self, protocol: int) -> list[tuple[str, str]]:
        """Return address and uplink of each proxy entry with this protocol number."""
        return self._ask("proxies", lambda: [key for key, value in self.kernel.proxies.items() if value == protocol])

    def unanswered(self, seconds: float) -> set[tuple[str, str]]:
        """Return none: on this host nobody asks for neighbours."""
        del seconds
        return self._ask("neighbours", set)

    def answering_devices(self) -> set[str]:
        """Return the devices with proxy entries for IPv6, ours or of others."""
        return self._ask("proxies", lambda: {device for address, device in self.kernel.proxies if ":" in address})

    def announce(self, address: str, uplink: str) -> None:
        """Note the announcement."""
        self.announced.append((address, uplink))

    def delete_connections(self, lines: Sequence[str], seconds: float) -> Deleted:
        """Delete the tracked connections that these lines describe. If it hangs, it comes to the first line only."""
        del seconds
        fault = self._begin(Touch(DELETION, by_tool=False, changes=True))
        if fault is Fault.FAILS:
            return Deleted(dict.fromkeys(lines, 0), lines, "cannot change tracked connections: injected failure")
        reached = len(lines) if fault is not Fault.HANGS else 1
        counts = {line: self._delete(line) if at < reached else 0 for at, line in enumerate(lines)}
        self._end(fault)
        return Deleted(counts, lines[reached:])

    def _delete(self, line: str) -> int:
        before, about = len(self.connections), described(line)
        self.connections = [each for each in self.connections if not any(some.match(each) for some in about)]
        return before - len(self.connections)

    # Files

    def read(self, path: str) -> str | None:
        """Return the text of a file; None if there is none. OSError if it cannot be read."""
        return self._file("read", path, lambda: self._text(path))

    def _text(self, path: str) -> str | None:
        if path in self.kernel.settings:
            return f"{self.kernel.settings[path]}\n"
        if path in LEGACY_NAMES:
            return "".join(f"{table}\n" for table in self.iptables[LEGACY_NAMES[path]].chains) or None
        return self.files.texts.get(path)

    def write(self, path: str, text: str) -> None:
        """Write into a file that is there; OSError if that fails."""

        def do() -> None:
            if path not in self.kernel.settings:
                raise error_of(errno.ENOENT, path)
            self.kernel.write_setting(path, text)

        self._file("write", path, do, changes=True)

    def has_listener(self, path: str) -> bool:  # noqa: ARG002 - as the real one
        """Return False: no program listens at any Unix socket."""
        return False

    def has_file(self, path: str) -> bool:
        """Return whether there is such a file or folder."""
        folders = {each.rpartition("/")[0] for each in self.files.texts}
        return path in self.files.texts or path in self.kernel.settings or path in folders

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder. OSError."""
        return self._file("list", folder, lambda: self.files.names(folder))

    def recorded(self, path: str) -> str:
        """Return the text of a file of ours; '' if there is none. OSError."""
        return self._file("read", path, lambda: self.files.texts.get(path, ""))

    def record(self, path: str, text: str) -> None:
        """Make a file of ours hold this text. OSError if that fails."""
        self._file("record", path, lambda: self.files.record(path, text), changes=True)

    def version(self, path: str) -> Version:
        """Return the file of ours as it is now, for a ``with`` block. ReadError."""
        return self._ask(f"open {path}", lambda: FakeVersion(self.files, path))

    def publish(self, path: str, text: str) -> None:
        """Make a file that everybody may read hold this text. OSError if that fails."""
        self._file("publish", path, lambda: self.files.record(path, text), changes=True)

    def remove(self, path: str) -> None:
        """Remove a file of ours, if it is there; OSError if that fails."""
        self._file("remove", path, lambda: self.files.remove(path), changes=True)

    # Files that an administrator writes

    def trusted(self, path: str) -> bytes | None:
        """Return the content of the file; None if there is none. OSError."""
        return self._file("read", path, lambda: self.files.content(path))

    def has_trusted(self, path: str) -> bool:
        """Return whether there is such a program. OSError."""
        return self._file("examine", path, lambda: path in self.files.texts)

    def listing(self, folder: str) -> list[str] | None:
        """Return the names in the folder, sorted; None if there is none. OSError."""
        return self._file("list", folder, lambda: self.files.names(folder) or None)

    def replace(self, path: str, data: bytes) -> None:
        """Make the file hold this, in one step. OSError."""
        text = data.decode("utf-8", "surrogateescape")
        self._file("replace", path, lambda: self.files.record(path, text), changes=True)

    def edited(self, name: str, data: bytes) -> bytes:
        """Return what the next of the ``editors`` makes of this content."""
        return self._file("edit", name, lambda: self.editors.pop(0)(data), changes=True)

    def has_folder(self, path: str) -> bool:
        """Return whether there is such a folder: one with files."""
        return bool(self.files.names(path))

    def stamp(self, paths: Iterable[str]) -> list[Stamp]:
        """Return the state of these files and of those in their ``.d`` folders."""
        return self.files.state_of(paths)

    # Locks, time, log

    def locked(self, as_of: int | None = None) -> Locked:
        """Return the lock of runs, for a ``with`` block; NethookError if it cannot be had."""
        error = NethookError(f"cannot lock {FOLDER}: injected failure; nothing was changed")
        return self._touched("lock", lambda: FakeLock(self.files, as_of), error, changes=False)

    def last_run(self) -> int:
        """Return when the last run was; 0 if there was none."""
        return self.files.stamp

    def take_missed(self) -> bool:
        """Return whether a run has given up waiting for the lock since this was asked last."""
        has_missed = MISSED in self.files.texts
        self.files.remove(MISSED)
        return has_missed

    def record_locked(self) -> AbstractContextManager[None]:
        """Return the lock of the record, for a ``with`` block; OSError if it cannot be had."""
        return self._file("lock", FOLDER, lambda: FakeRecordLock(self.files))

    def now(self) -> float:
        """Return a time, which passes only when the folder of the lock changes."""
        return float(self.files.time)

    def log(self, priority: int, lines: Iterable[str]) -> None:
        """Keep each line with its priority."""
        self.logged += [(priority, line) for line in lines]
