"""``nethook trace``: follow real packets of an address through the kernel."""

from __future__ import annotations

import json
import signal
import sys
from typing import TYPE_CHECKING, Any

from nethook.config import load
from nethook.engine.situation import limited_host, recorded_situation, require_root, situation
from nethook.errors import NethookError
from nethook.exit_status import DIFFERENT, OK
from nethook.host import Host
from nethook.libvirt.live import LibvirtError
from nethook.placement import Networks
from nethook.placement.forwarded import place_forwards
from nethook.terminal import coloured, folded, takes_colours, width_of
from nethook.tracing.probe import probe
from nethook.tracing.reading import Reading
from nethook.tracing.session import Session
from nethook.tracing.subject import Asked, subject
from nethook.tracing.text import beginning_text, ending_text, limits, packet_text, unseen_text

if TYPE_CHECKING:
    from argparse import Namespace

    from nethook.config import Configuration
    from nethook.tracing.rows import Row
    from nethook.tracing.session import Found
    from nethook.tracing.subject import Subject

VERSION = 1
"""The version of the JSON format, which docs/json.md describes."""
SECONDS_TO_READ = 60.0
"""For programs that are asked after the trace has begun, beside the time of the trace itself."""
CLEAR_LINE = "\r\033[K"


def run(options: Namespace) -> int:
    """Trace until it ends by itself or by Ctrl-C, print what was found, and return the exit status."""
    require_root("trace packets")
    about = subject_of(_asked(options))
    reading = Reading(Host(options.seconds + SECONDS_TO_READ))
    for number in (signal.SIGTERM, signal.SIGHUP):  # they end it as Ctrl-C does
        signal.signal(number, signal.default_int_handler)
    output = _Output(options.json, options.seconds, about)
    session = Session(about, reading, options.count, output.show)

    def begun() -> None:
        output.begin()
        if options.probe and (failure := probe(about)):
            output.say(failure)

    session.run(options.seconds, begun, output.tick)
    output.end(session, reading)
    return OK if session.is_good else DIFFERENT


def _asked(options: Namespace) -> Asked:
    both = options.from_guest == options.to_guest
    to_guest, from_guest = both or options.to_guest, both or options.from_guest
    return Asked(options.address, options.port or 0, to_guest, from_guest, options.probe, options.peer)


def subject_of(asked: Asked) -> Subject:
    """Return what somebody asks for, by the files and by libvirt. NethookError if there is no such thing."""
    configuration = load(limited_host())
    forwardings, bridges = _places(configuration)
    return subject(asked, configuration, forwardings, bridges)


def _places(configuration: Configuration) -> tuple[list[Any], dict[str, str]]:
    """Return where lines of forwarded-ports lead, and the bridges of networks, by what libvirt tells, or has told."""
    try:
        now = situation(configuration)
    except LibvirtError as error:
        print(f"nethook: libvirt does not answer ({error}); it is taken for as it was", file=sys.stderr)
        recorded = recorded_situation(configuration, limited_host())
        if recorded is None:
            raise NethookError("nothing is known of libvirt's networks: start libvirt's daemon") from None
        now = recorded
    forwardings = place_forwards(configuration.forwards, Networks(now.up, now.scope), now.scope)
    return forwardings, {name: each.network.bridge for name, each in now.live.items()}


class _Output:
    """The output: packets on stdout as they come, or one JSON text; everything else on stderr."""

    def __init__(self, as_json: bool, seconds: float, about: Subject) -> None:
        self._as_json = as_json
        self._seconds = seconds
        self._about = about
        self._number = 0
        self._shows_progress = sys.stderr.isatty()
        self._left = -1

    def begin(self) -> None:
        """Tell that packets are traced."""
        self.say(beginning_text(self._about, self._seconds))

    def tick(self, left: float) -> None:
        """Show the seconds that are left, at a terminal."""
        if self._shows_progress and int(left) != self._left:
            self._left = int(left)
            packets = f"{self._number} packet{'s' * (self._number != 1)}"
            print(f"{CLEAR_LINE}{self._left + 1} s left, {packets}", end="", file=sys.stderr, flush=True)

    def show(self, found: Found) -> None:
        """Print a packet, unless all is printed as JSON at the end."""
        self._number += 1
        self._clear()
        if not self._as_json:
            colours = takes_colours(sys.stdout)
            print(packet_text(self._number, found, width_of(sys.stdout), coloured=colours) + "\n")

    def end(self, session: Session, reading: Reading) -> None:
        """Print the summary, or all as JSON."""
        self._clear()
        said = limits(session, reading.legacy_tables())
        if self._as_json:
            print(json.dumps(_as_json(session, self._about, said), indent=2))
            return
        text = ending_text(session, self._about)
        print(coloured(text, "bold", sys.stdout))
        if not session.found:
            self.say(unseen_text(self._about.address, reading.at_devices()))
        for sentence in said:
            self.say(sentence)

    def _clear(self) -> None:
        if self._shows_progress and self._left >= 0:
            print(CLEAR_LINE, end="", file=sys.stderr, flush=True)
            self._left = -1

    @staticmethod
    def say(sentence: str) -> None:
        """Print a sentence on stderr."""
        width = width_of(sys.stderr)
        text = f"nethook: {sentence}"
        print(folded(text, width) if width else text, file=sys.stderr)


def _as_json(session: Session, about: Subject, limited: list[str]) -> dict[str, Any]:
    return {
        "version": VERSION,
        "address": about.name,
        "packets": session.packets,
        "found": [_found_as_json(each) for each in session.found],
        "limits": limited,
    }


def _found_as_json(found: Found) -> dict[str, Any]:
    packet, end = found.way.packet, found.fate
    return {
        "direction": "to guest" if found.way.is_to else "from guest",
        "packet": packet.kind,
        "source": packet.source,
        "source_port": packet.source_port or None,
        "destination": packet.destination,
        "destination_port": packet.destination_port or None,
        "bytes": packet.length,
        "alike": found.alike,
        "fate": end.kind,
        "text": end.text,
        "rule": end.rule or None,
        "advice": end.advice or None,
        "way": [_row_as_json(row) for row in found.rows],
    }


def _row_as_json(row: Row) -> dict[str, Any]:
    return {key: value or None for key, value in row._asdict().items()}
