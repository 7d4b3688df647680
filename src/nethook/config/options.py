"""The options of a routed IP: ``key=value`` from the third column on."""

from __future__ import annotations

from nethook.config.lines import LineError
from nethook.config.name import name_refusal
from nethook.config.problem import excerpt
from nethook.config.suggestion import suggestion
from nethook.config.unroutable import unroutable_kind
from nethook.prefix import parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nethook.config.name import Refusal
    from nethook.config.words import Word
    from nethook.prefix import Prefix

OPTIONS = ("guest", "mac", "via", "proxy")

# Read and then refused, because nothing acts on it in this version.
NOT_YET_SUPPORTED = ("proxy",)

MAC_LENGTH = 17
GROUP_BIT = 1
"""Of the first byte of a MAC: it is that of a group, not of one NIC. IEEE 802."""


def is_option(word: Word) -> bool:
    """Whether the word can only be meant as an option, and not as the name of a network."""
    key, equals, _ = word.source.partition("=")
    return bool(equals) and key in OPTIONS


def read_options(words: list[Word], prefix: Prefix | None, errors: list[LineError]) -> dict[str, str]:
    """The options that the words spell, by key, for a line about this prefix (None: it is wrong itself).

    Values are in the form in which the kernel's tools print them. What is wrong is appended to ``errors``.
    """
    options: dict[str, str] = {}
    columns: dict[str, int] = {}
    for word in words:
        key, _, value = word.text.partition("=")
        reason = _refusal(word, options)
        if not reason:
            if key == "mac":
                value = value.lower()
            elif key == "via":
                value = parse_prefix(value).text
                reason = _via_refusal(value, prefix) if prefix else None
        if reason:
            errors.append(LineError(word.column, *reason))
        options.setdefault(key, value)
        columns.setdefault(key, word.column)
    if "mac" in options and "guest" not in options:
        what = "mac= says which NIC of a guest, and no guest= says whose"
        errors.append(LineError(columns["mac"], what, "write guest=NAME, too"))
    return options


def _refusal(word: Word, before: dict[str, str]) -> Refusal | None:
    """What is wrong with the word as an option behind those ``before`` it, and what to write instead."""
    key, equals, value = word.text.partition("=")
    shown = excerpt(key)
    if not equals:
        advice = 'write KEY=VALUE; a network name with spaces needs quotes: "my network"'
        return f"{shown} is not an option", advice
    if key not in OPTIONS:
        return f"there is no option {shown}=", suggestion(key, OPTIONS)
    if key in before:
        return f"{key}= is here twice", "keep one of them"
    if not value:
        return f"{key}= has no value", f"write {key}=VALUE, or remove it"
    return _value_refusal(key, value)


def _value_refusal(key: str, value: str) -> Refusal | None:
    if key in NOT_YET_SUPPORTED:
        return f"{key}= is not supported by this version yet", "remove the option, or wait with this line"
    if key == "guest":
        return name_refusal(value, "guest")
    return _mac_refusal(value) if key == "mac" else _address_refusal(value)


def _mac_refusal(text: str) -> Refusal | None:
    advice = "write it as virsh domiflist GUEST shows it, such as 52:54:00:12:34:56"
    parts = text.split(":")
    hexadecimal = frozenset("0123456789abcdefABCDEF")
    if len(text) != MAC_LENGTH or any(len(part) != 2 or not hexadecimal.issuperset(part) for part in parts):
        return f"{excerpt(text)} is not a MAC address", advice
    if int(parts[0], 16) & GROUP_BIT or not any(int(part, 16) for part in parts):
        return f"{text} is not the MAC address of a NIC", advice
    return None


def _address_refusal(text: str) -> Refusal | None:
    advice = "write the address that the guest has on the network, such as 192.168.122.10 or fe80::5054:ff:fe12:3456"
    try:
        prefix = parse_prefix(text)
    except ValueError:
        return f"{excerpt(text)} is not an IP address", advice
    if "/" in text:
        return f"{text} is not one address", advice
    if unroutable_kind(prefix) not in {None, "link-local"}:
        return f"{text} cannot be a next hop, {unroutable_kind(prefix)} addresses never are", advice
    return None


def _via_refusal(via: str, prefix: Prefix) -> Refusal | None:
    """Why the address cannot be a next hop towards this prefix."""
    family = parse_prefix(via).family
    if family != prefix.family:
        return f"{via} is IPv{family}, and {prefix} is IPv{prefix.family}", f"write an IPv{prefix.family} address"
    if via == prefix.text:
        return f"{via} is the address itself", "remove via=: the address is then looked for on the network itself"
    return None
