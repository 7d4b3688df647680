"""The bits of packet marks that a foreign rule uses: one of ``ip rule``, of nftables, or of iptables. Pure.

- A value that is set or matched without a mask uses its own bits: ``meta mark set 100`` does not use bit 0x10000000.
- A value with a mask uses its own bits, and perhaps all bits of the mask, because the author of a mask means to own
  them. A mask of a single bit certainly uses it.
- A mark that is restored from a connection has bits that another rule has put there, and that rule is examined itself.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, NamedTuple

from nethook.doctor.iptables_match import words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

FULL = 0xFFFFFFFF
SETTING = frozenset({"--set-xmark", "--tproxy-mark"})
COMPARING = frozenset({"--mark"})
RESTORING = frozenset({"--nfmask", "--ctmask"})


class Bits(NamedTuple):
    """Bits of a mark: those that a rule certainly uses, and those that it may use as well."""

    certain: int = 0
    possible: int = 0
    compares: int = 0
    """A single bit that the rule certainly matches, as an admin who filters by our mark does."""

    def __or__(self, other: Bits) -> Bits:
        return Bits(*(one | another for one, another in zip(self, other)))


UNKNOWN = Bits(0, FULL)


def masked(value: int, mask: int = FULL, *, compares: bool = False) -> Bits:
    """Return the bits of a value that is set, or matched, with a mask."""
    is_single = (mask & (mask - 1)) == 0
    if is_single and compares:
        return Bits(compares=mask)
    return Bits(value | (mask if is_single else 0), 0 if mask == FULL or is_single else mask)


def of_ip_rule(rule: Mapping[str, Any]) -> Bits:
    """Return the bits that a rule uses, as ``ip -json rule show`` lists it."""
    if "fwmark" not in rule:
        return Bits()
    return masked(int(rule["fwmark"], 0), int(rule.get("fwmask", hex(FULL)), 0))


def of_iptables_rule(rule: str) -> Bits:
    """Return the bits that a rule uses, as ``iptables-save`` prints it."""
    words = words_of(rule)
    found = Bits()
    restored = FULL
    for option, value in zip(words, words[1:]):
        if option in SETTING | COMPARING:
            found |= _of_option(value, compares=option in COMPARING)
        elif option in RESTORING:
            restored &= int(value, 0)
        elif option == "--map-mark" or "HMARK" in (option, value):
            found |= UNKNOWN
    return found | Bits(0, 0 if restored == FULL else restored)


def _of_option(text: str, *, compares: bool) -> Bits:
    value, _, mask = text.partition("/")
    try:
        return masked(int(value, 0), int(mask, 0) if mask else FULL, compares=compares)
    except ValueError:
        return UNKNOWN


def of_nft_rule(statements: Iterable[Mapping[str, Any]]) -> Bits:
    """Return the bits that a rule uses; its statements are as ``nft --json`` lists them."""
    return reduce(or_, map(_of_statement, statements), Bits())


def _of_statement(statement: Mapping[str, Any]) -> Bits:
    for kind, content in statement.items():
        if kind == "match":
            return _of_comparison(content["left"], content["right"])
        if kind == "vmap":
            data = content["data"]
            values = [value for value, _ in data["set"]] if isinstance(data, dict) else data
            return _of_comparison(content["key"], values)
        if kind == "mangle" and _is_mark(content["key"]):
            return _of_value(content["value"])
    return Bits()


def _of_comparison(left: object, right: object) -> Bits:
    """Return the bits of the left side of a match, which is compared with one or several values."""
    if _is_mark(left):
        return Bits(*_of_value(right)[:2])
    kind, operands = _parts(left)
    if kind == "&" and any(map(_is_mark, operands)):
        masks = [operand for operand in operands if isinstance(operand, int)]
        if len(masks) == 1 and isinstance(right, int):
            return masked(right, masks[0], compares=True)
        return Bits(0, masks[0] if masks else FULL) | Bits(_of_value(right).certain)
    return UNKNOWN if kind == "concat" and any(map(_is_mark, operands)) else Bits()


def _of_value(value: object) -> Bits:
    """Return the bits that a value sets in a mark, or clears in the mark that it is made of."""
    if isinstance(value, int):
        return Bits(value)
    if isinstance(value, list):
        return reduce(or_, map(_of_value, value), Bits())
    if _is_mark(value):
        return Bits()
    if not isinstance(value, dict):
        return UNKNOWN  # the name of a set
    return reduce(or_, (_KINDS.get(kind, _of_unknown)(content) for kind, content in value.items()), Bits())


def _of_unknown(_: object) -> Bits:
    return UNKNOWN


def _of_mask(operands: list[Any]) -> Bits:
    """Return the bits of a value under a mask. If that value is the packet's own mark, these are the cleared bits."""
    mask = FULL
    for operand in operands:
        mask &= operand if isinstance(operand, int) else FULL
    if {"meta": {"key": "mark"}} in operands:
        return masked(0, FULL & ~mask)
    return Bits(0, 0 if mask == FULL else mask)


def _of_union(operands: list[Any]) -> Bits:
    """Return the bits of several values together. A bit that one clears and another sets counts as set."""
    brought = reduce(or_, (each for each in operands if isinstance(each, int)), 0)
    others = _of_value([each for each in operands if not isinstance(each, int)])
    return Bits(others.certain | brought, others.possible & ~brought)


def _of_range(ends: list[int]) -> Bits:
    return Bits(0, (1 << max(ends).bit_length()) - 1)


def _of_map(content: Mapping[str, Any]) -> Bits:
    data = content["data"]
    return _of_value([value for _, value in data["set"]]) if isinstance(data, dict) else UNKNOWN


def _of_number(content: Mapping[str, Any]) -> Bits:
    """Return the bits of a number that nft counts, or computes from the packet."""
    return _of_range([content["mod"] + content.get("offset", 0)]) if "mod" in content else UNKNOWN


_KINDS: Mapping[str, Callable[[Any], Bits]] = {
    "&": _of_mask,
    "|": _of_union,
    "^": _of_value,
    "set": _of_value,
    "range": _of_range,
    "elem": lambda content: _of_value(content["val"]),
    "map": _of_map,
    **dict.fromkeys(("numgen", "jhash", "symhash"), _of_number),
}


def _is_mark(expression: object) -> bool:
    return expression in ({"meta": {"key": "mark"}}, {"ct": {"key": "mark"}})


def _parts(expression: object) -> tuple[str, list[Any]]:
    """Return the kind of an expression, and its operands if they are a list."""
    if not isinstance(expression, dict) or len(expression) != 1:
        return "", []
    ((kind, content),) = expression.items()
    return kind, content if isinstance(content, list) else []
