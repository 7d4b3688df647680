"""The machine of the fake host: its kernel, tools and files; and its touches, which are counted and can go wrong."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, TypeVar

from nethook.errors import ReadError
from nethook.host import Host
from nethook.host.fake.answer import Answer, NotFaked
from nethook.host.fake.faults import Fault, Killed, Touch
from nethook.host.fake.files import Files, error_of
from nethook.host.fake.ip import Ip
from nethook.host.fake.iptables import Iptables
from nethook.host.fake.kernel import Kernel
from nethook.host.fake.nft import Nftables
from nethook.host.process import SEARCHED, Call, Result, ToolMissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nethook.host.conntrack import Entry
    from nethook.host.sockets import Socket

Answered = TypeVar("Answered")
Same = TypeVar("Same", bound="Machine")

SECONDS = 1e6
IPTABLES = [f"{tool}-{variant}" for tool in ("iptables", "ip6tables") for variant in ("nft", "legacy")]
PROGRAMS = {"nft", "ip", *IPTABLES, *(f"{tool}-restore" for tool in IPTABLES)}
GARBAGE = "lorem ipsum\ndolor } sit {\namet\n"


class Machine(Host):
    """A machine. ``touched`` has what was asked of it, ``faults`` what goes wrong, by the number of the touch.

    ``watch`` is called after each touch that changes something, for what must hold at every moment. ``logged`` has
    priority and text of each line, ``announced`` address and uplink.
    """

    __slots__ = (
        *("announced", "connections", "editors", "faults", "files", "has_ipv6_at_all", "iptables", "kernel", "logged"),
        *("nftables", "opened", "programs", "touched", "watch"),
    )

    def __init__(self) -> None:
        super().__init__(SECONDS)
        self.programs = set(PROGRAMS)
        self.kernel = Kernel()
        self.nftables = Nftables()
        self.iptables = {tool: Iptables(tool) for tool in IPTABLES}
        self.files = Files()
        self.connections: list[Entry] = []
        """What the kernel tracks."""
        self.opened: list[Socket] = []
        """The sockets of its programs."""
        self.editors: list[Callable[[bytes], bytes]] = []
        """What people make of contents in an editor, one time after the other."""
        self.has_ipv6_at_all = True
        self.announced: list[tuple[str, str]] = []
        self.logged: list[tuple[int, str]] = []
        self.touched: list[Touch] = []
        self.faults: dict[int, Fault] = {}
        self.watch: Callable[[], None] = lambda: None

    def copy(self: Same) -> Same:
        """Return a machine in the same state, of which nothing has been asked, and without faults."""
        made = type(self)()
        made.programs = set(self.programs)
        made.kernel = self.kernel.copy()
        made.nftables = self.nftables.copy()
        made.iptables = {tool: each.copy() for tool, each in self.iptables.items()}
        made.files = self.files.copy()
        made.connections = list(self.connections)
        made.opened = list(self.opened)
        made.has_ipv6_at_all = self.has_ipv6_at_all
        return made

    # Programs

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
            self.watch()

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


def _changes(call: Call) -> bool:
    """Return whether a call changes anything."""
    words = set(call.argv)
    if call.argv[0] == "ip":
        return ("-batch" in words and "-json" not in words) or "set" in words
    return bool(words & {"-f", "-D"}) or call.argv[0].endswith("-restore")
