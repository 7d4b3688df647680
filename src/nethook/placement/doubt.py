"""What a wrong line may be about stays as it is. Pure."""

from __future__ import annotations

from nethook.net.prefix import parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nethook.config import Configuration
    from nethook.net.prefix import Prefix
    from nethook.parts.kind import Key


def in_doubt(
    present: Iterable[Key], configuration: Configuration, is_doubtful: Callable[[Prefix], bool]
) -> dict[Key, Prefix]:
    """Return those of our objects that no right line names, and a wrong line may be about, with their prefixes."""
    if not configuration.leaves_doubt:
        return {}
    named = {routed.prefix.text for routed in configuration.routed_ips}
    unnamed = {key: parse_prefix(key[0]) for key in sorted(present) if key[0] not in named}
    return {key: prefix for key, prefix in unnamed.items() if is_doubtful(prefix)}
