"""A step: one process that changes the kernel, and what it does."""

from __future__ import annotations

from nethook.effect import ADD, REMOVE, Effect
from nethook.kernel import bridge_ipv6, device, flows, proxy_ndp
from nethook.kernel.batch import batch, refusals
from nethook.kernel.binding import NEEDED_NFT
from nethook.kernel.process import Call, Tools

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nethook.kernel.bridge_ipv6 import Values
    from nethook.kernel.kind import Key, Kind


UNBOUND = (
    "lines with guest= are not in force, because what keeps an address to its guest is not; "
    f"that takes nft {NEEDED_NFT} or later and a kernel with nftables for bridges"
)
AT_ONCE = 8
"""Addresses whose connections are deleted side by side."""
FLOW_SECONDS = 2.0
"""For deleting connections, however many there are."""


class Step:
    """One process to run, all of whose work is done or none; ``effects`` has each change that it makes."""

    def __init__(
        self, call: Call, effects: Sequence[Effect], *, ends_run: bool = False, needs_all: bool = False
    ) -> None:
        self.call = call
        self.effects = list(effects)
        self.ends_run = ends_run
        """Whether what comes behind this step must not be done without it."""
        self.needs_all = needs_all
        """Whether it must not be done unless everything before it has been."""

    needs_lock = True
    """Whether it must not be done while another run does something."""

    @property
    def calls(self) -> list[Call]:
        """All that it runs."""
        return [self.call]

    def take(self, tools: Tools) -> tuple[list[Effect], list[str]]:
        """Run it. Returns what was done, and a sentence for each failure."""
        result = tools.run(self.call)
        return (self.effects, []) if result.status == 0 else ([], [result.failure])


class BindingStep(Step):
    """The table changed that keeps addresses to their guests. Lines that need it are not put in force without it."""

    def take(self, tools: Tools) -> tuple[list[Effect], list[str]]:
        """Run it; a failure says what it costs."""
        done, failures = super().take(tools)
        return done, [f"{UNBOUND}: {failure}" for failure in failures]


class ObjectChange:
    """What happens to one object: the line for ``ip`` that does it, and its effect."""

    __slots__ = ("effect", "key", "kind", "line")

    def __init__(self, kind: Kind, key: Key, line: str, effect: Effect) -> None:
        self.kind = kind
        self.key = key
        self.line = line
        self.effect = effect


class BatchStep(Step):
    """Objects changed by one process, a line for each; what the kernel refuses of them does not keep the others."""

    def __init__(self, changes: Sequence[ObjectChange]) -> None:
        """In this order."""
        self._changes = changes
        super().__init__(batch([change.line for change in changes]), [change.effect for change in changes])

    def take(self, tools: Tools) -> tuple[list[Effect], list[str]]:
        """Run it; what is as desired by somebody else's doing is neither done nor a failure."""
        result = tools.run(self.call)
        refused = refusals(result)
        if result.status != 0 and not refused:
            return [], [result.failure]
        for kind in dict.fromkeys(change.kind for change in self._changes):
            kind.added(
                [
                    change.key
                    for number, change in enumerate(self._changes)
                    if change.kind is kind and change.effect.sign != REMOVE and number not in refused
                ]
            )
        failures: dict[tuple[str, str], list[str]] = {}
        for number, said in sorted(refused.items()):
            change = self._changes[number]
            prefix, bridge, *rest = change.key
            if change.effect.sign != REMOVE:
                why = change.kind.why_not_added(change.key, said, tools)
                if why and bridge:
                    why = device.why_refused(bridge, prefix, said) or why
                verb = "add"
            else:
                why = "" if said.startswith(change.kind.already_gone) else said
                verb = "delete"
            if why:
                where = bridge or "".join(rest)  # the uplink of a proxy entry; a fallback route has none
                what = f"{change.kind.name} {prefix} dev {where}" if where else f"{change.kind.name} {prefix}"
                failures.setdefault((verb, why), []).append(what)
        said_once = [
            f"cannot {verb} {first}{f' and {len(more)} more' if more else ''}: {why}"
            for (verb, why), (first, *more) in failures.items()
        ]
        return [effect for number, effect in enumerate(self.effects) if number not in refused], said_once


