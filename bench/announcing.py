"""How fast a provider's router learns of moves among many hosts: ``python3 -m bench --announcing``.

The hosts are namespaces with BIRD, configured as ``nethook routing-daemon bird`` does. Their routes are made with `ip`,
in the order in which nethook makes them: at a planned stop and start, the source's route goes before the target's
comes; at a live migration, both are there for a moment. The provider has eBGP with each host, or two route reflectors.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import time
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from lab.hosts.layered import WORK, inside
from lab.hosts.provider import ASN, BIRD, BIRD_BGP, BIRD_KERNEL
from lab.hosts.roots import ROUTING, layered_root
from lab.hosts.wan import ROUTER
from lab.namespace import UnnamedNamespace
from lab.waiting import wait_for
from nethook.prefix import parse_prefix
from nethook.routing_daemons import Neighbor, Wanted
from nethook.routing_daemons.bird import configuration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

HOSTS, ADDRESSES = 20, 2000
MOVES, EVERY = 200, 0.3
"""Moves, and the seconds between two of them: 200 a minute."""
BOTH = 0.15
"""Seconds for which both hosts have an address in a live migration."""
ASSIGNED = "198.18.0.0/21"
PROTOCOL = 218
EVENT = re.compile(r"^\[(\S+)\](?:\[\S+\])? ?(Deleted )?(198\.18\.\S+) via (\S+)", re.MULTILINE)
START = f"mkdir -p /run/bird; exec bird -f -c {WORK}/configuration"
REFLECTORS = {"eBGP with each host": 0, "iBGP with 2 route reflectors": 2}


class Move(NamedTuple):
    """An address that got to the host at ``place``; ``done`` is when the last of both hosts' routes began to change."""

    address: str
    place: str
    is_live: bool
    done: float


class Speakers:
    """A provider's router, reflectors and hosts, each a namespace with BIRD on one switch."""

    def __init__(self, stack: ExitStack, reflectors: int) -> None:
        self._stack = stack
        self._layers = layered_root("trixie", ROUTING)
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self.addresses = [f"198.18.{number // 250}.{number % 250 + 1}" for number in range(ADDRESSES)]
        self.places = [f"198.51.100.{number}" for number in range(11, 11 + HOSTS)]
        self.owner = {address: self.places[at % HOSTS] for at, address in enumerate(self.addresses)}
        self.router = self._namespace()
        self.router.ip("link add switch type bridge", "link set switch up", "addr add 198.51.100.1/24 dev switch")
        between = [f"198.51.100.{number}" for number in range(2, 2 + reflectors)]
        self.hosts = {place: self._connected(place) for place in [*between, *self.places]}
        asns = {place: ASN if reflectors else ASN + at for at, place in enumerate(self.places, 1)}
        own = "198.51.100.1"
        for place in between:
            clients = dict.fromkeys([own, *self.places], ASN)
            self._start(
                place, self.hosts[place], _router(place, clients, "rr client; direct;", "where source = RTS_BGP")
            )
        routers = dict.fromkeys(between, ASN) if reflectors else asns
        more = "direct;" if reflectors else "prefer older on;"
        self._start(own, self.router, _router(own, routers, more, "none"))
        for place in self.places:
            self._host(place, asns[place], [Neighbor(each, ASN) for each in between or [own]])

    def _namespace(self) -> UnnamedNamespace:
        namespace = UnnamedNamespace()
        self._stack.callback(namespace.close)
        namespace.ip("link set lo up")
        return namespace

    def _connected(self, place: str) -> UnnamedNamespace:
        namespace = self._namespace()
        port = f"port{place.rpartition('.')[2]}"
        self.router.ip(
            f"link add {port} type veth peer name wan netns {namespace.path}", f"link set {port} master switch up"
        )
        namespace.ip("link set wan up", f"addr add {place}/24 dev wan", "link add vms type veth peer name end")
        namespace.ip("link set vms up", "link set end up")
        return namespace

    def _host(self, place: str, asn: int, neighbors: Sequence[Neighbor]) -> None:
        mine = [address for address in self.addresses if self.owner[address] == place]
        self.hosts[place].ip(*(f"route add {address} dev vms proto {PROTOCOL}" for address in mine))
        prefixes = [parse_prefix(address) for address in self.addresses]
        wanted = Wanted(prefixes, ["vms"], PROTOCOL, asn, neighbors, True, "nethook routing-daemon bird")
        text = f"router id {place};\nprotocol device {{}}\nlog stderr all;\n{configuration(wanted)}"
        self._start(place, self.hosts[place], text)

    def _start(self, name: str, namespace: UnnamedNamespace, text: str) -> None:
        folder = Path(self._stack.enter_context(TemporaryDirectory(prefix="nethook-bench-")))
        (folder / "configuration").write_text(text)
        entered = self._stack.enter_context(inside(self._layers, folder))
        with namespace.entered(), (folder / "log").open("wb") as log:
            daemon = subprocess.Popen([*entered, "sh", "-ec", START], stdout=log, stderr=log)
        self._daemons[name] = daemon
        self._stack.callback(daemon.wait)
        self._stack.callback(daemon.kill)

    def wait_for_router(self) -> None:
        """Return when the router's kernel delivers every address to its host."""
        wait_for(lambda: self._wrong() == 0, "the router delivers all addresses", 120)

    def _wrong(self) -> int:
        with self.router.entered():
            listed = subprocess.run(["ip", "-4", "route"], capture_output=True, text=True, check=True).stdout
        found = dict(re.findall(r"^(198\.18\.\S+) via (\S+)", listed, re.MULTILINE))
        return sum(found.get(address) != place for address, place in self.owner.items())

    def processor_seconds(self) -> dict[str, float]:
        """Return what each daemon has used of processors so far."""
        tick = os.sysconf("SC_CLK_TCK")
        used = {}
        for name, daemon in self._daemons.items():
            fields = Path(f"/proc/{daemon.pid}/stat").read_text().rpartition(")")[2].split()
            used[name] = (int(fields[11]) + int(fields[12])) / tick
        return used

    def moves(self) -> Iterator[Move]:
        """Move addresses from host to host, one each EVERY seconds, and yield each move."""
        chosen = random.Random(18)  # noqa: S311 - the same moves each time
        start = time.monotonic()
        for number, address in enumerate(chosen.sample(self.addresses, MOVES)):
            time.sleep(max(0, start + number * EVERY - time.monotonic()))
            source = self.owner[address]
            target = chosen.choice([place for place in self.places if place != source])
            add, remove = (f"route {verb} {address} dev vms proto {PROTOCOL}" for verb in ("add", "del"))
            changes = [(self.hosts[source], remove), (self.hosts[target], add)]
            is_live = number % 2 == 1
            if is_live:
                changes.reverse()
            changes[0][0].ip(changes[0][1])
            if is_live:
                time.sleep(BOTH)
            done = time.time()
            changes[1][0].ip(changes[1][1])
            self.owner[address] = target
            yield Move(address, target, is_live, done)


