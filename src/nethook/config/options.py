"""The options of a routed IP: ``key=value`` from the third column on."""

from __future__ import annotations

from nethook.config.lines import LineError
from nethook.config.problem import excerpt
from nethook.config.suggestion import suggestion

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nethook.config.words import Word

OPTIONS = ("guest", "mac", "via", "proxy")

# Read and then refused, because nothing acts on them in this version: whoever writes guest= counts on the
# address being bound to that guest, and it would not be.
NOT_YET_SUPPORTED = ("guest", "mac", "via")


def is_option(word: Word) -> bool:
    """Whether the word can only be meant as an option, and not as the name of a network."""
    key, equals, _ = word.source.partition("=")
    return bool(equals) and key in OPTIONS


def read_options(words: list[Word], errors: list[LineError]) -> dict[str, str]:
    """The options that the words spell, by key; what is wrong with them is appended to ``errors``."""
    options: dict[str, str] = {}
    for word in words:
        key, _, value = word.text.partition("=")
        reason = _refusal(word, options)
        if reason:
            errors.append(LineError(word.column, *reason))
        options.setdefault(key, value)
    return options


def _refusal(word: Word, before: dict[str, str]) -> tuple[str, str] | None:
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
    if key in NOT_YET_SUPPORTED:
        return f"{key}= is not supported by this version yet", "remove the option, or wait with this line"
    return None
