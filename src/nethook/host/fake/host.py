"""The fake host: the same methods as ``host/host.py``, on a kernel, tools and files in memory.

One instance stands for the machine, so it is used for several runs. Its deadline is far away: nothing takes time.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, TypeVar

from nethook.errors import NethookError, ReadError
from nethook.host.fake.answer import Answer, NotFaked, Refused
from nethook.host.fake.faults import Fault, Killed, Touch
from nethook.host.fake.files import FakeLock, FakeRecordLock, Files, error_of
from nethook.host.fake.ip import Ip
from nethook.host.fake.iptables import Iptables
from nethook.host.fake.kernel import IPV6, Kernel
from nethook.host.fake.nft import Nftables
from nethook.host.host import Host
from nethook.host.layout import NAME
from nethook.host.lock import FOLDER, MISSED
from nethook.host.nftables import Table
from nethook.host.process import SEARCHED, Call, Result, ToolMissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from nethook.host.addresses import Address, RoutingRule
    from nethook.host.layout import SetType
    from nethook.host.links import Link
    from nethook.host.lock import Locked
    from nethook.host.nftables import Elements

Answered = TypeVar("Answered")

SECONDS = 1e6
IPTABLES = [f"{tool}-{variant}" for tool in ("iptables", "ip6tables") for variant in ("nft", "legacy")]
PROGRAMS = {"nft", "ip", "conntrack", *IPTABLES, *(f"{tool}-restore" for tool in IPTABLES)}
LEGACY_NAMES = {f"/proc/self/net/{'ip6' if '6' in tool else 'ip'}_tables_names": tool for tool in IPTABLES[1::2]}
CONNTRACK = "conntrack v1.4.7 (conntrack-tools): {} flow entries have been deleted.\n"
GARBAGE = "lorem ipsum\ndolor } sit {\namet\n"


class FakeHost(Host):
    """A machine. ``touched`` has what was asked of it, ``faults`` what goes wrong, by the number of the touch.

    ``watch`` is called after each touch that changes something, for what must hold at every moment. ``logged`` has
    priority and text of each line, ``announced`` address and uplink.
    """

    __slots__ = (
        *("announced", "faults", "files", "flows", "has_ipv6_at_all", "iptables", "kernel", "logged", "nftables"),
        *("programs", "touched", "watch"),
    )

    def __init__(self) -> None:
        super().__init__(SECONDS)
        self.programs = set(PROGRAMS)
        self.kernel = Kernel()
        self.nftables = Nftables()
        self.iptables = {tool: Iptables(tool) for tool in IPTABLES}
        self.files = Files()
        self.flows: set[str] = set()
        """Addresses and prefixes that have connections."""
        self.has_ipv6_at_all = True
        self.announced: list[tuple[str, str]] = []
        self.logged: list[tuple[int, str]] = []
        self.touched: list[Touch] = []
        self.faults: dict[int, Fault] = {}
        self.watch: Callable[[FakeHost], None] = lambda _: None

    def copy(self) -> FakeHost:
        """Return a machine in the same state, of which nothing has been asked, and without faults."""
        made = FakeHost()
        made.programs = set(self.programs)
        made.kernel = self.kernel.copy()
        made.nftables = self.nftables.copy()
        made.iptables = {tool: each.copy() for tool, each in self.iptables.items()}
        made.files = self.files.copy()
        made.flows = set(self.flows)
        made.has_ipv6_at_all = self.has_ipv6_at_all
        return made

    # Programs

    def within(self, seconds: float) -> FakeHost:
        """Return this host: nothing takes time."""
        del seconds
        return self

    def has_program(self, name: str) -> bool:
        """Return whether this program is installed."""
        return name in self.programs

    def start(self, calls: Sequence[Call]) -> Callable[[], list[Result]]:
        """Run programs, one after the other."""
        results = [self._result(call) for call in calls]
        return lambda: results

    def _result(self, call: Call) -> Result:
        name = call.argv[0]
        if name not in self.programs:
            raise ToolMissingError(f"the program {name} is not installed (looked in {':'.join(SEARCHED)})")
        touch = Touch(str(call), by_tool=True, changes=_changes(call))
        fault = self._begin(touch)
        if fault is Fault.FAILS:
            answer: Answer | None = Answer(1, "", "injected failure\n")
        elif fault is Fault.GARBAGE:
            answer = Answer(0, GARBAGE)
        elif fault is Fault.HANGS:
            answer = None
        else:
            answer = self._tool(call)
        self._end(fault)
        if fault is Fault.FAILS_AFTER:
            answer = Answer(1, "", "injected failure\n")
        if answer is None or fault is Fault.HANGS_AFTER:
            return Result(call, None, "", "")
        return Result(call, *answer)

    def _tool(self, call: Call) -> Answer:
        name, *argv = call.argv
        if name == "ip":
            return Ip(self.kernel).run(argv, call.stdin)
        if name == "nft":
            if argv[:2] == ["list", "chain"] and argv[3:] == ["filter", "FORWARD"]:
                return self.iptables["iptables-nft" if argv[2] == "ip" else "ip6tables-nft"].as_nft_lists(argv[2])
            return self.nftables.run(argv, call.stdin)
        if name in self.iptables:
            return self.iptables[name].show(argv)
        if name.endswith("-restore"):
            return self.iptables[name[: -len("-restore")]].restore(argv, call.stdin)
        if name == "conntrack":
            number = len(self.flows & {argv[-1]}) if "--orig-dst" in argv else 0
            self.flows -= {argv[-1]}
            return Answer(0 if number else 1, "", CONNTRACK.format(number))
        raise NotFaked(str(call))

    def by_others(self, *argv: str, stdin: str = "") -> str:
        """Run a tool as somebody else than the program does. It must succeed; returns what it prints."""
        answer = self._tool(Call(argv, stdin))
        if answer.status != 0:
            raise RuntimeError(f"{' '.join(argv)}: {answer.err}\n{stdin}")
        return answer.out

    # Touches

    def _begin(self, touch: Touch) -> Fault | None:
        self.touched.append(touch)
        fault = self.faults.get(len(self.touched))
        if fault is Fault.KILLS_BEFORE:
            raise Killed(touch.what)
        return fault

    def _end(self, fault: Fault | None) -> None:
        if fault is Fault.KILLS_AFTER:
            raise Killed(self.touched[-1].what)
        if self.touched[-1].changes:
            self.watch(self)

    def _ask(self, what: str, do: Callable[[], Answered], *, changes: bool = False) -> Answered:
        """Do what is not a program's; ReadError if a fault has it fail."""
        return self._touched(what, do, ReadError(f"cannot read {what}: injected failure"), changes=changes)

    def _file(self, what: str, path: str, do: Callable[[], Answered], *, changes: bool = False) -> Answered:
        """Do something with a file; OSError if a fault has it fail."""
        return self._touched(f"{what} {path}", do, error_of(errno.EIO, path), changes=changes)

    def _touched(self, what: str, do: Callable[[], Answered], error: Exception, *, changes: bool) -> Answered:
        fault = self._begin(Touch(what, by_tool=False, changes=changes))
        if fault is Fault.FAILS:
            raise error
        answered = do()
        self._end(fault)
        return answered

    # Our tables

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

    def change_elements(
        self, family: str, new: Mapping[str, Sequence[bytes]], gone: Mapping[str, Sequence[bytes]]
    ) -> None:
        """Add and delete elements with these keys, by set of our table, in one transaction. ReadError if refused."""
        self._ask("change of elements", lambda: self._change_elements(family, new, gone), changes=True)

    def _change_elements(
        self, family: str, new: Mapping[str, Sequence[bytes]], gone: Mapping[str, Sequence[bytes]]
    ) -> None:
        key = (family, NAME)
        try:
            table = self.nftables.tables[key].copy()
            for sets, verb in ((new, "add"), (gone, "delete")):
                for name, keys in sets.items():
                    for each in keys:
                        getattr(table.sets[name], verb)((each.rstrip(b"\0").decode("utf-8", "surrogateescape"),))
        except (KeyError, Refused):
            raise ReadError("cannot change nftables: No such file or directory") from None
        self.nftables.tables[key] = table

    # Devices, addresses, routes

    def families(self) -> tuple[int, ...]:
        """Return the IP families of this kernel."""
        return (4, 6) if self.has_ipv6_at_all else (4,)

    def has_ipv6(self, device: str) -> bool:
        """Return whether the device has IPv6, on or off."""
        return f"{IPV6}/{device}/disable_ipv6" in self.kernel.settings

    def links(self) -> list[Link]:
        """Return all network devices."""
        return self._ask("devices", lambda: list(self.kernel.links.values()))

    def number_of(self, device: str) -> int:
        """Return the number of this device; 0 if there is none."""
        return self.kernel.links[device].number if device in self.kernel.links else 0

    def addresses(self) -> list[Address]:
        """Return all addresses of this host."""
        return self._ask("addresses", lambda: list(self.kernel.addresses))

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

    def announce(self, address: str, uplink: str) -> None:
        """Note the announcement."""
        self.announced.append((address, uplink))

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

    def remove(self, path: str) -> None:
        """Remove a file of ours, if it is there; OSError if that fails."""
        self._file("remove", path, lambda: self.files.remove(path), changes=True)

    # Locks, log

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

    def log(self, priority: int, lines: Iterable[str]) -> None:
        """Keep each line with its priority."""
        self.logged += [(priority, line) for line in lines]


def _changes(call: Call) -> bool:
    """Return whether a call changes anything."""
    words = set(call.argv)
    if call.argv[0] == "ip":
        return ("-batch" in words and "-json" not in words) or "set" in words
    return bool(words & {"-f", "-D"}) or call.argv[0].endswith("-restore")
