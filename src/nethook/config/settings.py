"""The file ``nethook.conf``: settings for the whole host, ``key = value``, all optional.

Unlike a wrong line of the other files, a wrong setting stops the run. With a wrong mark bit or route protocol, a run
could open firewalls for foreign packets, or delete foreign routes.
"""

from __future__ import annotations

from nethook.config.text import MOST_PROBLEMS, LineError, Word, excerpt, read_lines, split_words, suggestion
from nethook.errors import ConfigError
from nethook.prefix import LINK_LOCAL, parse_prefix, unroutable_kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from nethook.config.text import Line, Place

MARK_BIT = 0x10000000
"""A bit that the usual marks of people and programs do not contain: 1 to 255, 51820, 0x4000, 0xff0000."""
ROUTE_PROTOCOL = 218
GATEWAY4 = "169.254.0.1"
GATEWAY6 = "fe80::1"
"""The gateway of guests, the same on every host and network."""
NO_GATEWAY = "none"
METRICS_SUFFIX = ".prom"
USUAL_METRICS_FILE = "/var/lib/prometheus/node-exporter/nethook.prom"
"""In the folder that Debian's node_exporter reads."""
YES, NO = "yes", "no"

# A program takes all routes with its number for its own, and so do we. So these numbers cannot be ours:
# iproute2's rt_protos, FRR's rt_netlink.h, Calico (80), OVN (84).
_FOREIGN_PROTOCOLS = frozenset([*range(5), *range(8, 19), 42, 80, 84, 99, *range(186, 199), 250])


class Settings:
    """The settings of the host, or their defaults.

    ``mark_bit`` has exactly one bit set. ``routed_ips`` and ``forwarded_ports`` are paths, or None for the usual ones;
    ``metrics_file`` is one, or None for no such file; ``on_change`` is that of a program, or None.
    ``gateway4`` and ``gateway6`` are addresses in canonical text, or None if guests get no such gateway. ``gates`` are
    the names of the gates that nethook opens, or None for all. With ``auto_apply``, the service applies changed files.
    ``places`` are those of the settings in the file, by their keys there; VALUES, the names of all others.
    """

    VALUES = (
        *("auto_apply", "forwarded_ports", "gates", "gateway4", "gateway6"),
        *("mark_bit", "metrics_file", "on_change", "route_protocol", "routed_ips"),
    )
    __slots__ = (*VALUES, "places")

    def __init__(
        self,
        mark_bit: int = MARK_BIT,
        route_protocol: int = ROUTE_PROTOCOL,
        routed_ips: str | None = None,
        gates: tuple[str, ...] | None = None,
        *,
        forwarded_ports: str | None = None,
        gateway4: str | None = GATEWAY4,
        gateway6: str | None = GATEWAY6,
        metrics_file: str | None = None,
        auto_apply: bool = False,
        on_change: str | None = None,
    ) -> None:
        self.mark_bit = mark_bit
        self.route_protocol = route_protocol
        self.routed_ips = routed_ips
        self.forwarded_ports = forwarded_ports
        self.gates = gates
        self.gateway4 = gateway4
        self.gateway6 = gateway6
        self.metrics_file = metrics_file
        self.auto_apply = auto_apply
        self.on_change = on_change
        self.places: Mapping[str, Place] = {}

    def opens(self, gate: str) -> bool:
        """Return whether nethook opens the gate with this name."""
        return self.gates is None or gate in self.gates

    def gateway(self, family: int) -> str | None:
        """Return the gateway of guests for this IP family (4, 6); None if they get none."""
        return self.gateway4 if family == 4 else self.gateway6


def parse_settings(file: str, data: bytes) -> Settings:
    """Return the settings in the content of a file. ConfigError, with all problems, if there are any."""
    values: dict[str, Any] = {}
    places: dict[str, Place] = {}
    problems = []
    for line in read_lines(file, data):
        try:
            words = split_words(line.text)
            if words:
                _set(line, words, values, places)
        except LineError as error:
            problems.append(line.problem(error))
            if len(problems) == MOST_PROBLEMS:  # a single one refuses the file
                break
    settings = Settings(**values)
    settings.places = places
    if problems:
        raise ConfigError(problems, settings)
    return settings


def _set(line: Line, words: list[Word], values: dict[str, Any], places: dict[str, Place]) -> None:
    """Add the setting of this line to ``values`` and its place to ``places``; LineError if it is wrong."""
    key, value = _key_and_value(words)
    reader = _reader_of(key)
    first = places.setdefault(key.text, line.place(key.column))
    if first.line != line.number:
        raise LineError(key.column, f"{key.text} is already set at {first}", "keep one of the two lines")
    values[key.text.replace("-", "_")] = reader(value)


def _key_and_value(words: list[Word]) -> tuple[Word, list[Word]]:
    """Return the word before the ``=`` and the words after it, with or without spaces around the ``=``."""
    key = words[0].text.partition("=")[0]
    holder, *rest = words if "=" in words[0].text else words[1:] or words
    before, equals, value = holder.text.partition("=")
    if not key or not equals or (before and holder is not words[0]):
        raise LineError(words[0].column, f"{excerpt(words[0].text)} is not a setting", "write KEY = VALUE")
    if value:
        column = holder.column + holder.source.index("=") + 1
        rest.insert(0, Word(column, value, value))
    if not rest:
        what = f"{excerpt(key)} has no value"
        raise LineError(holder.end, what, "write one after the =, or remove the line")
    return Word(words[0].column, key, key), rest


