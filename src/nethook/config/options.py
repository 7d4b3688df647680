"""The options of a line: ``key=value`` from the third column on.

Each file has a registry of its options. The one of ``routed-ips`` is OPTIONS.
"""

from __future__ import annotations

from nethook.config.text import LineError, Word, excerpt, suggestion
from nethook.prefix import LINK_LOCAL, is_mac, is_safe, parse_prefix, unroutable_kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nethook.config.text import Word
    from nethook.prefix import Prefix

    Refusal = tuple[str, str]
    """What is wrong, and what to write instead."""

# libvirt keeps both in files NAME.xml, and the name of a file has at most 255 bytes (NAME_MAX).
_LONGEST = 255 - len(".xml")

SHOWN_BY = {"network": "virsh net-list --all", "guest": "virsh list --all"}

SHORTEST_PROXIED = 24
"""Each address needs an entry of its own. With more than 256 for one line, the provider should route the prefix."""

GROUP_BIT = 1
"""The bit of the first byte of a MAC address that makes it a group's address (IEEE 802)."""


class Option:
    """One option: its ``key``, and the mistakes that its value can have.

    To add one, derive from this class, and put an instance into the registry of its file. The part that needs it reads
    ``line.options``. ``needs`` is the key of another option without which it means nothing, and ``means`` what
    it does.
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


class GuestOption(Option):
    """The guest that the prefix is bound to."""

    key = "guest"
    why_one = "an address can be bound to only one"
    for_others = "or leave out guest= so that any guest of the network may use it"
    """What else to write where somebody has named several guests."""

    def refusal(self, value: str, prefix: Prefix | None) -> Refusal | None:
        """Return why this cannot be the name of a guest."""
        del prefix
        return name_refusal(value, "guest")

    def refusal_of_word(self, word: Word) -> Refusal | None:
        """Return that these seem to be several guests."""
        value = word.text.partition("=")[2]
        if "," not in value or word.is_quoted:
            return None
        what = f"{excerpt(value)} names several guests, but {self.why_one}"
        advice = f"write guest={excerpt(value.partition(',')[0])}, {self.for_others}"
        return what, f'{advice}; a name with a comma needs quotes: guest="{excerpt(value)}"'


class MacOption(Option):
    """The NIC of the guest, if it has several on the network."""

    key = "mac"
    needs = "guest"
    means = "selects a NIC of a guest"

    def refusal(self, value: str, prefix: Prefix | None) -> Refusal | None:
        """Return why this cannot be the MAC address of a NIC."""
        del prefix
        return _mac_refusal(value)

    def canonical(self, value: str) -> str:
        """Return it in small letters."""
        return value.lower()


class ViaOption(Option):
    """The next hop."""

    key = "via"

    def refusal(self, value: str, prefix: Prefix | None) -> Refusal | None:
        """Return why this cannot be a next hop for the prefix."""
        return _address_refusal(value) or (_via_refusal(self.canonical(value), prefix) if prefix else None)

    def canonical(self, value: str) -> str:
        """Return the address in its short form."""
        return parse_prefix(value).text


class ProxyOption(Option):
    """The uplink on which the host answers for the prefix."""

    key = "proxy"

    def refusal(self, value: str, prefix: Prefix | None) -> Refusal | None:
        """Return why this cannot be an uplink, or why the kernel cannot answer for this prefix."""
        if not is_safe(value):
            return f"{excerpt(value)} is not the name of a network device", "write one as ip link shows it"
        return _proxy_refusal(prefix) if prefix else None


OPTIONS: dict[str, Option] = {option.key: option for option in (GuestOption(), MacOption(), ViaOption(), ProxyOption())}
"""The registry of routed-ips."""


def may_be_option(word: Word, known: Mapping[str, Option]) -> bool:
    """Return whether the word has the key of a known option, whatever its value."""
    return word.text.partition("=")[0] in known


def behind_network(words: list[Word], known: Mapping[str, Option], errors: list[LineError]) -> list[Word]:
    """Check the network, append its mistake to ``errors``, and return the words after it."""
    if len(words) == 1:
        advice = "write the name of the libvirt network after the address"
        errors.append(LineError(words[0].end, "the network is missing", advice))
    elif _is_option(words[1:], known):
        advice = f"write its name before {excerpt(words[1].source)}; a network with that very name needs quotes"
        errors.append(LineError(words[1].column, "the network is missing", advice))
        return words[1:]
    else:
        reason = name_refusal(words[1].text, "network")
        if reason:
            errors.append(LineError(words[1].column, *reason))
    return words[2:]


def _is_option(words: list[Word], known: Mapping[str, Option]) -> bool:
    """Return whether the first of these words must be an option and cannot be the name of a network."""
    key, equals, _ = words[0].source.partition("=")
    return key in known and (bool(equals) or _words_of_option(words, known) > 1)


def read_options(
    words: list[Word], known: Mapping[str, Option], prefix: Prefix | None, errors: list[LineError]
) -> dict[str, str]:
    """Return the values of the options in these words by key, spelled as the kernel's tools print them.

    ``prefix`` is the prefix of the line, None if it is wrong itself. Mistakes are appended to ``errors``.
    """
    options: dict[str, str] = {}
    columns: dict[str, int] = {}
    for word, has_spaces in _without_spaces(words, known):
        key, _, value = word.text.partition("=")
        reason = _refusal(word, known, options, prefix)
        if not reason:
            value = known[key].canonical(value)
        if has_spaces and value:
            what = f"there are spaces around the = of {key}="
            errors.append(LineError(word.column, what, f"write {excerpt(word.source)}"))
        elif reason:
            errors.append(LineError(word.column, *reason))
        options.setdefault(key, value)
        columns.setdefault(key, word.column)
    for key in options:
        needs = known[key].needs if key in known else ""
        if needs and needs not in options:
            what = f"{key}= {known[key].means}, but {needs}= is missing"
            errors.append(LineError(columns[key], what, f"add {needs}=NAME"))
    return options


def _without_spaces(words: list[Word], known: Mapping[str, Option]) -> Iterator[tuple[Word, bool]]:
    """Yield each word with False, and each option with spaces around its ``=`` as one word with True."""
    at = 0
    while at < len(words):
        parts = words[at : at + _words_of_option(words[at:], known)]
        if parts[1:]:
            source = "".join(word.source for word in parts)
            yield Word(parts[0].column, "".join(word.text for word in parts), source), True
        else:
            yield parts[0], False
        at += len(parts)


def _words_of_option(words: list[Word], known: Mapping[str, Option]) -> int:
    """Return the number of words, from the first on, that make one option: more than 1 if its ``=`` has spaces."""
    first, *rest = words
    key = first.source.removesuffix("=")
    if key not in known or not rest:
        return 1
    following = rest[0].source
    if key == first.source:
        return 1 if not following.startswith("=") else 3 if following == "=" and rest[1:] else 2
    return 1 if "=" in following else 2


def _refusal(word: Word, known: Mapping[str, Option], before: dict[str, str], prefix: Prefix | None) -> Refusal | None:
    """Return the mistake in the word as an option, and advice; None if it is right. ``before`` has earlier options."""
    key, equals, value = word.text.partition("=")
    shown = excerpt(key)
    if not equals:
        if key in known:
            return f"{shown} has no value", f"write {key}=VALUE"
        key, value = next(reversed(before.items()), ("", ""))
        what = "KEY=VALUE" if key else f"guest={excerpt(word.source)} if this is the guest"
        whose = f'{key}="{value} {word.text}"' if key else '"my network"'
        return f"{shown} is not an option", f"write {what}; a name with spaces needs quotes: {whose}"
    if key not in known:
        return f"there is no option {shown}=", suggestion(key, tuple(known))
    if key in before:
        return f"{key}= is given twice", "keep one of them"
    if not value:
        return f"{key}= has no value", f"write {key}=VALUE, or remove it"
    return known[key].refusal_of_word(word) or known[key].refusal(value, prefix)


def _mac_refusal(text: str) -> Refusal | None:
    advice = "write it as virsh domiflist GUEST shows it, such as 52:54:00:12:34:56"
    if not is_mac(text):
        return f"{excerpt(text)} is not a MAC address", _mac_as_written_otherwise(text) or advice
    if int(text[:2], 16) & GROUP_BIT or not text.strip("0:"):
        return f"{text} is not the MAC address of a NIC", advice
    return None


def _mac_as_written_otherwise(text: str) -> str:
    """Return advice for a MAC address in the spelling of Windows or of switches; '' if the text is no MAC address."""
    digits = "".join(char for char in text if char not in "-.:")
    mac = ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))
    return f"write mac={mac.lower()}" if is_mac(mac) else ""


def _address_refusal(text: str) -> Refusal | None:
    advice = "write the address that the guest has on the network, such as 192.168.122.10 or fe80::5054:ff:fe12:3456"
    try:
        prefix = parse_prefix(text)
    except ValueError:
        return f"{excerpt(text)} is not an IP address", advice
    if "/" in text:
        return f"{text} is not one address", advice
    if unroutable_kind(prefix) not in {None, LINK_LOCAL}:
        return f"{text} cannot be a next hop, {unroutable_kind(prefix)} addresses never are", advice
    return None


def _via_refusal(via: str, prefix: Prefix) -> Refusal | None:
    """Return the reason why the address cannot be a next hop for this prefix, and advice; None if it can."""
    family = parse_prefix(via).family
    if family != prefix.family:
        return f"{via} is IPv{family}, and {prefix} is IPv{prefix.family}", f"write an IPv{prefix.family} address"
    if via == prefix.text:
        return f"{via} is the address itself", "remove via=, so that the host looks for the address on the network"
    return None


def name_refusal(name: str, of: str) -> Refusal | None:
    """Return the reason why this cannot be the name of a network or guest, and advice; None if it can.

    ``of`` is "network" or "guest". libvirt 9.0 accepts nearly all names.
    """
    what = None
    if not name:
        what = f"the {of} name is empty"
    elif "/" in name:
        what = f"libvirt allows no / in the name of a {of}"
    elif not name.isprintable() and any(char < " " and char not in "\t\r" for char in name):
        # XML 1.0 cannot hold them, so libvirt cannot have such a name.
        what = f"the {of} name has a control character"
    elif len(name.encode()) > _LONGEST:
        what = f"the {of} name is longer than libvirt can store, {_LONGEST} bytes"
    return (what, f"write the name as {SHOWN_BY[of]} shows it") if what else None


def _proxy_refusal(prefix: Prefix) -> Refusal | None:
    """Return the reason why the kernel cannot answer for this prefix on an uplink, and advice; None if it can.

    The kernel has an entry for each single address. An IPv4 prefix has few enough of them. An IPv6 prefix has too many,
    and nobody knows which of them are in use before somebody has reached them.
    """
    if prefix.family == 6 and not prefix.is_address:
        return (
            f"the kernel answers NDP for single addresses, not for a prefix such as {prefix}",
            "write a line for each address in use, or ask your provider to route the prefix to this host, "
            "or run ndppd for it and leave out proxy=",
        )
    if prefix.length < SHORTEST_PROXIED:
        what = f"{prefix} has too many addresses to answer ARP for each of them"
        return what, f"write prefixes of /{SHORTEST_PROXIED} or longer, or ask your provider to route it to this host"
    return None