class FlowStep(Step):
    """Connections of addresses that are at another guest now are deleted, so that none goes on to the old one.

    Each deletion goes through the kernel's whole table, which may take seconds; so nobody waits for it with the lock.
    """

    needs_lock = False

    def __init__(self, prefixes: Sequence[tuple[str, Effect]]) -> None:
        """Each with its effect."""
        self._prefixes = prefixes
        super().__init__(flows.deletions(prefixes[0][0])[0], [effect for _, effect in prefixes])

    @property
    def calls(self) -> list[Call]:
        """All that it runs."""
        return [call for prefix, _ in self._prefixes for call in flows.deletions(prefix)]

    def take(self, tools: Tools) -> tuple[list[Effect], list[str]]:
        """Run them; an address without connections is no failure, and nothing was done then."""
        if not flows.can_be_deleted():
            return [], []
        within = Tools(min(FLOW_SECONDS, tools.seconds_left))
        done: list[Effect] = []
        failures: list[str] = []
        for start in range(0, len(self._prefixes), AT_ONCE):
            some = self._prefixes[start : start + AT_ONCE]
            results = within.start([call for prefix, _ in some for call in flows.deletions(prefix)])()
            for number, (_, effect) in enumerate(some):
                if any(result.status == 0 for result in results[number * 2 : number * 2 + 2]):
                    done.append(effect)
            failures += [result.failure for result in results if flows.has_failed(result)]
            if any(result.status is None for result in results):  # then the others would take as long
                failures.append("connections from before may go on until they end")
                break
        return done, failures


class ProxyNdpStep(Step):
    """The setting proxy_ndp of an uplink turned on or off. Done by writing a file; ``call`` would do the same."""

    def __init__(self, sign: str, uplink: str) -> None:
        """Where the sign is ADD, on."""
        self._uplink = uplink
        self._on = sign == ADD
        line = f"net/ipv6/conf/{uplink}/proxy_ndp = {int(self._on)}\n"
        super().__init__(Call(("sysctl", "-p", "-"), line), [Effect(sign, "proxy_ndp", to=uplink)])

    def take(self, tools: Tools) -> tuple[list[Effect], list[str]]:
        """Write it."""
        del tools
        try:
            proxy_ndp.turn(self._uplink, on=self._on)
        except OSError as error:
            verb = "on" if self._on else "off"
            what = f"{error.filename or proxy_ndp.FILE}: {error.strerror}"
            return [], [f"cannot turn proxy_ndp {verb} on {self._uplink}: {what}"]
        return self.effects, []


class IPv6Step(Step):
    """IPv6 turned on or off on a bridge. Done by writing files; ``call`` is what would do the same."""

    def __init__(self, sign: str, bridge: str, values: Values) -> None:
        """``values`` are written in their order."""
        self._bridge = bridge
        self._values = values
        self._write = bridge_ipv6.turn_on if sign == ADD else bridge_ipv6.turn_off
        lines = [f"net/ipv6/conf/{bridge}/{name} = {value}\n" for name, value in values.items()]
        super().__init__(Call(("sysctl", "-p", "-"), "".join(lines)), [Effect(sign, "ipv6", bridge=bridge)])

    def take(self, tools: Tools) -> tuple[list[Effect], list[str]]:
        """Write them; a bridge that went meanwhile is no failure."""
        del tools
        try:
            self._write(self._bridge, self._values)
        except OSError as error:
            if not device.exists(self._bridge):
                return [], []
            what = f"{error.filename or bridge_ipv6.FILE}: {error.strerror}"
            return [], [
                f"cannot turn IPv6 {'on' if self._values[bridge_ipv6.DISABLED] == '0' else 'off'} "
                f"on {self._bridge}: {what}"
            ]
        return self.effects, []