def _reader_of(key: Word) -> Callable[[list[Word]], object]:
    reader = _READERS.get(key.text)
    if reader is None:
        what = f"there is no setting {excerpt(key.text)}"
        raise LineError(key.column, what, suggestion(key.text, tuple(_READERS)))
    return reader


def _only(value: list[Word]) -> Word:
    if len(value) > 1:
        raise LineError(value[1].column, "this setting has a single value", "put a value with spaces in quotes")
    return value[0]


def _mark_bit(value: list[Word]) -> int:
    word = _only(value)
    number = _number(word.text)
    if number is None or not 0 < number < (1 << 32) or number & (number - 1):
        what = f"{excerpt(word.text)} is not one bit of a packet mark"
        raise LineError(word.column, what, f"write one bit of 32, such as {MARK_BIT:#x}")
    return number


def _route_protocol(value: list[Word]) -> int:
    word = _only(value)
    number = _number(word.text)
    if number is None or number > 250:
        what = f"{excerpt(word.text)} is not the number of a route protocol"
        raise LineError(word.column, what, f"write a number from 5 to 249, such as {ROUTE_PROTOCOL}")
    if number in _FOREIGN_PROTOCOLS:
        what = f"the routes of protocol {number} belong to the kernel or to a routing program"
        raise LineError(word.column, what, f"write an unused number, such as {ROUTE_PROTOCOL}")
    return number


def _routed_ips(value: list[Word]) -> str:
    return _path(value, "/etc/nethook/routed-ips")


def _forwarded_ports(value: list[Word]) -> str:
    return _path(value, "/etc/nethook/forwarded-ports")


def _metrics_file(value: list[Word]) -> str:
    path = _path(value, USUAL_METRICS_FILE)
    if not path.endswith(METRICS_SUFFIX):  # node_exporter reads no other files
        what = f"{excerpt(path)} does not end in {METRICS_SUFFIX}"
        raise LineError(value[0].column, what, f"write a path such as {USUAL_METRICS_FILE}")
    return path


def _on_change(value: list[Word]) -> str:
    return _path(value, "/etc/nethook/on-change")


def _path(value: list[Word], usual: str) -> str:
    word = _only(value)
    if not word.text.startswith("/") or "\0" in word.text:
        what = f"{excerpt(word.text)} is not an absolute path"
        raise LineError(word.column, what, f"write one, such as {usual}")
    return word.text


def _auto_apply(value: list[Word]) -> bool:
    word = _only(value)
    if word.text not in {YES, NO}:
        what = f"{excerpt(word.text)} is neither {YES} nor {NO}"
        raise LineError(word.column, what, f"write {YES} to apply changed files automatically, or {NO}")
    return word.text == YES


def _gates(value: list[Word]) -> tuple[str, ...]:
    from nethook.gates import NAMES  # noqa: PLC0415 - the registry, which most files do not need

    advice = f"choose from these, with spaces between them: {' '.join(NAMES)}"
    for word in value:
        if word.text not in NAMES:
            what = f"there is no gate {excerpt(word.text)}"
            raise LineError(word.column, what, advice)
    return tuple(word.text for word in value)


def _gateway4(value: list[Word]) -> str | None:
    return _gateway(value, 4, GATEWAY4)


def _gateway6(value: list[Word]) -> str | None:
    return _gateway(value, 6, GATEWAY6)


def _gateway(value: list[Word], family: int, usual: str) -> str | None:
    word = _only(value)
    if word.text == NO_GATEWAY:
        return None
    try:
        address = parse_prefix(word.text)
    except ValueError:
        address = None
    if address is None or address.family != family or not address.is_address:
        what = f"{excerpt(word.text)} is not an IPv{family} address"
        raise LineError(word.column, what, f"write one, such as {usual}, or {NO_GATEWAY}")
    kind = unroutable_kind(address)
    if kind not in {None, LINK_LOCAL}:
        raise LineError(word.column, f"{address} cannot be a gateway, {kind} addresses never are", f"write {usual}")
    if family == 6 and kind is None:  # a bridge always needs a link-local address, for NDP, and may have no other
        raise LineError(word.column, f"{address} is not a link-local address", f"write one, such as {usual}")
    return address.text


def _number(text: str) -> int | None:
    """Return a decimal or hexadecimal number; None if the text is none, or has more digits than any setting needs."""
    digits, base = (text[2:], 16) if text[:2] in ("0x", "0X") else (text, 10)
    if len(digits) > 10 or not digits.isalnum() or not digits.isascii():
        return None
    try:
        return int(digits, base)
    except ValueError:
        return None


_READERS: dict[str, Callable[[list[Word]], object]] = {
    "mark-bit": _mark_bit,
    "route-protocol": _route_protocol,
    "routed-ips": _routed_ips,
    "forwarded-ports": _forwarded_ports,
    "gates": _gates,
    "gateway4": _gateway4,
    "gateway6": _gateway6,
    "metrics-file": _metrics_file,
    "auto-apply": _auto_apply,
    "on-change": _on_change,
}
