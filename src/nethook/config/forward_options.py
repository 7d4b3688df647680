"""The options of a line of ``forwarded-ports``. The registry is FORWARD_OPTIONS."""

from __future__ import annotations

from nethook.config.listening import parse_target, with_ports
from nethook.config.options import GuestOption, MacOption, Option, ProxyOption
from nethook.config.text import excerpt
from nethook.prefix import parse_prefix, unroutable_kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nethook.config.options import Refusal
    from nethook.prefix import Prefix

YES, NO = "yes", "no"
AS_HOST = "host"


class TargetGuestOption(GuestOption):
    """The guest that a port or address is for."""

    why_one = "a port can be forwarded to only one"
    for_others = "and a line with other ports for each other guest"


class ToOption(Option):
    """The guest's address, its ports, or both."""

    key = "to"

    def refusal(self, value: str, prefix: Prefix | None) -> Refusal | None:
        """Return why this cannot be where the forward leads."""
        try:
            address, _ = parse_target(value)
        except ValueError:
            address = None
        else:
            if address is None:
                return None
            if not unroutable_kind(address):
                return _other_refusal(address, prefix) if prefix else None
        from nethook.config.listening_refusal import target_refusal  # noqa: PLC0415 - only for mistakes

        return target_refusal(value)

    def canonical(self, value: str) -> str:
        """Return the address in its short form."""
        address, ports = parse_target(value)
        return with_ports(address, ports) if address else value


def _other_refusal(target: Prefix, prefix: Prefix) -> Refusal | None:
    if target.family != prefix.family:
        what = f"{target} is IPv{target.family}, and {prefix} is IPv{prefix.family}"
        return what, f"write the guest's IPv{prefix.family} address"
    if target == prefix:
        advice = "write the address that the guest has on the network, such as 192.168.122.10, or remove to="
        return f"{target} is the address that the line forwards", advice
    return None


class FromOption(Option):
    """The addresses and prefixes that may use the forward."""

    key = "from"

    def refusal(self, value: str, prefix: Prefix | None) -> Refusal | None:
        """Return why this cannot be a list of sources."""
        try:
            sources = parse_sources(value)
        except ValueError:
            sources = ()
        ordered = sorted(sources, key=lambda source: (source.first, source.length))
        is_right = sources and not any(after.lies_in(before) for before, after in zip(ordered, ordered[1:]))
        if is_right and all(_can_be_source(source, prefix) for source in sources):
            return None
        from nethook.config.listening_refusal import sources_refusal  # noqa: PLC0415 - only for mistakes

        return sources_refusal(value, prefix)

    def canonical(self, value: str) -> str:
        """Return the addresses and prefixes in their short form."""
        return ",".join(source.text for source in parse_sources(value))


def _can_be_source(source: Prefix, prefix: Prefix | None) -> bool:
    return not unroutable_kind(source) and (prefix is None or source.family == prefix.family)


def parse_sources(text: str) -> tuple[Prefix, ...]:
    """Return the prefixes of a list such as ``198.51.100.0/24,192.0.2.7``; ValueError if one is wrong."""
    return tuple(parse_prefix(part) for part in text.split(","))


class OutgoingOption(Option):
    """``yes`` if what the guest sends from there leaves with the forwarded address and port."""

    key = "outgoing"

    def refusal(self, value: str, prefix: Prefix | None) -> Refusal | None:
        """Return that this is not one of the two words."""
        del prefix
        if value in {YES, NO}:
            return None
        return f"outgoing= is yes or no, not {excerpt(value)}", "write outgoing=yes, or remove the option"


class AsOption(Option):
    """``host`` if the guest sees its bridge's address instead of the client's."""

    key = "as"

    def refusal(self, value: str, prefix: Prefix | None) -> Refusal | None:
        """Return that this is not the word."""
        del prefix
        if value == AS_HOST:
            return None
        return f"as= can only be host, not {excerpt(value)}", "write as=host, or remove the option"


FORWARD_OPTIONS: dict[str, Option] = {
    option.key: option
    for option in (
        TargetGuestOption(),
        MacOption(),
        ToOption(),
        FromOption(),
        OutgoingOption(),
        AsOption(),
        ProxyOption(),
    )
}
"""The registry of forwarded-ports."""
