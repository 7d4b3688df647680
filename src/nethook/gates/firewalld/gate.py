"""The gate as it is in firewalld now, and the calls that give it the entries it should have.

All over D-Bus with ``busctl``, some 20 ms a call, where ``firewall-cmd`` takes 300. firewalld is never started by that.
"""

from __future__ import annotations

from nethook.changes import ADD, REMOVE, Effect
from nethook.errors import NethookError, ReadError
from nethook.gates.firewalld import is_configured
from nethook.gates.firewalld.files import POLICY, SETS, permanent_entries
from nethook.gates.gate import STATION, GateChange, Opening
from nethook.host.process import Call, ToolMissingError
from nethook.placement import WEAK, Lack
from nethook.prefix import Longest, disjoint, parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from nethook.engine.case import Case
    from nethook.host import Host
    from nethook.host.process import Result, Tools
    from nethook.prefix import Prefix

    Entries = Mapping[int, Collection[str]]
    """Entries by family."""

NAME = "org.fedoraproject.FirewallD1"
OBJECT = "/org/fedoraproject/FirewallD1"
CONFIG = f"{OBJECT}/config"
WHERE = "firewalld"
INSTALL = "run nethook install"

NOT_RUNNING = (f'"{NAME}" does not exist', f"name {NAME} was not provided", "Failed to connect to bus")
"""What busctl says where firewalld does not run, or D-Bus, without which it could not."""

NO_SUCH_SET = "INVALID_IPSET"
MOST_NAMED = 3
"""A change of more entries than this is summed up."""


def call(path: str, interface: str, method: str, *arguments: str) -> Call:
    """Return the call of a method of firewalld's interface with this suffix."""
    return Call(("busctl", "--auto-start=no", "call", NAME, path, f"{NAME}{interface}", method, *arguments))


class Firewalld(Opening):
    """firewalld, which runs: the entries that it has and that it should have, and what hinders that ('' if nothing)."""

    setting = where = WHERE

    def __init__(
        self, wanted: Entries, runtime: Entries, permanent: Entries, paths: Mapping[int, str], hindrance: str = ""
    ) -> None:
        """``paths`` are where D-Bus has the permanent ipsets."""
        self._wanted = {family: sorted(entries) for family, entries in wanted.items()}
        self._runtime = runtime
        self._permanent = permanent
        self._paths = paths
        self._hindrance = hindrance
        self.lacking = [
            parse_prefix(text)
            for family, entries in self._wanted.items()
            for text in {*entries} - {*runtime.get(family, ())}
        ]
        """The prefixes that should pass and do not."""
        self._lacking = Longest(self.lacking)

    @property
    def is_needed(self) -> bool:
        """True if anything has to pass."""
        return any(self._wanted.values())

    @property
    def hindrance(self) -> str:
        """The reason why nothing can pass; '' if it can, or nothing has to."""
        return self._hindrance if self.is_needed else ""

    def state(self, case: Case) -> str:
        """Return open, missing, out of date, not needed; '' if the settings leave it out."""
        if not case.settings.opens(self.setting):
            return ""
        if not self.is_needed:
            return "not needed"
        if self._hindrance:
            return self._hindrance
        return "out of date" if self.changes(case) else "open"

    def closed_for(self, case: Case, prefix: Prefix) -> str:
        """Return why packets of this prefix do not pass."""
        if not case.settings.opens(self.setting):
            return ""
        if self.hindrance:
            return f"its gate is {self.hindrance}"
        return "its gate is not open for it; run nethook apply" if self._lacking.around(prefix) else ""

    def lacks(self, case: Case) -> Iterator[Lack]:
        """Yield that our policy is missing, or that entries are."""
        if self.hindrance:
            yield Lack(STATION, f"our gate in {WHERE} is missing", command="nethook install")
        elif self.lacking:
            lacking = [prefix.text for prefix in self.lacking]
            yield Lack(STATION, f"our gate in {WHERE} is not open for {', '.join(lacking)}", addresses=lacking)
        elif self.changes(case):
            yield Lack(STATION, f"our gate in {WHERE} is out of date", WEAK)

    def changes(self, case: Case) -> list[GateChange]:
        """Return the calls that make the entries as they should be, at run time and permanently."""
        del case
        if self._hindrance:
            return []
        changes = []
        for family, name in SETS.items():
            wanted = self._wanted[family]
            words = (str(len(wanted)), *wanted)
            if set(wanted) != self._runtime[family]:
                effects = _effects(self._runtime[family], wanted, WHERE)
                changes.append(GateChange(*effects, call=call(OBJECT, ".ipset", "setEntries", "sas", name, *words)))
            if set(wanted) != self._permanent[family]:
                effects = _effects(self._permanent[family], wanted, f"{WHERE}'s files")
                path = self._paths[family]
                changes.append(GateChange(*effects, call=call(path, ".config.ipset", "setEntries", "as", *words)))
        return changes


