"""What is there now: what is ours in the kernel, and the chains of others in which our gates belong."""

from __future__ import annotations

from nethook.errors import ReadError
from nethook.parts import flows, switches
from nethook.parts.flows import Owed
from nethook.parts.kinds import KINDS
from nethook.parts.routes import ROUTES
from nethook.parts.tables import arp, binding, ruleset

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from nethook.gates.gate import Chain, Gate
    from nethook.host.host import Host
    from nethook.host.nftables import Table
    from nethook.host.process import Result
    from nethook.legacy06.others import Others
    from nethook.parts.kind import Key
    from nethook.parts.kinds import Objects
    from nethook.parts.routes import Place
    from nethook.parts.switches import Values

    Chains = list[tuple[Gate, Chain]]
    """Those of gates' chains that this host has."""


class Present:
    """Our objects, tables (None if there is none) and settings in the kernel, and routes of others that do for ours."""

    __slots__ = (
        *("arp", "binding", "inherited", "no_learning", "objects", "opened"),
        *("owed", "proxy_ndp", "read_taps", "standing_in", "table"),
    )

    def __init__(
        self,
        objects: Objects | None = None,
        table: Table | None = None,
        *,
        binding: Table | None = None,
        arp: Sequence[str] = (),
        opened: Mapping[str, Values] | None = None,
        no_learning: Collection[str] = (),
        owed: Owed | None = None,
        proxy_ndp: Collection[str] = (),
        standing_in: Collection[Place] = (),
        inherited: Collection[Place] = (),
        read_taps: Callable[[], set[tuple[str, str]]] = set,
    ) -> None:
        self.objects = {kind: (objects or {}).get(kind, set()) for kind in KINDS}
        self.table = table
        """The one in which packets are classified."""
        self.binding = binding
        """The one that keeps addresses to the guests that they are bound to."""
        self.arp = arp
        """Comments of the rules in our table for ARP."""
        self.opened = opened or {}
        """The bridges on which we have turned IPv6 on, with what turns it off."""
        self.no_learning = no_learning
        """The bridges on which we have switched on that they do not learn from link-local frames."""
        self.owed = owed or Owed()
        """The prefixes whose connections must still be deleted."""
        self.proxy_ndp = proxy_ndp
        """The uplinks on which we have turned on proxy_ndp."""
        self.standing_in = standing_in
        """Where routes of others lead, so that one of ours is neither needed nor possible: as to a network's subnet."""
        self.inherited = inherited
        """Where routes of our predecessor lead, to be replaced by ours."""
        self.read_taps = read_taps
        """Tells index and MAC of each tap of a guest, which matter only where something is bound."""

    @property
    def routes(self) -> set[Key]:
        """Our routes."""
        return self.objects[ROUTES]

    @property
    def holders(self) -> dict[str, set[str]]:
        """The MACs that each block is bound to."""
        holders: dict[str, set[str]] = {}
        for name, members in self.binding.elements.items() if self.binding else ():
            if name.startswith("holders"):
                for mac, block in members:
                    holders.setdefault(block, set()).add(mac)
        return holders


def read(
    protocol: int, chosen: Sequence[Gate], host: Host, others: Others | None = None, left_out: Sequence[Gate] = ()
) -> tuple[Present, Chains, Chains]:
    """Read what is there of ours, and the chains of those gates that this host has; ReadError if that is not known.

    Of the gates that are ``left_out`` nothing has to be known: one that does not tell counts as absent.
    """
    lists = {str(call): call for kind in KINDS for call in kind.read_calls(protocol)}
    calls = [*lists.values(), *(gate.read_call() for gate in (*chosen, *left_out))]
    results = host.start([*calls, *(others.read_calls(host) if others else [])])
    try:
        our_table = host.table(ruleset.FAMILY, ruleset.SETS)
        binding_table = host.table(binding.FAMILY, binding.SETS)
        arp_comments = arp.read(host)
    finally:
        found = results()
    listed = dict(zip(lists, found))
    opened, no_learning, uplinks, noted = _recorded(host)
    standing_in, inherited = others.routes(found[len(calls) :]) if others else (set(), set())
    objects = {
        kind: kind.read(host, [listed[str(call)] for call in kind.read_calls(protocol)], protocol) for kind in KINDS
    }
    present = Present(
        objects,
        our_table,
        binding=binding_table,
        arp=arp_comments,
        opened=opened,
        no_learning=no_learning,
        owed=noted,
        proxy_ndp=uplinks,
        standing_in=standing_in - {(route[0], route[1]) for route in objects[ROUTES]},
        inherited=inherited,
        read_taps=lambda: {(str(link.number), link.mac) for link in host.links() if link.is_tap},
    )
    listings = found[len(lists) : len(calls)]
    chains = _chains(zip(chosen, listings), host)
    unneeded: Chains = []
    for each in zip(left_out, listings[len(chosen) :]):
        try:
            unneeded += _chains([each], host)
        except ReadError:
            continue
    return present, chains, unneeded


def _chains(listings: Iterable[tuple[Gate, Result]], host: Host) -> Chains:
    chains = ((gate, gate.chain(listing)) for gate, listing in listings)
    return [(gate, gate.settled(chain, host)) for gate, chain in chains if chain]


def _recorded(host: Host) -> tuple[dict[str, Values], set[str], set[str], Owed]:
    """The bridges and the uplinks on which we have turned on what the kernel needs, and what is still to be done."""
    try:
        return (
            switches.ipv6_turned_on(host),
            switches.no_learning_switched_on(host),
            switches.proxy_ndp_turned_on(host),
            flows.read(host),
        )
    except OSError as error:
        raise ReadError(f"cannot read {error.filename}: {error.strerror}") from None