def measure_announcing(progress: Callable[[str], None]) -> Iterator[str]:
    """Yield a table for each way to connect the hosts."""
    for what, reflectors in REFLECTORS.items():
        progress(f"{what} …")
        with ExitStack() as stack:
            yield from _measured(what, Speakers(stack, reflectors))
    progress("")


def _measured(what: str, speakers: Speakers) -> Iterator[str]:
    speakers.wait_for_router()
    before = speakers.processor_seconds()
    with TemporaryDirectory() as folder, Path(folder, "events").open("w+") as events:
        with speakers.router.entered():
            monitor = subprocess.Popen(["ip", "-ts", "-4", "monitor", "route"], stdout=events)
        try:
            moves = list(speakers.moves())
            speakers.wait_for_router()
            used = {name: now - before[name] for name, now in speakers.processor_seconds().items()}
            time.sleep(1)  # the monitor writes what it has read
        finally:
            monitor.kill()
            monitor.wait()
        events.seek(0)
        seen = EVENT.findall(events.read())
    yield f"{what}: {HOSTS} hosts, {ADDRESSES:,} addresses, {MOVES} moves; load {os.getloadavg()[0]:.1f}"
    for kind in (False, True):
        times = [_converged(move, seen) for move in moves if move.is_live == kind]
        yield f"  {('stop and start', 'live migration')[kind]:16} {distribution(times)}"
    moved = {move.address for move in moves}
    yield f"  route events of addresses that did not move: {sum(address not in moved for _, _, address, _ in seen)}"
    live = {move.address for move in moves if move.is_live}
    without = {address for _, deleted, address, _ in seen if deleted and address in live}
    yield f"  live migrations in which the router had no route for a moment: {len(without)}"
    hosts = [used[place] for place in speakers.places]
    others = ", ".join(f"{name} {seconds:.2f}" for name, seconds in used.items() if name not in speakers.places)
    yield f"  processor seconds: a host {median(hosts):.2f}, at most {max(hosts):.2f}; router, reflectors: {others}"


def _converged(move: Move, seen: Sequence[tuple[str, str, str, str]]) -> float:
    """Return the seconds until the router's kernel led to the target for good."""
    last = [
        datetime.fromisoformat(at).timestamp()
        for at, deleted, address, place in seen
        if (address, place, deleted) == (move.address, move.place, "")
    ][-1]
    return last - move.done


def distribution(seconds: Sequence[float]) -> str:
    """Return the median, two percentiles and the worst, in milliseconds."""
    parts = quantiles(seconds, n=100, method="inclusive")
    named = {"median": median(seconds), "95 %": parts[94], "99 %": parts[98], "worst": max(seconds)}
    return ", ".join(f"{name} {value * 1000:.0f} ms" for name, value in named.items())


def _router(own: str, neighbors: dict[str, int], more: str, exported: str) -> str:
    """Return the configuration of the provider's router, or of a reflector."""
    text = BIRD.replace(str(ROUTER.ipv4), own) + BIRD_KERNEL.format(family=4, assigned=ASSIGNED)
    for number, (address, asn) in enumerate(neighbors.items(), 1):
        text += BIRD_BGP.format(
            number=number, family=4, own=ASN, asn=asn, address=address, more=more, exported=exported
        )
    return text