def has_policy(tools: Tools) -> bool | None:
    """Return whether a running firewalld has our policy; None if it does not run, NethookError if that is not known."""
    try:
        listed = tools.run(call(OBJECT, ".policy", "getPolicies"))
    except ToolMissingError:  # a host without systemd
        return None
    return names_policy(listed)


def names_policy(listed: Result) -> bool | None:
    """Return the same as ``has_policy``, from the answer."""
    if listed.status != 0:
        if any(message in listed.err for message in NOT_RUNNING):
            return None
        raise ReadError(listed.failure)
    return POLICY in (_words(listed) or ())


def read(wanted: Entries, host: Host) -> Firewalld | None:
    """Return the entries that firewalld has; None if it does not run, NethookError if that is not known."""
    if not is_configured(host):
        return None
    present = has_policy(host)  # asked alone: for an ipset that it does not have, firewalld logs an error
    if present is None:
        return None
    if not present:
        return _missing(wanted)
    results = host.start(
        [
            *(call(OBJECT, ".ipset", "getEntries", "s", name) for name in SETS.values()),
            *(call(CONFIG, ".config", "getIPSetByName", "s", name) for name in SETS.values()),
        ]
    )()
    return understand(wanted, results, {family: permanent_entries(host, name) for family, name in SETS.items()})


def understand(wanted: Entries, results: Sequence[Result], permanent: Mapping[int, set[str] | None]) -> Firewalld:
    """Return what the answers about the ipsets and the entries in firewalld's files say (None: no such file)."""
    runtime = dict(zip(SETS, map(_words, results)))
    paths = dict(zip(SETS, map(_words, results[len(SETS) :])))
    if None in (*runtime.values(), *paths.values(), *permanent.values()):
        return _missing(wanted)
    return Firewalld(
        wanted,
        {family: set(words or ()) for family, words in runtime.items()},
        {family: entries or set() for family, entries in permanent.items()},
        {family: words[0] for family, words in paths.items() if words},
    )


def _missing(wanted: Entries) -> Firewalld:
    return Firewalld(wanted, {}, {}, {}, f"missing, {INSTALL}")


def _words(result: Result) -> list[str] | None:
    """Return the strings of an answer, such as ``as 2 "a" "b"`` or ``o "/a"``; None if firewalld has no such ipset."""
    if result.status != 0:
        if NO_SUCH_SET in result.err:
            return None
        raise ReadError(result.failure)
    kind, _, rest = result.out.strip().partition(" ")
    if kind not in {"as", "o"}:
        raise ReadError(result.not_understood)
    return [word.strip('"') for word in rest.split() if word.startswith('"')]


def entries(guarded: Iterable[Prefix]) -> dict[int, list[str]]:
    """Return the entries for all routed IPs, by family. Those of one ipset must not overlap."""
    guarded = list(guarded)
    return {
        family: [prefix.text for prefix in disjoint(prefix for prefix in guarded if prefix.family == family)]
        for family in SETS
    }


def _effects(before: Collection[str], after: Collection[str], where: str) -> Iterator[Effect]:
    for sign, blocks in ((REMOVE, set(before) - set(after)), (ADD, set(after) - set(before))):
        if blocks:
            yield Effect(sign, "gate", note=f"in {where} for {_summary(sorted(blocks))}")


def _summary(blocks: list[str]) -> str:
    if len(blocks) <= MOST_NAMED:
        return ", ".join(blocks)
    return f"{', '.join(blocks[: MOST_NAMED - 1])} and {len(blocks) - MOST_NAMED + 1} more"


def look(wanted: Entries, host: Host) -> tuple[Firewalld | None, list[str]]:
    """Return the same as ``read``, and a sentence for each failure, which must not stop everything else."""
    try:
        found = read(wanted, host)
    except NethookError as error:
        return None, [str(error)]
    if found and found.hindrance:
        return found, [f"the gate in {WHERE} is {found.hindrance}"]
    return found, []
