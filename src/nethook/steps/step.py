"""A step: one process that changes the kernel, and what it does."""

from __future__ import annotations

from nethook.host.ip import batch, refusals
from nethook.host.process import Call
from nethook.parts import flows, switches
from nethook.parts.tables.binding import NEEDED_NFT
from nethook.steps.effect import ADD, REMOVE, Effect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nethook.config import RoutedIP
    from nethook.host.host import Host
    from nethook.parts.flows import Owed
    from nethook.parts.kind import Key, Kind
    from nethook.parts.switches import Values


UNBOUND = (
    "cannot keep addresses to their guests, so new addresses with guest= are not routed "
    f"(it takes nft {NEEDED_NFT} or later and a kernel with nftables for bridges)"
)
UNKEPT = "still routed, but not yet kept to their guests"
MOST_NAMED = 5
"""Addresses in one sentence."""
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

    @property
    def calls(self) -> list[Call]:
        """All that it runs."""
        return [self.call]

    def take(self, host: Host) -> tuple[list[Effect], list[str]]:
        """Run it. Returns what was done, and a sentence for each failure."""
        result = host.run(self.call)
        return (self.effects, []) if result.status == 0 else ([], [result.failure])


class BindingStep(Step):
    """The table changed that keeps addresses to their guests.

    Without it, no new address of a bound line is routed. One that is routed already stays so: until now every guest of
    its network could use it, and to withdraw it would only take it from its guest as well.
    """

    def __init__(self, call: Call, effects: Sequence[Effect], routed: Sequence[RoutedIP]) -> None:
        """``routed`` are the lines that are routed already and are not kept to their guests without this step."""
        super().__init__(call, effects, ends_run=True)
        self._routed = routed

    def take(self, host: Host) -> tuple[list[Effect], list[str]]:
        """Run it; a failure says what it costs."""
        done, failures = super().take(host)
        named = ", ".join(f"{line.prefix} ({line.guest})" for line in self._routed[:MOST_NAMED])
        more = f" and {len(self._routed) - MOST_NAMED} more" if len(self._routed) > MOST_NAMED else ""
        unkept = f"; {UNKEPT}: {named}{more}" if named else ""
        return done, [f"{UNBOUND}{unkept}: {failure}" for failure in failures]


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

    def __init__(self, changes: Sequence[ObjectChange], family: str = "") -> None:
        """In this order; all of this ``family`` for ip."""
        self._changes = changes
        super().__init__(batch([change.line for change in changes], family), [change.effect for change in changes])

    def take(self, host: Host) -> tuple[list[Effect], list[str]]:
        """Run it; what is as desired by somebody else's doing is neither done nor a failure."""
        result = host.run(self.call)
        refused = refusals(result)
        if result.status != 0 and not refused:
            return [], [result.failure]
        for kind in dict.fromkeys(change.kind for change in self._changes):
            kind.added(
                [
                    change.key
                    for number, change in enumerate(self._changes)
                    if change.kind is kind and change.effect.sign != REMOVE and number not in refused
                ],
                host,
            )
        failures: dict[tuple[str, str], list[str]] = {}
        for number, said in sorted(refused.items()):
            change = self._changes[number]
            prefix, bridge, *rest = change.key
            if change.effect.sign != REMOVE:
                why = change.kind.why_not_added(change.key, said, host)
                if why and bridge:
                    why = change.kind.advice(host, bridge, prefix, said) or why
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

    Each deletion goes through the kernel's whole table, which may take seconds. So it is done without the lock, behind
    everything else. ``note`` comes first: whatever happens until then, the next run knows what must be deleted.
    """

    def __init__(self, prefixes: Iterable[str], noted: Owed) -> None:
        """``noted`` has those of the prefixes that are noted already."""
        self._prefixes = sorted(prefixes)
        self._noted = noted
        effects = [Effect(REMOVE, "flows", prefix=prefix) for prefix in self._prefixes]
        super().__init__(flows.deletions(self._prefixes[0])[0], effects)

    @property
    def calls(self) -> list[Call]:
        """All that it runs."""
        return [call for prefix in self._prefixes for call in flows.deletions(prefix)]

    def joined(self, other: FlowStep | None) -> FlowStep:
        """Return one step for both."""
        return FlowStep({*self._prefixes, *other._prefixes}, self._noted.joined(other._noted)) if other else self

    def note(self, host: Host) -> list[str]:
        """Note what is not noted yet; the caller holds the lock. Returns a sentence for each failure."""
        new = set(self._prefixes) - self._noted.prefixes
        try:
            if new and flows.can_be_deleted(host):
                self._noted = self._noted.joined(flows.note(host, new))
        except OSError as error:
            return [f"cannot note in {flows.FOLDER} which connections must be deleted: {error.strerror}"]
        return []

    def take(self, host: Host) -> tuple[list[Effect], list[str]]:
        """Run them; an address without connections is no failure, and nothing was done then."""
        done, failures, left = self._delete(host) if flows.can_be_deleted(host) else ([], [], [])
        try:
            if len(left) < len(self._prefixes):
                rest = flows.note(host, left) if left else None
                self._noted.forget(host)
                self._noted = rest or self._noted
        except OSError as error:
            failures.append(f"cannot note in {flows.FOLDER} that connections have been deleted: {error.strerror}")
        return done, failures

    def _delete(self, host: Host) -> tuple[list[Effect], list[str], list[str]]:
        """Return what was done, what failed, and the prefixes that are left for the next run."""
        within = host.within(FLOW_SECONDS)
        done: list[Effect] = []
        failures: list[str] = []
        left: list[str] = []
        for start in range(0, len(self._prefixes), AT_ONCE):
            some = self._prefixes[start : start + AT_ONCE]
            results = within.start([call for prefix in some for call in flows.deletions(prefix)])()
            for number, prefix in enumerate(some):
                of_it = results[number * 2 : number * 2 + 2]
                if any(result.status == 0 for result in of_it):
                    done.append(self.effects[start + number])
                if any(flows.has_failed(result) for result in of_it):
                    left.append(prefix)
            failures += [result.failure for result in results if flows.has_failed(result)]
            if any(result.status is None for result in results):  # then the others would take as long
                left += self._prefixes[start + AT_ONCE :]
                failures.append("connections from before may go on until the next run deletes them")
                break
        return done, failures, left


class ProxyNdpStep(Step):
    """The setting proxy_ndp of an uplink turned on or off. Done by writing a file; ``call`` would do the same."""

    def __init__(self, sign: str, uplink: str) -> None:
        """Where the sign is ADD, on."""
        self._uplink = uplink
        self._on = sign == ADD
        line = f"net/ipv6/conf/{uplink}/proxy_ndp = {int(self._on)}\n"
        super().__init__(Call(("sysctl", "-p", "-"), line), [Effect(sign, "proxy_ndp", to=uplink)])

    def take(self, host: Host) -> tuple[list[Effect], list[str]]:
        """Write it."""
        try:
            switches.turn_proxy_ndp(host, self._uplink, on=self._on)
        except OSError as error:
            verb = "on" if self._on else "off"
            what = f"{error.filename or switches.PROXY_NDP_FILE}: {error.strerror}"
            return [], [f"cannot turn proxy_ndp {verb} on {self._uplink}: {what}"]
        return self.effects, []


class IPv6Step(Step):
    """IPv6 turned on or off on a bridge. Done by writing files; ``call`` is what would do the same."""

    def __init__(self, sign: str, bridge: str, values: Values) -> None:
        """``values`` are written in their order."""
        self._bridge = bridge
        self._values = values
        self._write = switches.turn_ipv6_on if sign == ADD else switches.turn_ipv6_off
        lines = [f"net/ipv6/conf/{bridge}/{name} = {value}\n" for name, value in values.items()]
        super().__init__(Call(("sysctl", "-p", "-"), "".join(lines)), [Effect(sign, "ipv6", bridge=bridge)])

    def take(self, host: Host) -> tuple[list[Effect], list[str]]:
        """Write them; a bridge that went meanwhile is no failure."""
        try:
            self._write(host, self._bridge, self._values)
        except OSError as error:
            if not host.number_of(self._bridge):
                return [], []
            what = f"{error.filename or switches.IPV6_FILE}: {error.strerror}"
            return [], [
                f"cannot turn IPv6 {'on' if self._values[switches.DISABLED] == '0' else 'off'} "
                f"on {self._bridge}: {what}"
            ]
        return self.effects, []


class LearningStep(Step):
    """The setting no_linklocal_learn of a bridge switched on or off."""

    def __init__(self, sign: str, bridge: str) -> None:
        """Switch it on where the sign is ADD, else off."""
        self._bridge = bridge
        self._on = sign == ADD
        super().__init__(
            switches.no_learning_call(bridge, on=self._on), [Effect(sign, switches.NO_LEARNING, bridge=bridge)]
        )

    def take(self, host: Host) -> tuple[list[Effect], list[str]]:
        """Record it before it is on, and until it is off; a bridge that went meanwhile is no failure."""
        try:
            if self._on:
                switches.record_no_learning(host, self._bridge, on=True)
            done, failures = super().take(host)
            if failures and not host.number_of(self._bridge):
                done, failures = [], []
            if not self._on and not failures:
                switches.record_no_learning(host, self._bridge, on=False)
        except OSError as error:
            what = f"{switches.NO_LEARNING} of {self._bridge} in {switches.NO_LEARNING_FILE}"
            return [], [f"cannot record {what}: {error.strerror}"]
        return done, failures
