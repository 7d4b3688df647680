"""The lines of routed-ips: what they mean, and what is said about wrong ones."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nethook.config import RoutedIP, routed_ips
from nethook.config.routed_ips import parse_routed_ips
from nethook.config.text import MOST_LINES, MOST_PROBLEMS, Problem, in_quotes

PROVIDER = "write an address or prefix that your provider routes to this host"
PORTS = "write lines with ports to the file forwarded-ports: forwarded-ports(5)"
ADDRESS_FIRST = "begin the line with an address or prefix, such as 203.0.113.10 or 2001:db8:7::/64"
FOUR_NUMBERS = "write four numbers from 0 to 255, such as 203.0.113.10"
NAME = "write the name as virsh net-list --all shows it"
GUESTS = "write the name as virsh list --all shows it"
MACS = "write it as virsh domiflist GUEST shows it, such as 52:54:00:12:34:56"
NEXT_HOPS = "write the address that the guest has on the network, such as 192.168.122.10 or fe80::5054:ff:fe12:3456"


def parse(*contents: str | bytes) -> tuple[list[RoutedIP], list[Problem]]:
    """Parse files that are called a, b, c…"""
    encoded = [content.encode() if isinstance(content, str) else content for content in contents]
    return parse_routed_ips(zip("abc", encoded))


def good(*contents: str | bytes) -> list[tuple[str, str]]:
    routed_ips, problems = parse(*contents)
    assert [str(problem) for problem in problems] == []
    return [(str(routed_ip.prefix), routed_ip.network) for routed_ip in routed_ips]


def wrong(*contents: str | bytes) -> list[str]:
    routed_ips, problems = parse(*contents)
    assert routed_ips == []
    return [str(problem) for problem in problems]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", []),
        ("# nothing\n\n  \t\n", []),
        ("203.0.113.10 public", [("203.0.113.10", "public")]),
        ("203.0.113.10\tpublic\r\n", [("203.0.113.10", "public")]),
        ("203.0.113.10 public\r", [("203.0.113.10", "public")]),
        ("\ufeff203.0.113.10 public # trailing\n", [("203.0.113.10", "public")]),
        ("203.0.113.16/29 public\n", [("203.0.113.16/29", "public")]),
        ("203.0.113.10/32 public\n", [("203.0.113.10", "public")]),
        ("2001:DB8:7:0::/64 public\n", [("2001:db8:7::/64", "public")]),
        ("2001:db8::1/128 public\n", [("2001:db8::1", "public")]),
        ("10.0.0.0/8 public\n", [("10.0.0.0/8", "public")]),
        ('203.0.113.10 "my network"\n', [("203.0.113.10", "my network")]),
        ('203.0.113.10 "guest=web1"\n', [("203.0.113.10", "guest=web1")]),
        ("203.0.113.10 a=b#c\n", [("203.0.113.10", "a=b#c")]),
        (b"203.0.113.10 public # f\xfcr M\xfcller\n", [("203.0.113.10", "public")]),
        ("203.0.113.10 " + "ü" * 125 + "x", [("203.0.113.10", "ü" * 125 + "x")]),
    ],
)
def test_right_lines(content: str | bytes, expected: list[tuple[str, str]]) -> None:
    assert good(content) == expected


def test_prefixes_may_overlap_also_on_different_networks() -> None:
    lines = "203.0.113.0/24 one\n203.0.113.16/29 two\n203.0.113.16 one\n"
    assert good(lines) == [("203.0.113.0/24", "one"), ("203.0.113.16/29", "two"), ("203.0.113.16", "one")]


def test_a_routed_ip_knows_its_place() -> None:
    (first, second), _ = parse("# comment\n  203.0.113.10 public\n", "2001:db8::1 public")
    assert (str(first.place), str(second.place)) == ("a:2:3", "b:1:1")
    assert (first.guest, first.mac, first.via, first.proxy) == (None, None, None, None)


@pytest.mark.parametrize(
    ("prefix", "what", "advice"),
    [
        ("256.1.1.1", "256.1.1.1 is not an IPv4 address", FOUR_NUMBERS),
        ("1.2.3.4.5", "1.2.3.4.5 is not an IPv4 address", FOUR_NUMBERS),
        ("10.1", "10.1 is not an IPv4 address", FOUR_NUMBERS),
        ("10", "10 is not an IPv4 address", FOUR_NUMBERS),
        ("203.0.113/24", "203.0.113 is not an IPv4 address", "write 203.0.113.0/24"),
        (
            "203.0.113.010",
            "203.0.113.010 is not an IPv4 address: some programs read numbers with leading zeros as octal",
            "write 203.0.113.10",
        ),
        ("203.0.113.", "203.0.113. is not an IP address", ADDRESS_FIRST),
        ("public", "public is not an IP address", ADDRESS_FIRST),
        ("2001:db8:::1", "2001:db8:::1 is not an IP address", ADDRESS_FIRST),
        ("٢٠٣.0.113.1", "٢٠٣.0.113.1 is not an IP address", ADDRESS_FIRST),
        ("/24", "/24 is not an IP address", ADDRESS_FIRST),
        ('""', " is not an IP address", ADDRESS_FIRST),
        ("x" * 70, "x" * 60 + "… is not an IP address", ADDRESS_FIRST),
        (
            "203.0.113.10\xa0public",
            r"203.0.113.10\xa0public is not an IP address",
            ADDRESS_FIRST,
        ),
        ("203.0.113.10,", "203.0.113.10, has a comma", "write 203.0.113.10"),
        ("[2001:db8:7::11]", "[2001:db8:7::11] has brackets", "write 2001:db8:7::11"),
        ("[2001:db8:7::]/64", "[2001:db8:7::]/64 has brackets", "write 2001:db8:7::/64"),
        (
            "203.0.113.10,203.0.113.11",
            "203.0.113.10,203.0.113.11 is a list",
            "write a line for each address or prefix",
        ),
        (
            "203.0.113.8/29,2001:db8::/64",
            "203.0.113.8/29,2001:db8::/64 is a list",
            "write a line for each address or prefix",
        ),
        ("203.0.113.1-203.0.113.9", "203.0.113.1-203.0.113.9 is a range", "write a prefix, or a line for each address"),
        ("2001:db8::1%eth0", "2001:db8::1%eth0 has a zone, but a routed address has none", "write 2001:db8::1"),
        (
            "203.0.113.16/33",
            "/33 is not a prefix length",
            "write a number from 1 to 32 after the slash, or only 203.0.113.16",
        ),
        (
            "2001:db8::/129",
            "/129 is not a prefix length",
            "write a number from 1 to 128 after the slash, or only 2001:db8::",
        ),
        (
            "203.0.113.16/",
            "/ is not a prefix length",
            "write a number from 1 to 32 after the slash, or only 203.0.113.16",
        ),
        (
            "203.0.113.16/" + "9" * 4000,
            "/" + "9" * 60 + "… is not a prefix length",
            "write a number from 1 to 32 after the slash, or only 203.0.113.16",
        ),
        (
            "203.0.113.16/255.255.255.248",
            "/255.255.255.248 is not a prefix length",
            "write 203.0.113.16/29",
        ),
        (
            "203.0.113.16/255.0.255.0",
            "/255.0.255.0 is not a prefix length",
            "write a number from 1 to 32 after the slash, or only 203.0.113.16",
        ),
        (
            "203.0.113.17/29",
            "203.0.113.17/29 does not begin at a /29 boundary",
            "write 203.0.113.16/29 for the block, 203.0.113.17 for the address",
        ),
        (
            "2001:db8::1/64",
            "2001:db8::1/64 does not begin at a /64 boundary",
            "write 2001:db8::/64 for the block, 2001:db8::1 for the address",
        ),
        ("0.0.0.0/0", "0.0.0.0/0 is the default route: all traffic of this host would go to the network", PROVIDER),
        ("::/0", "::/0 is the default route: all traffic of this host would go to the network", PROVIDER),
        ("203.0.113.1/0", "0.0.0.0/0 is the default route: all traffic of this host would go to the network", PROVIDER),
        ("0.0.0.7", "0.0.0.7 cannot be routed to a guest, unspecified addresses never are", PROVIDER),
        ("0.0.0.0/1", "0.0.0.0/1 cannot be routed to a guest, unspecified addresses never are", PROVIDER),
        ("127.0.0.1", "127.0.0.1 cannot be routed to a guest, loopback addresses never are", PROVIDER),
        ("127.0.0.1/8", "127.0.0.0/8 cannot be routed to a guest, loopback addresses never are", PROVIDER),
        ("64.0.0.0/2", "64.0.0.0/2 cannot be routed to a guest, loopback addresses never are", PROVIDER),
        ("169.254.7.7", "169.254.7.7 cannot be routed to a guest, link-local addresses never are", PROVIDER),
        ("224.0.0.5", "224.0.0.5 cannot be routed to a guest, multicast addresses never are", PROVIDER),
        ("240.0.0.1", "240.0.0.1 cannot be routed to a guest, reserved addresses never are", PROVIDER),
        ("255.255.255.255", "255.255.255.255 cannot be routed to a guest, broadcast addresses never are", PROVIDER),
        ("::", ":: cannot be routed to a guest, unspecified addresses never are", PROVIDER),
        ("::1", "::1 cannot be routed to a guest, loopback addresses never are", PROVIDER),
        ("fe80::/10", "fe80::/10 cannot be routed to a guest, link-local addresses never are", PROVIDER),
        ("ff02::1", "ff02::1 cannot be routed to a guest, multicast addresses never are", PROVIDER),
        (
            "::ffff:203.0.113.10",
            "::ffff:203.0.113.10 cannot be routed to a guest, IPv4-mapped addresses never are",
            "write 203.0.113.10",
        ),
        (
            "::ffff:203.0.113.16/125",
            "::ffff:203.0.113.16/125 cannot be routed to a guest, IPv4-mapped addresses never are",
            "write 203.0.113.16/29",
        ),
    ],
)
def test_wrong_prefixes(prefix: str, what: str, advice: str) -> None:
    assert wrong(f"# one\n {prefix} public\n") == [f"a:2:2: {what}; {advice}"]


@pytest.mark.parametrize(
    ("line", "place", "what", "advice"),
    [
        (
            "203.0.113.10",
            "a:1:13",
            "the network is missing",
            "write the name of the libvirt network after the address",
        ),
        (
            "203.0.113.10 # public",
            "a:1:13",
            "the network is missing",
            "write the name of the libvirt network after the address",
        ),
        ('203.0.113.10 ""', "a:1:14", "the network name is empty", NAME),
        ("203.0.113.10 a/b", "a:1:14", "libvirt allows no / in the name of a network", NAME),
        ("203.0.113.10 a\x01b", "a:1:14", "the network name has a control character", NAME),
        ("203.0.113.10 a\0b", "a:1:14", "the network name has a control character", NAME),
        (
            "203.0.113.10 " + "ü" * 126,
            "a:1:14",
            "the network name is longer than libvirt can store, 251 bytes",
            NAME,
        ),
        ('203.0.113.10 "my net', "a:1:14", "the quote is not closed", 'write " at the end of the name'),
        (
            "203.0.113.10 my network",
            "a:1:17",
            "network is not an option",
            'write guest=network if this is the guest; a name with spaces needs quotes: "my network"',
        ),
        (
            "203.0.113.10 public guest=mail server",
            "a:1:32",
            "server is not an option",
            'write KEY=VALUE; a name with spaces needs quotes: guest="mail server"',
        ),
        ("203.0.113.10 public guest", "a:1:21", "guest has no value", "write guest=VALUE"),
        ("203.0.113.10:53/udp public", "a:1:1", "203.0.113.10:53/udp has a port", PORTS),
        ("203.0.113.10:80,443 public", "a:1:1", "203.0.113.10:80,443 has a port", PORTS),
        ("[2001:db8::1]:443 public", "a:1:1", "[2001:db8::1]:443 has a port", PORTS),
        ("203.0.113.10 public gest=web1", "a:1:21", "there is no option gest=", "did you mean guest?"),
        ("203.0.113.10 public GUEST=web1", "a:1:21", "there is no option GUEST=", "did you mean guest?"),
        (
            "203.0.113.10 public colour=red",
            "a:1:21",
            "there is no option colour=",
            "choose from: guest, mac, via, proxy",
        ),
        ("203.0.113.10 public guest=", "a:1:21", "guest= has no value", "write guest=VALUE, or remove it"),
        ("203.0.113.10 public guest=a/b", "a:1:21", "libvirt allows no / in the name of a guest", GUESTS),
        (
            f"203.0.113.10 public guest={'x' * 252}",
            "a:1:21",
            "the guest name is longer than libvirt can store, 251 bytes",
            GUESTS,
        ),
        ('203.0.113.10 public guest=a mac="x"', "a:1:29", "x is not a MAC address", MACS),
        (
            "203.0.113.10 public guest=a mac=52-54-00-12-34-5G",
            "a:1:29",
            "52-54-00-12-34-5G is not a MAC address",
            MACS,
        ),
        *(
            (f"203.0.113.10 public guest=a mac={mac}", "a:1:29", f"{mac} is not a MAC address", f"write mac={meant}")
            for mac, meant in (
                ("52-54-00-12-34-56", "52:54:00:12:34:56"),
                ("5254.0012.34AB", "52:54:00:12:34:ab"),
                ("525400123456", "52:54:00:12:34:56"),
            )
        ),
        ("203.0.113.10 public guest =", "a:1:21", "guest= has no value", "write guest=VALUE, or remove it"),
        *(
            (f"203.0.113.10 public {spaced}", "a:1:21", "there are spaces around the = of guest=", advice)
            for spaced, advice in (
                ("guest = web1", "write guest=web1"),
                ("guest =web1", "write guest=web1"),
                ("guest= web1", "write guest=web1"),
                ('guest = "web 1"', 'write guest="web 1"'),
                ("guest = fw1,fw2", "write guest=fw1,fw2"),
                ("guest = web1 mac=52:54:00:12:34:56", "write guest=web1"),
            )
        ),
        (
            "203.0.113.10 public guest=fw1,fw2",
            "a:1:21",
            "fw1,fw2 names several guests, but an address can be bound to only one",
            "write guest=fw1, or leave out guest= so that any guest of the network may use it; "
            'a name with a comma needs quotes: guest="fw1,fw2"',
        ),
        (
            "203.0.113.10 public guest=a mac=01:00:5e:00:00:01",
            "a:1:29",
            "01:00:5e:00:00:01 is not the MAC address of a NIC",
            MACS,
        ),
        (
            "203.0.113.10 public mac=52:54:00:12:34:56",
            "a:1:21",
            "mac= selects a NIC of a guest, but guest= is missing",
            "add guest=NAME",
        ),
        ("203.0.113.10 public via=::2", "a:1:21", "::2 is IPv6, and 203.0.113.10 is IPv4", "write an IPv4 address"),
        ("203.0.113.16/29 public via=10.0.0.0/8", "a:1:24", "10.0.0.0/8 is not one address", NEXT_HOPS),
        ("203.0.113.16/29 public via=web1", "a:1:24", "web1 is not an IP address", NEXT_HOPS),
        (
            "203.0.113.16/29 public via=224.0.0.1",
            "a:1:24",
            "224.0.0.1 cannot be a next hop, multicast addresses never are",
            NEXT_HOPS,
        ),
        (
            "203.0.113.10 public via=203.0.113.10",
            "a:1:21",
            "203.0.113.10 is the address itself",
            "remove via=, so that the host looks for the address on the network",
        ),
        (
            "203.0.113.10 public proxy=e/0",
            "a:1:21",
            "e/0 is not the name of a network device",
            "write one as ip link shows it",
        ),
        (
            "2001:db8::/64 public proxy=e0",
            "a:1:22",
            "the kernel answers NDP for single addresses, not for a prefix such as 2001:db8::/64",
            "write a line for each address in use, or ask your provider to route the prefix to this host, or run "
            "ndppd for it and leave out proxy=",
        ),
        (
            "203.0.112.0/23 public proxy=e0",
            "a:1:23",
            "203.0.112.0/23 has too many addresses to answer ARP for each of them",
            "write prefixes of /24 or longer, or ask your provider to route it to this host",
        ),
    ],
)
def test_wrong_lines(line: str, place: str, what: str, advice: str) -> None:
    assert wrong(line) == [f"{place}: {what}; {advice}"]


def test_an_option_in_the_place_of_the_network() -> None:
    (missing,) = wrong("203.0.113.10 guest=web1")
    advice = "write its name before guest=web1; a network with that very name needs quotes"
    assert missing == f"a:1:14: the network is missing; {advice}"


def test_an_option_twice() -> None:
    (second,) = wrong("203.0.113.10 public guest=a guest=b")
    assert second == "a:1:29: guest= is given twice; keep one of them"


@pytest.mark.parametrize("name", ["web1", "web 1", "Ünïcode-客", "x" * 200, "a#b", 'say "hi"', "a=b"])
def test_a_line_may_be_bound_to_a_guest(name: str) -> None:
    (line,), problems = parse(f"203.0.113.10 public guest={in_quotes(name)} mac=52:54:00:AB:CD:EF\n")
    assert problems == []
    assert (line.guest, line.mac) == (name, "52:54:00:ab:cd:ef")


@pytest.mark.parametrize(
    ("prefix", "via"),
    [("203.0.113.16/29", "203.0.113.17"), ("203.0.113.10", "169.254.1.1"), ("2001:db8:1::/64", "fe80::1")],
)
def test_what_lies_behind_a_next_hop(prefix: str, via: str) -> None:
    (line,), problems = parse(f"{prefix} public via={via.upper()}\n")
    assert problems == []
    assert line.via == via


def test_an_address_for_two_guests_names_both_lines() -> None:
    _, problems = parse("203.0.113.10 public guest=web1\n203.0.113.10 public guest=web2")
    assert [str(problem) for problem in problems] == [
        "a:2:1: 203.0.113.10 is already at a:1:1, for guest web1; keep one of the two lines"
    ]


def test_a_byte_that_is_not_utf8_is_pointed_at() -> None:
    assert wrong(b"203.0.113.10 \xc3\xbc\xff\n") == ["a:1:15: the byte 0xff is not UTF-8; save the file as UTF-8"]


def test_everything_that_is_wrong_is_told_at_once() -> None:
    routed_ips, problems = parse("256.1.1.1 a/b colour=red\n203.0.113.10 public\n::1 public\n")
    assert [str(problem.place) for problem in problems] == ["a:1:1", "a:1:11", "a:1:15", "a:3:1"]
    assert [str(routed_ip.place) for routed_ip in routed_ips] == ["a:2:1"]
    assert problems[0].text == "256.1.1.1 a/b colour=red"


def test_the_same_prefix_twice_names_the_first_place_and_the_first_counts() -> None:
    routed_ips, problems = parse("\n 2001:db8::1 one\n", "2001:DB8:0::1/128 two\n2001:db8::1 one")
    assert [(str(routed_ip.place), routed_ip.network) for routed_ip in routed_ips] == [("a:2:2", "one")]
    assert [str(problem) for problem in problems] == [
        "b:1:1: 2001:db8::1 is already at a:2:2; keep one of the two lines",
        "b:2:1: 2001:db8::1 is already at a:2:2; keep one of the two lines",
    ]


def test_a_wrong_line_does_not_take_the_place_of_a_right_one() -> None:
    routed_ips, problems = parse("203.0.113.10 public guest=\n203.0.113.10 public\n")
    assert [str(routed_ip.place) for routed_ip in routed_ips] == ["a:2:1"]
    assert len(problems) == 1


def test_a_problem_knows_the_prefix_it_is_about_where_that_can_be_told() -> None:
    _, problems = parse("203.0.113.10 a/b\n256.1.1.1 public\n203.0.113.11 b\xffad\n".encode("latin-1"))
    assert [str(problem.prefix) for problem in problems] == ["203.0.113.10", "None", "None"]


# What libvirt stores as the name of a network: what XML can hold, without / and line feed, in a file name.
xml_characters = st.one_of(st.characters(codec="utf-8", exclude_categories=["Cc"]), st.sampled_from("\t\r\x7f\x85"))
network_names = st.text(xml_characters.filter(lambda char: char != "/"), min_size=1, max_size=62)


@st.composite
def prefixes(draw: st.DrawFn) -> str:
    version = draw(st.sampled_from([4, 6]))
    # 1.0.0.0 to 126.255.255.255, or 2000::/3: there nothing is special.
    first = draw(st.integers(1 << 24, (127 << 24) - 1) if version == 4 else st.integers(1 << 125, (1 << 126) - 1))
    bits = 32 if version == 4 else 128
    length = draw(st.integers(8, bits))
    block = ipaddress.ip_network((first, length), strict=False)
    return draw(st.sampled_from([str(block), block.exploded])) if length < bits else str(block.network_address)


@given(st.lists(st.tuples(prefixes(), network_names), unique_by=lambda line: ipaddress.ip_network(line[0])))
def test_whatever_is_written_comes_back(lines: list[tuple[str, str]]) -> None:
    written = "\n".join(f"{prefix}\t{in_quotes(network)}" for prefix, network in lines)
    routed_ips, problems = parse(written)
    assert problems == []
    # As networks, because in some addresses ipaddress and the C library abbreviate different zeros.
    found = [(ipaddress.ip_network(str(routed_ip.prefix)), routed_ip.network) for routed_ip in routed_ips]
    assert found == [(ipaddress.ip_network(prefix), network) for prefix, network in lines]


@given(network_names)
def test_names_without_white_space_and_quotes_need_no_quotes(name: str) -> None:
    assume(not set(name) & set(' \t\r"') and not name.startswith("#"))
    assume(name.partition("=")[0] not in {"guest", "mac", "via", "proxy"})
    assert good(f"203.0.113.10 {name}") == [("203.0.113.10", name)]


@given(st.binary())
def test_garbage_never_raises_and_is_never_silent(garbage: bytes) -> None:
    routed_ips, problems = parse(garbage)
    for problem in problems:
        assert str(problem).isprintable()
        assert problem.text.encode()
        assert 1 <= problem.place.column <= len(problem.text) + 1
    for line in garbage.split(b"\n"):
        if line.strip(b" \t\r") and not line.lstrip(b" \t\r").startswith((b"#", b"\xef\xbb\xbf")):
            assert problems or routed_ips


words_of_lines = st.sampled_from(
    ["203.0.113.17/29", "203.0.113.9", "::1", "public", '"', '"a b"', "guest=a", "guest=", "=", "#", "\xff", "/", "\0"]
)
strange_lines = st.one_of(st.text(), st.lists(words_of_lines).map(" ".join)).map(
    lambda text: text.replace("\n", " ").encode("latin-1", "replace")
)


@given(st.lists(strange_lines), st.lists(strange_lines))
def test_a_wrong_line_never_costs_a_right_one(before: list[bytes], behind: list[bytes]) -> None:
    right = b"198.51.100.77 right"
    routed_ips, _ = parse(b"\n".join([b"", *before, right, *behind]))
    assert "right" in [routed_ip.network for routed_ip in routed_ips if str(routed_ip.prefix) == "198.51.100.77"]


@pytest.mark.parametrize("prefix", ["203.0.113.10", "203.0.113.0/24", "2001:db8::10"])
def test_what_the_host_answers_for_on_an_uplink(prefix: str) -> None:
    (line,), problems = parse(f"{prefix} public proxy=enp1s0")
    assert (line.proxy, problems) == ("enp1s0", [])


def test_more_lines_than_can_be_in_force_are_one_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routed_ips, "MOST", 3)
    text = "".join(f"203.0.113.{number} public\n" for number in range(1, 10))
    found, problems = routed_ips.parse_routed_ips([("a", text.encode()), ("b", text.encode())])
    assert [line.prefix.text for line in found] == ["203.0.113.1", "203.0.113.2", "203.0.113.3"]
    (problem,) = problems
    assert str(problem) == (
        "a:4:1: this line and all after it are ignored: at most 3 addresses and prefixes can be in force; "
        "write prefixes instead of single addresses, or move some of them to another host"
    )
    assert problem.prefix is None
    assert routed_ips.parse_routed_ips([("a", text[:57].encode())])[1] == []


def test_a_guest_with_a_comma_in_its_name_is_written_in_quotes() -> None:
    (line,), problems = parse('203.0.113.10 public guest="fw1,fw2"')
    assert (line.guest, problems) == ("fw1,fw2", [])


def test_of_very_many_mistakes_the_first_are_explained_and_right_lines_count() -> None:
    lines = "203.0.113.10\n" * (MOST_PROBLEMS + 500)
    found, problems = parse_routed_ips([("a", (lines + "203.0.113.11 public guest=web1\n").encode())])
    assert [line.prefix.text for line in found] == ["203.0.113.11"]
    assert len(problems) == MOST_PROBLEMS + 1
    last = problems[-1]
    assert (str(last), last.mistakes, last.prefix) == (
        f"a:{MOST_PROBLEMS + 1}:1: 500 more mistakes, from here on; correct the mistakes above first",
        500,
        None,
    )


def test_what_is_behind_very_many_lines_is_not_read() -> None:
    lines = "\n" * MOST_LINES
    for rest in ("", "\n\n"):
        assert parse_routed_ips([("a", (lines + rest).encode())]) == ([], [])
    found, problems = parse_routed_ips([("a", (lines + "203.0.113.11 public\n").encode()), ("b", b"x\n")])
    assert (found, [str(problem) for problem in problems]) == (
        [],
        [
            f"a:{MOST_LINES + 1}:1: the files have more than 200,000 lines; from here on they are not read; "
            "remove lines that are not yours"
        ],
    )
