"""An option of a routed IP. The registry of all options is in ``options.py``."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nethook.config.text import Word
    from nethook.net import Prefix

    Refusal = tuple[str, str]
    """What is wrong, and what to write instead."""


class Option:
    """One option: its ``key``, and the mistakes that its value can have.

    To add one, derive from this class, and put an instance into the registry OPTIONS. The part that needs it reads
    ``line.options``. ``needs`` is the key of another option without which it means nothing, and ``means`` what it does.
    """

    key = ""
    needs = ""
    means = ""

    def refusal(self, value: str, prefix: Prefix | None) -> Refusal | None:
        """Return the mistake in this value, and advice; None if it is right.

        ``prefix`` is the prefix of the line, None if that is wrong itself.
        """
        raise NotImplementedError

    def refusal_of_word(self, word: Word) -> Refusal | None:
        """Return the mistake in the way in which the option is written; None without one."""
        del word
        return None

    def canonical(self, value: str) -> str:
        """Return the right value as the kernel's tools print it."""
        return value
