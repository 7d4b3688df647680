"""The edge: everything by which a run touches the machine, behind one interface.

``fake/`` has a host in memory that behaves as this one does.
"""

from __future__ import annotations

import os
import syslog
import time

from nethook.host import addresses, files, links, lock, nftables, routes
from nethook.host.process import ToolMissingError, Tools, find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from nethook.host.addresses import Address
    from nethook.host.conntrack import Deleted
    from nethook.host.files import Stamp
    from nethook.host.layout import SetType
    from nethook.host.links import Link
    from nethook.host.netlink import Key
    from nethook.host.nftables import Element, Elements, ForeignChain, Table
    from nethook.host.routes import RouteGroup, RoutingRule
    from nethook.host.sockets import Socket
    from nethook.host.traffic import Traffic


class Host(Tools):
    """This machine, until a deadline for all programs together (see ``Tools``)."""

    __slots__ = ()

    def has_program(self, name: str) -> bool:
        """Return whether this program is installed."""
        try:
            return bool(find(name))
        except ToolMissingError:
            return False

    # Our tables

    def tables(self) -> set[str]:
        """Return the families (nft's words) in which there is a table of ours. ReadError."""
        return nftables.tables()

    def table(self, family: str, sets: Mapping[str, SetType]) -> Table | None:
        """Return our nftables table of this family (nft's word), with these sets; None if there is none. ReadError."""
        return nftables.read_table(family, sets)

    def elements(self, family: str, sets: Mapping[str, SetType]) -> Elements | None:
        """Return the elements of these sets of our table; None if one of them is not there. ReadError."""
        return nftables.read_elements(family, sets)

    def change_elements(self, family: str, new: Mapping[str, Sequence[Key]], gone: Mapping[str, Sequence[Key]]) -> None:
        """Add and delete elements with these keys, by set of our table, in one transaction. ReadError if refused.

        Keys are ``encoded`` (``nftables.py``).
        """
        nftables.change_elements(family, new, gone)

    def traffic(self, family: str, sets: Mapping[str, SetType]) -> list[tuple[str, Element, Traffic]]:
        """Return each element of these sets of our table with what it has counted, and the set's name. ReadError."""
        from nethook.host.traffic import read_traffic  # noqa: PLC0415 - no run needs it

        return read_traffic(family, sets)

    # Tables of other programs

    def chain(self, family: str, table: str, name: str) -> ForeignChain | None:
        """Return a chain of another program; None if there is none. ReadError. ``family`` is nft's word."""
        return nftables.read_chain(family, table, name)

    def has_chain(self, family: str, table: str, name: str) -> bool:
        """Return whether nftables has this chain, maybe one of iptables-nft. ReadError. ``family`` is nft's word."""
        return nftables.has_chain(family, table, name)

    # Devices, addresses, routes

    def families(self) -> tuple[int, ...]:
        """Return the IP families of this kernel: 4 and 6, or 4 alone."""
        return links.available()

    def has_ipv6(self, device: str) -> bool:
        """Return whether the device has IPv6, on or off."""
        return links.has_ipv6(device)

    def links(self) -> list[Link]:
        """Return all network devices; ReadError if they cannot be known."""
        return links.links()

    def number_of(self, device: str) -> int:
        """Return the number of this device; 0 if there is none."""
        return links.number_of(device)

    def addresses(self) -> list[Address]:
        """Return all addresses of this host; ReadError if they cannot be known."""
        return addresses.addresses()

    def routes(self, protocol: int) -> list[RouteGroup]:
        """Return the routes with this protocol number, alike ones together, but for shapes that we do not make.

        ReadError if they cannot be known.
        """
        return routes.routes(protocol)

    def next_hops(self) -> set[tuple[str, str]]:
        """Return address and device of each next hop of this host's routes; ReadError if they cannot be known."""
        return routes.next_hops()

    def routing_rules(self, protocol: int) -> list[RoutingRule]:
        """Return the routing rules with this protocol number; ReadError if they cannot be known."""
        return routes.routing_rules(protocol)

    def permanent_neighbours(self, protocol: int) -> list[tuple[str, str, str]]:
        """Return address, device and MAC of each permanent neighbour entry with this protocol number. ReadError."""
        return [*addresses.permanent_entries(protocol)]

    def proxies(self, protocol: int) -> list[tuple[str, str]]:
        """Return address and uplink of each proxy entry with this protocol number. ReadError."""
        return [*addresses.proxy_entries(protocol)]

    def unanswered(self, seconds: float) -> set[tuple[str, str]]:
        """Return address and device of each neighbour that was asked for within these seconds in vain. ReadError."""
        return {*addresses.unanswered(seconds)}

    def answering_devices(self) -> set[str]:
        """Return the devices with proxy entries for IPv6, ours or of others. ReadError."""
        return {device for address, device in addresses.proxy_entries(None) if ":" in address}

    def announce(self, address: str, uplink: str) -> None:
        """Tell the uplink's network that the address is here now. Never fails: who does not hear it, asks later."""
        try:
            from nethook.host.announcement import announce  # noqa: PLC0415 - seldom needed
        except ImportError:  # the package is being replaced; the entries answer whoever asks
            return
        announce(address, uplink)

    def sockets(self) -> list[Socket]:
        """Return the sockets of this host's programs, as ``sockets.py`` says; ReadError if they cannot be read."""
        from nethook.host.sockets import sockets  # noqa: PLC0415 - few runs need them

        return sockets()

    def ssh_peers(self) -> set[str]:
        """Return the addresses from which somebody is connected by SSH. ReadError if they cannot be read."""
        from nethook.host.sockets import ssh_peers  # noqa: PLC0415 - few runs need them

        return ssh_peers()

    def has_listener(self, path: str) -> bool:
        """Return whether a program listens at the Unix socket with this path: the file alone may be left of one."""
        from nethook.host.sockets import has_listener  # noqa: PLC0415 - few runs need it

        return os.path.exists(path) and has_listener(path)

    def delete_connections(self, lines: Sequence[str], seconds: float) -> Deleted:
        """Delete the tracked connections that these lines describe (``conntrack.py``), for at most so long."""
        from nethook.host.conntrack import delete_connections  # noqa: PLC0415 - seldom needed

        return delete_connections(lines, time.monotonic() + min(seconds, self.seconds_left))

    # Files

    def read(self, path: str) -> str | None:
        """Return the text of a file; None if there is none. OSError if it cannot be read."""
        return files.read(path)

    def write(self, path: str, text: str) -> None:
        """Write into a file that is there, such as a setting of the kernel; OSError if that fails."""
        files.write(path, text)

    def has_file(self, path: str) -> bool:
        """Return whether there is such a file or folder."""
        return os.path.exists(path)

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder; none if there is no such folder. OSError."""
        return files.names(folder)

    def recorded(self, path: str) -> str:
        """Return the text of a file of ours, with whatever bytes names consist of; '' if there is none. OSError."""
        return files.recorded(path)

    def record(self, path: str, text: str) -> None:
        """Make a file of ours hold this text, in one step; OSError if that fails. The caller holds the lock."""
        files.record(path, text)

    def version(self, path: str) -> lock.Version:
        """Return the file of ours as it is now, for a ``with`` block: see ``lock.Version``. ReadError."""
        return lock.Version(path)

    def publish(self, path: str, text: str) -> None:
        """Make a file that everybody may read hold this text, in one step; OSError if that fails."""
        files.publish(path, text)

    def new_path(self, start: str) -> str:
        """Return a path that begins so, and that no other run has."""
        return f"{start}{time.time_ns()}.{os.getpid()}"

    def remove(self, path: str) -> None:
        """Remove a file of ours, if it is there; OSError if that fails."""
        files.remove(path)

    # Files that an administrator writes

    def trusted(self, path: str) -> bytes | None:
        """Return the content of the file; None if there is none. UnfitError (``files.py``), OSError."""
        return files.trusted(path)

    def has_trusted(self, path: str) -> bool:
        """Return whether there is such a program. UnfitError (``files.py``), OSError."""
        return files.has_trusted(path)

    def listing(self, folder: str) -> list[str] | None:
        """Return the names in the folder, sorted; None if there is none. UnfitError (``files.py``), OSError."""
        return files.listing(folder)

    def replace(self, path: str, data: bytes) -> None:
        """Make the file hold this, in one step: see ``replacing.py``. UnfitError (``files.py``), OSError."""
        from nethook.host.replacing import replace  # noqa: PLC0415 - no run needs it

        replace(path, data)

    def edited(self, name: str, data: bytes) -> bytes:
        """Return what a person makes of this content in an editor, as a file of this name. NethookError, OSError."""
        from nethook.host.editor import edited  # noqa: PLC0415 - no run needs it

        return edited(name, data)

    def has_folder(self, path: str) -> bool:
        """Return whether there is such a folder."""
        return os.path.isdir(path)

    def stamp(self, paths: Iterable[str]) -> list[Stamp]:
        """Return the state of these files and of those in their ``.d`` folders, to see later if one has changed."""
        return files.stamp(paths)

    # Locks, time, log

    def locked(self, as_of: int | None = None) -> lock.Locked:
        """Return the lock of runs, for a ``with`` block: see ``lock.Locked``."""
        return lock.Locked(as_of)

    def last_run(self) -> int:
        """Return when the last run was, in nanoseconds; 0 if there was none."""
        return lock.last_run()

    def take_missed(self) -> bool:
        """Return whether a run has given up waiting for the lock since this was asked last."""
        return lock.take_missed()

    def record_locked(self) -> AbstractContextManager[None]:
        """Return the lock of the record, for a ``with`` block; OSError if it cannot be had."""
        return lock.RecordLock()

    def now(self) -> float:
        """Return the time, in seconds since 1970."""
        return time.time()

    def log(self, priority: int, lines: Iterable[str]) -> None:
        """Write each line to syslog as ``nethook``, with this priority, which is one of ``syslog``'s."""
        syslog.openlog("nethook", syslog.LOG_PID, syslog.LOG_DAEMON)
        for line in lines:
            syslog.syslog(priority, line)
