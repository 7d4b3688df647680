"""The lines of forwarded-ports: what they mean, what is said about wrong ones, and that none has what another has."""

from __future__ import annotations

import ipaddress
import itertools
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nethook.config import Configuration, Settings, assemble, forwarded_ports, load
from nethook.config.forwarded_ports import Forward, parse_forwarded_ports
from nethook.config.text import MOST_PROBLEMS, Problem
from nethook.errors import ConfigError
from nethook.host import Host
from nethook.prefix import parse_prefix

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - no socket is bound
BEGINNING = "begin the line with an address and ports, such as 203.0.113.1:80 or [2001:db8:7::1]:80"
TARGET = "write the guest's address, port or both, such as 192.168.122.10, 8080 or 192.168.122.10:8080"
PORT = "write a port from 1 to 65535"
LIST = "write ports such as 80, 80,443 or 8000-8010"
WHOLE = "remove it; a line with the whole address, without a port, forwards every protocol"
CLIENTS = "write the address that clients connect to"
OWN_ADDRESS = "write the address that the guest has on the network, such as 192.168.122.10"
PREFIX = "write a line for each address; a whole prefix can be routed to a network: routed-ips(5)"


def parse(*contents: str | bytes) -> tuple[list[Forward], list[Problem]]:
    """Parse files that are called a, b, c…"""
    encoded = [content.encode() if isinstance(content, str) else content for content in contents]
    return parse_forwarded_ports(zip("abc", encoded))


def good(content: str) -> list[Forward]:
    forwards, problems = parse(content)
    assert [str(problem) for problem in problems] == []
    return forwards


def wrong(content: str | bytes) -> str:
    forwards, problems = parse(content)
    assert forwards == []
    (problem,) = problems
    return str(problem)


def spans(line: Forward) -> list[tuple[str, int, int, int]]:
    return [(span.protocol, span.first, span.last, span.to) for span in line.spans]


EXAMPLE = """
203.0.113.1:80,443              default   guest=web1                       # tcp where nothing is said
203.0.113.1:2201                default   guest=web1 to=22                 # another port
203.0.113.1:53/tcp,udp          default   guest=dns
203.0.113.1:8000-8010           default   guest=ci to=9000-9010            # as many ports
203.0.113.1:5000-5999/udp       lab       guest="build box" mac=52:54:00:12:34:56
203.0.113.1:3389                default   guest=win1 from=198.51.100.0/24,192.0.2.7
203.0.113.1:8443                default   to=192.168.122.50:443            # no guest: while the network is up
203.0.113.5                     default   guest=mail                       # whole address, both ways
203.0.113.6                     default   guest=vpn to=192.168.122.9 proxy=uplink0
[2001:db8:7::1]:443             default   guest=web1 to=fd00:122::10
2001:db8:7::5                   default   guest=mail to=fd00:122::11
0.0.0.0:25565/tcp,udp           default   guest=game
203.0.113.1:51820/udp           default   guest=wg outgoing=yes
203.0.113.1:8090                closed    guest=ci as=host
203.0.113.2                     default   guest=dmz                        # all of an address …
203.0.113.2:22                  -                                          # … but this stays with the host
"""


def test_the_file_of_the_manual() -> None:
    lines = {line.text: line for line in good(EXAMPLE)}
    assert list(lines) == [
        "203.0.113.1:80,443/tcp",
        "203.0.113.1:2201/tcp",
        "203.0.113.1:53/tcp,udp",
        "203.0.113.1:8000-8010/tcp",
        "203.0.113.1:5000-5999/udp",
        "203.0.113.1:3389/tcp",
        "203.0.113.1:8443/tcp",
        "203.0.113.5",
        "203.0.113.6",
        "[2001:db8:7::1]:443/tcp",
        "2001:db8:7::5",
        "0.0.0.0:25565/tcp,udp",
        "203.0.113.1:51820/udp",
        "203.0.113.1:8090/tcp",
        "203.0.113.2",
        "203.0.113.2:22/tcp",
    ]
    web = lines["203.0.113.1:80,443/tcp"]
    assert (web.address, web.family, web.network, web.guest, web.to) == ("203.0.113.1", 4, "default", "web1", None)
    assert (web.protocols, spans(web)) == (("tcp",), [("tcp", 80, 80, 80), ("tcp", 443, 443, 443)])
    assert (web.is_whole, web.is_any, web.is_hosts, web.as_host, web.outgoing) == (False,) * 5
    assert (str(web.place), web.prefix) == ("a:2:1", parse_prefix("203.0.113.1"))
    assert spans(lines["203.0.113.1:2201/tcp"]) == [("tcp", 2201, 2201, 22)]
    assert spans(lines["203.0.113.1:53/tcp,udp"]) == [("tcp", 53, 53, 53), ("udp", 53, 53, 53)]
    assert spans(lines["203.0.113.1:8000-8010/tcp"]) == [("tcp", 8000 + n, 8000 + n, 9000 + n) for n in range(11)]
    build = lines["203.0.113.1:5000-5999/udp"]
    assert (build.guest, build.mac, spans(build)) == ("build box", "52:54:00:12:34:56", [("udp", 5000, 5999, 5000)])
    assert [str(source) for source in lines["203.0.113.1:3389/tcp"].sources] == ["198.51.100.0/24", "192.0.2.7"]
    other = lines["203.0.113.1:8443/tcp"]
    assert (other.guest, other.to, spans(other)) == (None, "192.168.122.50", [("tcp", 8443, 8443, 443)])
    mail, vpn = lines["203.0.113.5"], lines["203.0.113.6"]
    assert (mail.is_whole, mail.protocols, mail.spans, mail.outgoing) == (True, (), (), True)
    assert (vpn.to, vpn.proxy) == ("192.168.122.9", "uplink0")
    assert (lines["[2001:db8:7::1]:443/tcp"].family, lines["2001:db8:7::5"].to) == (6, "fd00:122::11")
    assert lines["0.0.0.0:25565/tcp,udp"].is_any
    assert lines["203.0.113.1:51820/udp"].outgoing
    assert lines["203.0.113.1:8090/tcp"].as_host
    assert lines["203.0.113.2:22/tcp"].is_hosts


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("203.0.113.1:80 default guest=a to=80", [("tcp", 80, 80, 80)]),
        ("203.0.113.1:80-82 default guest=a to=80-82", [("tcp", 80, 82, 80)]),
        ("203.0.113.1:80-82 default guest=a to=22", [("tcp", 80, 80, 22), ("tcp", 81, 81, 22), ("tcp", 82, 82, 22)]),
        ("203.0.113.1:80-81,90 default guest=a to=1,5-6", [("tcp", 80, 80, 1), ("tcp", 81, 81, 5), ("tcp", 90, 90, 6)]),
        ("203.0.113.1:1-65535/UDP default guest=a", [("udp", 1, 65535, 1)]),
        ("203.0.113.1:80-81/udp,tcp default guest=a", [("tcp", 80, 81, 80), ("udp", 80, 81, 80)]),
        # The sets for these have no intervals.
        ("0.0.0.0:80-81 default guest=a", [("tcp", 80, 80, 80), ("tcp", 81, 81, 81)]),
        ("[::]:80-81 default guest=a", [("tcp", 80, 80, 80), ("tcp", 81, 81, 81)]),
        ("203.0.113.1:80-81 default guest=a as=host", [("tcp", 80, 80, 80), ("tcp", 81, 81, 81)]),
        ("203.0.113.1:80-81 default guest=a outgoing=yes", [("tcp", 80, 80, 80), ("tcp", 81, 81, 81)]),
        ("203.0.113.1:80-81 -", [("tcp", 80, 80, 80), ("tcp", 81, 81, 81)]),
        ("203.0.113.1:80-81 default guest=a outgoing=no", [("tcp", 80, 81, 80)]),
    ],
)
def test_spans(line: str, expected: list[tuple[str, int, int, int]]) -> None:
    (forward,) = good(line)
    assert spans(forward) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("203.0.113.1:80,443 a guest=web1", "192.168.122.5:80,443"),
        ("203.0.113.1:8000-8010 a guest=web1 to=9000-9010", "192.168.122.5:9000-9010"),
        ("203.0.113.1:80-90 a guest=web1 to=80", "192.168.122.5:80"),
        ("203.0.113.1 a guest=web1", "192.168.122.5"),
    ],
)
def test_the_place_that_a_line_leads_to(line: str, expected: str) -> None:
    (forward,) = good(line)
    assert forward.text_at("192.168.122.5") == expected


def test_a_network_with_the_name_of_the_host_needs_quotes() -> None:
    network, host = good('203.0.113.1:80 "-" guest=a\n203.0.113.1:22 -')
    assert [(line.network, line.is_hosts) for line in (network, host)] == [("-", False), ("-", True)]


def test_the_canonical_spelling_of_an_address_that_may_be_one_with_a_port() -> None:
    (line,) = good("2001:db8:7:0:0:0:1:443 default to=fd00:0:0:0:0:0:1:443")
    assert (line.address, line.to) == ("2001:db8:7::1:443", "fd00::1:443")
    assert line.text == "2001:db8:7:0:0:0:1:443"


@pytest.mark.parametrize(
    ("listening", "column", "what", "advice"),
    [
        ("203.0.113.1:70000", 13, "port 70000 is larger than 65535", PORT),
        ("203.0.113.1:" + "9" * 4000, 13, f"port {'9' * 60}… is larger than 65535", PORT),
        ("203.0.113.1:80,0", 16, "port 0 does not exist", PORT),
        ("203.0.113.1:80-70", 13, "the range 80-70 goes from high to low", "write 70-80"),
        ("203.0.113.1:80-", 13, "the range 80- has one end", "write both ends, such as 8000-8010"),
        ("203.0.113.1:80,80", 16, "port 80 is given twice", "write each port once"),
        ("203.0.113.1:80-90,85", 19, "85 overlaps 80-90", "write each port once"),
        ("203.0.113.1:80,", 16, "there is a comma too many", "write one comma between two ports, and no space"),
        ("203.0.113.1:080", 13, "port 080 has a zero too many", "write 80"),
        ("203.0.113.1:80\u201390", 13, "80\u201390 has a hyphen that is not -", "write 80-90"),
        ("203.0.113.1:http", 13, "http is not a port", LIST),
        ("203.0.113.1:80;443", 13, "80;443 is not a port", LIST),
        ("203.0.113.1:٨٠", 13, "٨٠ is not a port", LIST),
        ("203.0.113.1:80tcp", 13, "80tcp is not a port", "write 80/tcp"),
        ("203.0.113.1:", 13, "there is no port", "write one after the colon, such as 80"),
        ("203.0.113.1:80:tcp", 15, ":tcp is not where the protocol stands", "write 203.0.113.1:80/tcp"),
        ("203.0.113.1:tcp:80", 13, "tcp is not where the protocol stands", "write 203.0.113.1:80/tcp"),
        (
            "203.0.113.1:8080:80",
            13,
            "8080:80 has two ports",
            "write 203.0.113.1:8080 and to=80 for another port of the guest",
        ),
        (
            "203.0.113.1:1:65535/udp",
            13,
            "1:65535/udp has two ports",
            "write 203.0.113.1:1/udp and to=65535 for another port of the guest, 203.0.113.1:1-65535/udp for a range",
        ),
        ("203.0.113.1:80/sctp", 16, "ports of sctp cannot be forwarded, only those of tcp and udp", WHOLE),
        ("203.0.113.1:80/icmp", 16, "icmp has no ports", WHOLE),
        ("203.0.113.1:80/tpc", 16, "there is no protocol tpc", "did you mean tcp?"),
        ("203.0.113.1:80/tcp6", 16, "there is no protocol tcp6", "write /tcp"),
        ("203.0.113.1:80/tcp,tcp", 16, "tcp is given twice", "write /tcp"),
        ("203.0.113.1:80/both", 16, "both is not a list of protocols", "write /tcp,udp"),
        ("203.0.113.1:80/tcp+udp", 16, "tcp+udp is not a list of protocols", "write /tcp,udp"),
        (
            "203.0.113.1:80/",
            16,
            "there is no protocol after the slash",
            "write /tcp, /udp or /tcp,udp, or remove the slash",
        ),
        (
            "203.0.113.1:tcp/80",
            17,
            "80 is not a protocol",
            "write ports before the slash, and tcp or udp after it",
        ),
        (
            "203.0.113.5/tcp",
            12,
            "/tcp needs a port before it",
            "write 203.0.113.5:80/tcp with the port, or only 203.0.113.5 for all of the address",
        ),
        (
            "80",
            1,
            "80 has no address",
            "write the address before the port, such as 203.0.113.1:80, or 0.0.0.0:80 for any address",
        ),
        (
            ":80",
            1,
            ":80 has no address",
            "write the address before the port, such as 203.0.113.1:80, or 0.0.0.0:80 for any address",
        ),
        ("8080:80", 1, "8080:80 has no address", "write 203.0.113.1:8080 with your address, and to=80"),
        ("*:80", 1, "* is not an address", "write 0.0.0.0:80 for IPv4, [::]:80 for IPv6"),
        ('""', 1, "the address is empty", BEGINNING),
        ("x:y:z", 1, "x:y:z is not an IP address", BEGINNING),
        (
            "www.example.org:80",
            1,
            "www.example.org is a name, and the kernel forwards addresses",
            "write its address, such as 203.0.113.1:80",
        ),
        ("203.0.113.0/24", 1, "203.0.113.0/24 is not one address", PREFIX),
        ("203.0.113.0/24:80", 1, "203.0.113.0/24 is not one address", PREFIX),
        ("2001:db8:7::/64", 1, "2001:db8:7::/64 is not one address", PREFIX),
        ("[2001:db8:7::/64]:80", 1, "2001:db8:7::/64 is not one address", PREFIX),
        ("203.0.113.1/32:80", 12, "a forward is for one address, without /32", "write 203.0.113.1:80"),
        (
            "203.0.113.1,203.0.113.2:80",
            1,
            "203.0.113.1,203.0.113.2 is not one address",
            "write a line for each address",
        ),
        ("203.0.113.1-203.0.113.5", 1, "203.0.113.1-203.0.113.5 is not one address", "write a line for each address"),
        (
            "256.1.1.1:80",
            1,
            "256.1.1.1 is not an IPv4 address",
            "write four numbers from 0 to 255, such as 203.0.113.10",
        ),
        (
            "203.0.113.01:80",
            1,
            "203.0.113.01 is not an IPv4 address: some programs read numbers with leading zeros as octal",
            "write 203.0.113.1:80",
        ),
        ("[203.0.113.1]:80", 1, "brackets are for IPv6 addresses, not for 203.0.113.1", "write 203.0.113.1:80"),
        (
            "[2001:db8::1]",
            1,
            "[2001:db8::1] has no port",
            "write [2001:db8::1]:80 for port 80, 2001:db8::1 for the whole address",
        ),
        ("[2001:db8::1]80", 14, "there is no : before 80", "write [2001:db8::1]:80"),
        (
            "[2001:db8::1:443",
            1,
            "the bracket [ is not closed",
            "write ] after the address, such as [2001:db8:7::1]:80",
        ),
        (
            "2001:db8:7::1:443",
            1,
            "2001:db8:7::1:443 may be an address, or one with a port",
            "write [2001:db8:7::1]:443 for the port, 2001:db8:7:0:0:0:1:443 for the address",
        ),
        (
            "2001:db8:7::1:443/tcp",
            1,
            "2001:db8:7::1:443/tcp is an IPv6 address with a port, and has no brackets",
            "write [2001:db8:7::1]:443/tcp",
        ),
        (
            "2001:db8:7::1:80,443",
            1,
            "2001:db8:7::1:80,443 is an IPv6 address with a port, and has no brackets",
            "write [2001:db8:7::1]:80,443",
        ),
        ("[2001:db8:::1]:443", 1, "2001:db8:::1 is not an IP address", BEGINNING),
        (
            "[2001:db8::1%eth0]:80",
            1,
            "2001:db8::1%eth0 has a zone, and a forwarded address has none",
            "write [2001:db8::1]:80",
        ),
        ("2001:db8::1%eth0", 1, "2001:db8::1%eth0 has a zone, and a forwarded address has none", "write 2001:db8::1"),
        *(
            (f"{address}:80", 1, f"{bare} cannot be forwarded: clients do not reach {kind} addresses", CLIENTS)
            for address, bare, kind in (
                ("127.0.0.1", "127.0.0.1", "loopback"),
                ("169.254.1.1", "169.254.1.1", "link-local"),
                ("224.0.0.1", "224.0.0.1", "multicast"),
                ("255.255.255.255", "255.255.255.255", "broadcast"),
                ("0.0.0.7", "0.0.0.7", "unspecified"),
                ("[::1]", "::1", "loopback"),
                ("[fe80::1%eth0]", "fe80::1", "link-local"),
                ("[ff02::1]", "ff02::1", "multicast"),
            )
        ),
        (
            "[::ffff:203.0.113.1]:80",
            1,
            "::ffff:203.0.113.1 cannot be forwarded: it is IPv4-mapped",
            "write 203.0.113.1:80",
        ),
        (
            ANY_ADDRESS,
            1,
            "0.0.0.0 stands for any address of the host, so it needs a port",
            "write the port, such as 0.0.0.0:80",
        ),
        ("::", 1, ":: stands for any address of the host, so it needs a port", "write the port, such as [::]:80"),
    ],
)
def test_wrong_listening_parts(listening: str, column: int, what: str, advice: str) -> None:
    assert wrong(f"# one\n{listening} default guest=a\n") == f"a:2:{column}: {what}; {advice}"


@pytest.mark.parametrize(
    ("line", "column", "between", "advice"),
    [
        ("203.0.113.1 :80 default guest=a", 13, "203.0.113.1 and :80", "203.0.113.1:80"),
        ("203.0.113.1 :80 guest=a", 13, "203.0.113.1 and :80", "203.0.113.1:80"),
        ("203.0.113.1: 80 default guest=a", 14, "203.0.113.1: and 80", "203.0.113.1:80"),
        ("203.0.113.1:80, 443 default guest=a", 17, "203.0.113.1:80, and 443", "203.0.113.1:80,443"),
        ("203.0.113.1:80 /udp default guest=a", 16, "203.0.113.1:80 and /udp", "203.0.113.1:80/udp"),
        ("203.0.113.1 80 default guest=a", 13, "203.0.113.1 and 80", "203.0.113.1:80"),
        ("203.0.113.1:80 UDP default guest=a", 16, "203.0.113.1:80 and UDP", "203.0.113.1:80/UDP"),
    ],
)
def test_a_space_within_the_listening_part(line: str, column: int, between: str, advice: str) -> None:
    assert wrong(line) == f"a:1:{column}: there is a space between {between}; write {advice}"


NO_GUEST = "add guest=NAME, or to=ADDRESS with the address that the guest has on the network"
ANY = "write the address instead of 0.0.0.0"


@pytest.mark.parametrize(
    ("line", "column", "what", "advice"),
    [
        ("203.0.113.1:80", 15, "the network is missing", "write the name of the libvirt network after the address"),
        (
            "203.0.113.1:80 guest=a",
            16,
            "the network is missing",
            "write its name before guest=a; a network with that very name needs quotes",
        ),
        (
            "203.0.113.1:80 my net guest=a",
            19,
            "net is not an option",
            'write guest=net if this is the guest; a name with spaces needs quotes: "my network"',
        ),
        ("203.0.113.1:80 x gest=a", 18, "there is no option gest=", "did you mean guest?"),
        (
            "203.0.113.1:80 x guest=a via=10.0.0.1",
            26,
            "there is no option via=",
            "choose from: guest, mac, to, from, outgoing, as, proxy",
        ),
        ("203.0.113.1:80 x", 1, "the line does not say which guest 203.0.113.1:80/tcp is for", NO_GUEST),
        ("203.0.113.5 x from=10.0.0.0/8", 1, "the line does not say which guest 203.0.113.5 is for", NO_GUEST),
        (
            "203.0.113.1:80 x guest=a,b",
            18,
            "a,b names several guests, but a port can be forwarded to only one",
            "write guest=a, and a line with other ports for each other guest; "
            'a name with a comma needs quotes: guest="a,b"',
        ),
        (
            "203.0.113.1:80 x to=10.0.0.1 mac=52:54:00:12:34:56",
            30,
            "mac= selects a NIC of a guest, but guest= is missing",
            "add guest=NAME",
        ),
        ("203.0.113.1:80 x to=22", 18, "to=22 has no address, and guest= is missing", "add guest=NAME"),
        (
            "203.0.113.1:80 x to=fd00::10",
            18,
            "fd00::10 is IPv6, and 203.0.113.1 is IPv4",
            "write the guest's IPv4 address",
        ),
        (
            "203.0.113.1:80 x to=203.0.113.1",
            18,
            "203.0.113.1 is the address that the line forwards",
            f"{OWN_ADDRESS}, or remove to=",
        ),
        (
            "203.0.113.1:80 x to=127.0.0.1",
            18,
            "127.0.0.1 cannot be the address of a guest: it is loopback",
            OWN_ADDRESS,
        ),
        ("203.0.113.1:80 x to=10.0.0.0/8", 18, "10.0.0.0/8 is not one address", TARGET),
        ("203.0.113.1:80 x to=10.0.0.300", 18, "10.0.0.300 is not the address of a guest", TARGET),
        (
            "203.0.113.1:80 x to=web1",
            18,
            "web1 is not an address or port",
            "write guest=web1 if this is a guest, or its address",
        ),
        ("203.0.113.1:80 x to=10.0.0.1:0", 18, "port 0 does not exist", PORT),
        (
            "203.0.113.1:80 x to=10.0.0.1:80/tcp",
            18,
            "10.0.0.1:80/tcp has a protocol",
            "write to=10.0.0.1:80, and /tcp after the port in the first column",
        ),
        ("203.0.113.1:80 x to=:80", 18, ":80 has no address before the colon", "write to=80"),
        (
            "203.0.113.1:80 x to=[10.0.0.1]:80",
            18,
            "[10.0.0.1]:80 has brackets, which are for IPv6 addresses",
            "write to=10.0.0.1:80",
        ),
        (
            "[2001:db8::1]:80 x to=fd00::5:443",
            20,
            "fd00::5:443 may be an address, or one with a port",
            "write to=[fd00::5]:443 for the port, to=fd00:0:0:0:0:0:5:443 for the address",
        ),
        (
            "203.0.113.1:8000-8010 x guest=a to=9000-9005",
            33,
            "to=9000-9005 has 6 ports, 8000-8010 has 11",
            "write to=9000-9010, or one port for all",
        ),
        (
            "203.0.113.1:80,443 x to=10.0.0.1:65533-65535",
            22,
            "to=10.0.0.1:65533-65535 has 3 ports, 80,443 has 2",
            "write to=10.0.0.1:65533-65534, or one port for all",
        ),
        ("203.0.113.1:80 x guest=a to=1-2", 26, "to=1-2 has 2 ports, 80 has 1", "write to=1"),
        (
            "203.0.113.5 x guest=a to=22",
            23,
            "to=22 has a port, but the line forwards all of 203.0.113.5",
            "remove to=, or write 203.0.113.5:22 for a port",
        ),
        (
            "203.0.113.5 x to=10.0.0.1:22",
            15,
            "to=10.0.0.1:22 has a port, but the line forwards all of 203.0.113.5",
            "write to=10.0.0.1 for all of it, or 203.0.113.5:22 for a port",
        ),
        (
            "203.0.113.5 x guest=a outgoing=yes",
            23,
            "outgoing=yes is not needed: what the guest sends leaves as 203.0.113.5, a whole address",
            "remove outgoing=yes",
        ),
        (
            "203.0.113.5 x guest=a as=host",
            23,
            "as=host is for ports, but the line forwards all of 203.0.113.5",
            "remove as=host, or write ports, such as 203.0.113.5:80",
        ),
        (
            "203.0.113.1:80,443 x guest=a to=8080 outgoing=yes",
            38,
            "several ports go to port 8080, and what it sends can leave from only one",
            "remove outgoing=yes, or write a line for one of the ports",
        ),
        (
            "203.0.113.1:80 x guest=a outgoing=maybe",
            26,
            "outgoing= is yes or no, not maybe",
            "write outgoing=yes, or remove the option",
        ),
        (
            "203.0.113.1:80 x guest=a as=guest",
            26,
            "as= can only be host, not guest",
            "write as=host, or remove the option",
        ),
        (
            "203.0.113.1:80 x guest=a from=2001:db8::/32",
            26,
            "2001:db8::/32 is IPv6, and 203.0.113.1 is IPv4",
            "write IPv4 addresses and prefixes",
        ),
        (
            "203.0.113.1:80 x guest=a from=10.0.0.1/8",
            26,
            "10.0.0.1/8 does not begin at a /8 boundary",
            "write 10.0.0.0/8 for the block, 10.0.0.1 for the address",
        ),
        ("203.0.113.1:80 x guest=a from=10.1.1.1,10.0.0.0/8", 26, "10.1.1.1 lies in 10.0.0.0/8", "remove 10.1.1.1"),
        ("203.0.113.1:80 x guest=a from=10.1.1.1,10.1.1.1", 26, "10.1.1.1 is given twice", "remove one of them"),
        (
            "203.0.113.1:80 x guest=a from=10.1.1.1,",
            26,
            "from=10.1.1.1, has a comma too many",
            "write addresses and prefixes with one comma between them",
        ),
        ("203.0.113.1:80 x guest=a from=0.0.0.0/0", 26, "0.0.0.0/0 is everybody", "remove from="),
        (
            "203.0.113.1:80 x guest=a from=localhost",
            26,
            "localhost is not an IP address",
            "write addresses and prefixes, such as 198.51.100.0/24,192.0.2.7",
        ),
        (
            "203.0.113.1:80 x guest=a from=127.0.0.1",
            26,
            "nothing from 127.0.0.1 can reach a forward: it has loopback addresses",
            "write the addresses of clients, such as 198.51.100.0/24",
        ),
        (
            "0.0.0.0:80 x guest=a from=10.0.0.0/8",
            22,
            "from= limits who may use one address, and 0.0.0.0 stands for any",
            ANY,
        ),
        (
            "0.0.0.0:80 x guest=a as=host",
            22,
            "as=host is for the ports of one address, and 0.0.0.0 stands for any",
            ANY,
        ),
        (
            "0.0.0.0:80 x guest=a proxy=e0",
            22,
            "proxy= makes the host answer for one address, and 0.0.0.0 stands for any",
            ANY,
        ),
        (
            "0.0.0.0:80 x guest=a outgoing=yes",
            22,
            "outgoing=yes makes packets leave from one address, and 0.0.0.0 stands for any",
            ANY,
        ),
        (
            "0.0.0.0:22 -",
            1,
            "0.0.0.0 stands for any address, and a port stays with the host at one address",
            "write a line with the address for each address of which the port stays with the host",
        ),
        (
            "203.0.113.5 -",
            1,
            "an address stays with the host if no line has it, and 203.0.113.5 has no port",
            "write the port that stays with the host, such as 203.0.113.5:22",
        ),
        (
            "203.0.113.5:22 - guest=a",
            18,
            "203.0.113.5:22/tcp stays with the host, so guest= has no meaning",
            "remove guest=",
        ),
    ],
)
def test_wrong_lines(line: str, column: int, what: str, advice: str) -> None:
    assert wrong(line) == f"a:1:{column}: {what}; {advice}"


@pytest.mark.parametrize(
    ("first", "second", "what", "advice"),
    [
        (
            "203.0.113.1:80 x guest=a",
            "203.0.113.1:80 x guest=b",
            "203.0.113.1:80/tcp is already at a:1:1, for guest a",
            "keep one of the two lines",
        ),
        (
            "203.0.113.1:53/udp x guest=a",
            "203.0.113.1:53-54/tcp,udp x guest=b to=1-2",
            "203.0.113.1:53/udp is already at a:1:1, for guest a",
            "keep the port in one of the two lines",
        ),
        (
            "203.0.113.1:8000-8010 x guest=a",
            "203.0.113.1:8005-8020 x guest=b",
            "203.0.113.1:8005-8020/tcp overlaps 203.0.113.1:8000-8010/tcp at a:1:1, for guest a",
            "write ranges that have no port in common",
        ),
        (
            "203.0.113.5 x to=10.0.0.1",
            "203.0.113.5 x guest=b",
            "203.0.113.5 is already at a:1:1",
            "keep one of the two lines",
        ),
        (
            "0.0.0.0:80 x guest=a",
            "0.0.0.0:80 x guest=b",
            "0.0.0.0:80/tcp is already at a:1:1, for guest a",
            "keep one of the two lines",
        ),
        (
            "203.0.113.1:22 -",
            "203.0.113.1:22 x guest=a",
            "203.0.113.1:22/tcp is already at a:1:1",
            "keep one of the two lines",
        ),
        (
            "203.0.113.1:80 x guest=a from=10.0.0.0/8",
            "203.0.113.1:80 x guest=b from=11.0.0.0/8,10.1.0.0/16",
            "203.0.113.1:80/tcp from 10.1.0.0/16 is already at a:1:1, from 10.0.0.0/8, for guest a",
            "write prefixes that have no address in common, or other ports",
        ),
        (
            "203.0.113.1:80-90 x guest=a from=10.1.1.1",
            "203.0.113.1:80-90 x guest=b from=10.0.0.0/8",
            "203.0.113.1:80-90/tcp from 10.0.0.0/8 is already at a:1:1, from 10.1.1.1, for guest a",
            "write prefixes that have no address in common, or other ports",
        ),
        (  # the set of what is taken does not know for whom
            "203.0.113.1:80-90 x guest=a from=11.0.0.0/8",
            "203.0.113.1:85-95 x guest=b from=10.0.0.0/8",
            "203.0.113.1:85-95/tcp overlaps 203.0.113.1:80-90/tcp at a:1:1, for guest a",
            "write ranges that are the same, or have no port in common",
        ),
        (
            "203.0.113.1:1-65535 x guest=a",
            "203.0.113.1:85-95 x guest=b from=10.0.0.0/8",
            "203.0.113.1:85-95/tcp overlaps 203.0.113.1:1-65535/tcp at a:1:1, for guest a",
            "write ranges that are the same, or have no port in common",
        ),
        (
            "203.0.113.1:80-90 x guest=a",
            "203.0.113.1:80-90 x guest=b",
            "203.0.113.1:80-90/tcp is already at a:1:1, for guest a",
            "keep one of the two lines",
        ),
        (
            "203.0.113.5 x guest=a",
            "203.0.113.6 x guest=a",
            "what the guest sends already leaves as 203.0.113.5, by a:1:1",
            "add outgoing=no to one of the two lines",
        ),
        (
            "203.0.113.1:80 x guest=a outgoing=yes",
            "203.0.113.2:8080 x guest=a to=80 outgoing=yes",
            "what the guest sends from there already leaves as 203.0.113.1:80/tcp, by a:1:1",
            "keep one of the two outgoing=yes",
        ),
        (
            "203.0.113.1:80 x guest=a proxy=e0",
            "203.0.113.1:81 x guest=a proxy=e1",
            "the host already answers for 203.0.113.1 on e0, by a:1:1",
            "write proxy=e0",
        ),
    ],
)
def test_a_line_that_has_what_another_has(first: str, second: str, what: str, advice: str) -> None:
    forwards, problems = parse(f"{first}\n", second)
    assert [str(line.place) for line in forwards] == ["a:1:1"]
    (problem,) = problems
    assert (problem.what, problem.advice, problem.place.file) == (what, advice, "b")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("203.0.113.1:80 x guest=a", "203.0.113.1:80/udp x guest=b"),
        ("203.0.113.1:80 x guest=a", "203.0.113.2:80 x guest=b"),
        ("203.0.113.1:80 x guest=a", "0.0.0.0:80 x guest=b"),
        ("203.0.113.1 x guest=a", "203.0.113.1:80 x guest=b"),
        ("203.0.113.1:8000-8010 x guest=a", "203.0.113.1:8005 x guest=b"),
        ("203.0.113.1:8000-8010 x guest=a", "203.0.113.1:8005-8006 -"),
        ("203.0.113.1:8000-8010 x guest=a", "203.0.113.1:8011-8012 x guest=b"),
        ("203.0.113.1:80 x guest=a", "203.0.113.1:80 x guest=b from=10.0.0.0/8"),
        ("203.0.113.1:80-90 x guest=a from=11.0.0.0/8", "203.0.113.1:80-90 x guest=b from=10.0.0.0/8"),
        ("203.0.113.1:80-90 x guest=a from=11.0.0.0/8", "203.0.113.1:80-90 x guest=b"),
        ("203.0.113.5 x guest=a from=11.0.0.0/8", "203.0.113.5 x guest=b from=10.0.0.0/8"),
        ("203.0.113.5 x guest=a", "203.0.113.6 x guest=a outgoing=no"),
        ("203.0.113.5 x guest=a", "2001:db8::5 x guest=a"),
        ("203.0.113.1:80 x guest=a proxy=e0", "203.0.113.1:81 x guest=a"),
    ],
)
def test_lines_that_may_stand_together(first: str, second: str) -> None:
    assert len(good(f"{first}\n{second}")) == 2
    assert len(good(f"{second}\n{first}")) == 2


def test_a_refused_line_does_not_stand_in_the_way_of_a_right_one() -> None:
    forwards, problems = parse("203.0.113.1:1-9 x guest=a\n203.0.113.1:5-19 x guest=b\n203.0.113.1:10-20 x guest=c")
    assert [line.guest for line in forwards] == ["a", "c"]
    assert [str(problem.place) for problem in problems] == ["a:2:1"]


@pytest.mark.parametrize(
    ("line", "prefix"),
    [
        ("203.0.113.1:70000 x guest=a", "203.0.113.1"),
        ("203.0.113.1:80 x gest=a", "203.0.113.1"),
        ("203.0.113.1 :80 guest=a", "203.0.113.1"),
        ("203.0.113.5/tcp x guest=a", "203.0.113.5"),
        ("[2001:db8:0::1] x guest=a", "2001:db8::1"),
        ("0.0.0.0:80 x guest=a as=host", ANY_ADDRESS),
        ("2001:db8:7::1:443 x guest=a", "None"),
        ("203.0.113.0/24:80 x guest=a", "None"),
        ('203.0.113.1:80 "x', "None"),
    ],
)
def test_a_problem_knows_the_address_it_is_about_where_that_can_be_told(line: str, prefix: str) -> None:
    _, problems = parse(line)
    assert [str(problem.prefix) for problem in problems] == [prefix]


GUIDE = Path(__file__).parents[2] / "docs" / "forwards.md"


def test_the_examples_of_the_guide_are_right() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    blocks = re.findall(r"^ *```forwarded-ports\n(.*?)^ *```$", text, flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) == text.count("```forwarded-ports")
    for block in blocks:
        assert len(good(block)) == block.count("\n")


# Any text.

pieces = st.sampled_from(
    [
        *(
            "203.0.113.1",
            "2001:db8::1",
            "[2001:db8::1]",
            ANY_ADDRESS,
            "::",
            "fe80::1%e",
            "80",
            "443",
            "70000",
            "0",
            "٨",
        ),
        *(
            ":",
            ":",
            "/",
            "-",
            ",",
            "tcp",
            "udp",
            "icmp",
            "[",
            "]",
            "%",
            ".",
            "x",
            "²",
            "\xff",
            "",
            "*",
            "/24",
            "::1:443",
        ),
    ]
)
listening_texts = st.one_of(st.text(), st.lists(pieces, max_size=9).map("".join))
options = st.lists(
    st.builds(
        "{}={}".format, st.sampled_from(["guest", "to", "from", "as", "outgoing", "proxy", "mac"]), listening_texts
    ),
    max_size=4,
)
strange_lines = st.one_of(
    st.text(),
    st.builds(
        " ".join,
        st.lists(st.one_of(listening_texts, st.sampled_from(["-", "default", "guest=a", '"', "#"])), max_size=5),
    ),
    st.builds(lambda listening, given: " ".join([listening, "default", *given]), listening_texts, options),
).map(lambda text: text.replace("\n", " ").encode("utf-8", "replace"))


@given(strange_lines)
def test_every_line_is_right_or_explained(line: bytes) -> None:
    forwards, problems = parse(line)
    for problem in problems:
        assert str(problem).isprintable()
        assert 1 <= problem.place.column <= len(problem.text) + 1
        assert problem.what
        assert problem.advice
    stripped = line.lstrip(b" \t\r").removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r")
    if stripped and not stripped.startswith(b"#"):
        assert len(forwards) + bool(problems) == 1


@given(st.lists(strange_lines, max_size=5), st.lists(strange_lines, max_size=5))
def test_a_wrong_line_never_costs_a_right_one(before: list[bytes], behind: list[bytes]) -> None:
    right = b"198.51.100.77:7 right guest=a"
    forwards, _ = parse(b"\n".join([b"", *before, right, *behind]))
    assert "right" in [line.network for line in forwards if line.address == "198.51.100.77"]


# Right lines, as a model of the kernel's maps.

addresses = st.sampled_from(["203.0.113.1", "203.0.113.2", ANY_ADDRESS])
ports = st.lists(
    st.one_of(
        st.integers(1, 40).map(lambda port: (port, port)),
        st.tuples(st.integers(1, 40), st.integers(1, 9)).map(lambda pair: (pair[0], pair[0] + pair[1])),
    ),
    min_size=1,
    max_size=3,
)
protocols = st.sampled_from(["", "/tcp", "/udp", "/tcp,udp"])
sources = st.lists(st.sampled_from(["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "11.0.0.0/8", "12.0.0.0/8"]), max_size=2)


@st.composite
def lines(draw: st.DrawFn) -> str:
    listening = draw(addresses)
    if draw(st.integers(0, 5)):
        listed = ",".join(f"{first}-{last}" if first != last else str(first) for first, last in draw(ports))
        listening += f":{listed}{draw(protocols)}"
    words = [listening, "default", f"guest={draw(st.sampled_from('abc'))}"]
    words += [f"from={','.join(found)}"] if (found := draw(sources)) else []
    words += draw(st.sampled_from([[], [], ["to=99"], ["outgoing=no"], ["outgoing=yes"], ["as=host"]]))
    return " ".join(words)


def entries(line: Forward) -> Iterator[tuple[str, str, str, int, int, ipaddress.IPv4Network | None]]:
    """Each element of the maps, and of the set of ranges that are taken: its name, and its key."""
    froms: Sequence[ipaddress.IPv4Network | None] = [ipaddress.IPv4Network(str(each)) for each in line.sources] or [
        None
    ]
    for source in froms:
        kind = "from_" if source else "any_" if line.is_any else ""
        if line.is_whole:
            yield f"{kind}addresses", line.address, "", 0, 0, source
        for span in line.spans:
            name = "ports" if span.first == span.last else "ranges"
            yield f"{kind}{name}", line.address, span.protocol, span.first, span.last, source
    for span in line.spans:
        if span.first != span.last:
            yield "taken_ranges", line.address, span.protocol, span.first, span.last, None


@given(st.lists(lines(), max_size=12))
def test_keys_in_the_maps_never_overlap_and_no_line_is_refused_for_nothing(texts: list[str]) -> None:
    forwards, problems = parse("\n".join(texts))
    assert len({line.place.line for line in forwards}) + len({each.place.line for each in problems}) == len(texts)
    every = [(line, entry) for line in forwards for entry in entries(line)]
    for (_, one), (_, other) in itertools.combinations(every, 2):
        assert not collide(one, other)
    senders = [sender for line in forwards if line.outgoing for sender in senders_of(line)]
    assert len(senders) == len(set(senders))
    assert not any(name == "any_ranges" for _, (name, *_) in every)
    for problem in problems:  # each of these words names a line that has the same
        if " already " in problem.what or " overlaps 203" in problem.what:
            earlier = [line for line in forwards if f" a:{line.place.line}:" in problem.what]
            assert earlier
            assert earlier[0].place.line < problem.place.line


def collide(
    one: tuple[str, str, str, int, int, ipaddress.IPv4Network | None],
    other: tuple[str, str, str, int, int, ipaddress.IPv4Network | None],
) -> bool:
    if one[:3] != other[:3] or one[3] > other[4] or other[3] > one[4]:
        return False
    if one[0] == "taken_ranges":
        return one != other
    return one[5] is None or other[5] is None or one[5].overlaps(other[5])


def senders_of(line: Forward) -> list[tuple[object, ...]]:
    if line.is_whole:
        return [(line.guest,)]
    return [(line.guest, span.protocol, span.to) for span in line.spans]


@given(st.lists(lines(), max_size=6))
def test_a_line_is_refused_only_for_what_it_has(texts: list[str]) -> None:
    """A line that is right alone is refused only where its keys, or what leaves as it, are those of a right line."""
    taken: list[Forward] = []
    forwards, _ = parse("\n".join(texts))
    for number, text in enumerate(texts, start=1):
        alone, _ = parse(text)
        is_taken = any(line.place.line == number for line in forwards)
        if alone:
            found = [entry for line in taken for entry in entries(line)]
            has_rival = any(collide(one, other) for one in entries(alone[0]) for other in found)
            sent = {sender for line in taken if line.outgoing for sender in senders_of(line)}
            has_rival |= alone[0].outgoing and bool(sent.intersection(senders_of(alone[0])))
            assert is_taken != has_rival
        if is_taken:
            taken += alone


@given(st.lists(lines(), max_size=6))
def test_the_canonical_spelling_means_the_same(texts: list[str]) -> None:
    forwards, _ = parse("\n".join(texts))
    for line in forwards:
        (again,) = good(
            f"{line.text} {line.network} " + " ".join(f"{key}={value}" for key, value in line.options.items())
        )
        assert (again.text, spans(again), again.options) == (line.text, spans(line), line.options)


# Very many.


def test_very_many_lines_are_no_quadratic_work() -> None:
    """Each of these took very long if a line were compared with all others."""
    single = "".join(f"203.0.113.1:{n} x guest=a\n" for n in range(1, 3001))
    ranges = "".join(f"203.0.113.1:{n}-{n + 2} x guest=a\n" for n in range(1, 9000, 3))
    froms = "".join(f"203.0.113.1:1-65535 x guest=a from=10.0.{n >> 8}.{n & 255}\n" for n in range(3000))
    mixed = "".join(f"203.0.113.1:{n}-{n + 2} x guest=a from=10.0.0.0/8\n" for n in range(1, 9000, 3))
    for text in (single, ranges, froms, mixed + ranges):
        forwards, problems = parse(text)
        assert len(forwards) == text.count("\n")
        assert problems == []


def test_more_ports_than_can_be_in_force_are_one_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarded_ports, "MOST", 6)
    text = "203.0.113.1:1-65535 x guest=a\n203.0.113.1:1-3 x guest=b to=22\n203.0.113.2:1,2/tcp,udp x guest=c\nx\n"
    forwards, problems = parse(text, "y\n")
    assert [line.guest for line in forwards] == ["a", "b"]
    assert [(str(problem), problem.prefix) for problem in problems] == [
        (
            "a:3:1: this line and all after it are ignored: at most 6 ports can be in force, where a range that keeps "
            "its ports counts as one; write ranges, which keep their ports without to=, or move some of them to "
            "another host",
            None,
        )
    ]


def test_lines_with_all_ports_each_end_soon() -> None:
    """Each needs 65535 entries, also if it is refused."""
    forwards, problems = parse("0.0.0.0:1-65535 x guest=a\n" * 1000)
    assert (len(forwards), len(problems)) == (1, 1)


def test_of_very_many_mistakes_the_first_are_explained_and_right_lines_count() -> None:
    forwards, problems = parse("203.0.113.1:80\n" * (MOST_PROBLEMS + 500) + "203.0.113.11:80 public guest=web1\n")
    assert [line.address for line in forwards] == ["203.0.113.11"]
    assert (len(problems), problems[-1].mistakes) == (MOST_PROBLEMS + 1, 500)


# Beside routed-ips.


def both(routed_ips: str, forwards: str) -> Configuration:
    return assemble(Settings(), [("ips", routed_ips.encode())], [("ports", forwards.encode())])


@pytest.mark.parametrize(
    ("routed", "forward", "problem"),
    [
        (
            "203.0.113.10 public",
            "203.0.113.10 default guest=a",
            "203.0.113.10 is routed to network public, by 203.0.113.10 at ips:1:1; "
            "keep one of the two lines, or forward ports, such as 203.0.113.10:80",
        ),
        (
            "203.0.113.0/24 public",
            "203.0.113.10 default guest=a",
            "203.0.113.10 is routed to network public, by 203.0.113.0/24 at ips:1:1; "
            "forward ports of it, or route prefixes without this address",
        ),
        (
            "203.0.113.0/24 public",
            "203.0.113.10:22 -",
            "203.0.113.10 is routed to network public, by 203.0.113.0/24 at ips:1:1, so its ports do not stay with the "
            "host; remove the line",
        ),
        ("203.0.113.10 public", "203.0.113.10:80 default guest=a", None),
        ("203.0.113.0/24 public", "203.0.114.10 default guest=a", None),
        ("203.0.113.0/24 public", "203.0.114.10 default guest=a to=203.0.113.7", None),
    ],
)
def test_addresses_of_both_files(routed: str, forward: str, problem: str | None) -> None:
    configuration = both(routed, forward)
    assert len(configuration.routed_ips) == 1
    assert len(configuration.forwards) == (problem is None)
    assert [str(each) for each in configuration.problems] == ([f"ports:1:1: {problem}"] if problem else [])
    assert configuration.forwards_in_doubt("203.0.113.10") == (problem is not None)
    assert not configuration.leaves_doubt


# Files.


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("nethook", "sysconfig", "default"):
        (tmp_path / name).mkdir(mode=0o755)
    return tmp_path


def write(path: Path, content: str) -> None:
    path.parent.mkdir(mode=0o755, exist_ok=True)
    path.write_text(content)
    path.chmod(0o644)


def loaded(root: Path) -> Configuration:
    folders = [root / "nethook", root / "sysconfig", root / "default"]
    ips, ports = ([str(folder / name) for folder in folders] for name in ("routed-ips", "forwarded-ports"))
    return load(Host(0), str(root / "nethook.conf"), ips, ports)


def test_a_host_without_the_file(root: Path) -> None:
    configuration = loaded(root)
    assert (configuration.forwards, configuration.problems) == ([], [])
    assert not configuration.forwards_leave_doubt
    assert not configuration.forwards_in_doubt("203.0.113.1")


def test_the_file_its_directory_and_a_hidden_one(root: Path) -> None:
    write(root / "default" / "routed-ips", "203.0.113.10 public\n")
    write(root / "sysconfig" / "forwarded-ports", "203.0.113.1:80 default guest=a\n")
    write(root / "sysconfig" / "forwarded-ports.d" / "a.conf", "203.0.113.1:81 default guest=a\n")
    write(root / "sysconfig" / "forwarded-ports.d" / ".b.conf", "203.0.113.1:82 default guest=a\n")
    write(root / "default" / "forwarded-ports", "203.0.113.1:80 default guest=b\n203.0.113.9:83 default guest=b\n")
    configuration = loaded(root)
    assert [line.text for line in configuration.forwards] == ["203.0.113.1:80/tcp", "203.0.113.1:81/tcp"]
    assert [line.prefix.text for line in configuration.routed_ips] == ["203.0.113.10"]
    assert list(configuration.hidden_forwards) == ["203.0.113.9:83/tcp"]
    assert (configuration.forwards_leave_doubt, configuration.leaves_doubt) == (True, False)
    assert [configuration.forwards_in_doubt(address) for address in ("203.0.113.9", "203.0.113.1")] == [True, False]
    assert not configuration.without_hidden().forwards_leave_doubt
    assert [line.text for line in configuration.without_hidden().forwards] == [
        "203.0.113.1:80/tcp",
        "203.0.113.1:81/tcp",
    ]


def test_the_setting_names_the_file(root: Path) -> None:
    write(root / "nethook.conf", f"forwarded-ports = {root}/ports\n")
    write(root / "default" / "forwarded-ports", "203.0.113.1:80 default guest=a\n")
    with pytest.raises(ConfigError, match="which the setting forwarded-ports names, does not exist; create it"):
        loaded(root)
    write(root / "ports", "203.0.113.1:81 default guest=a\n")
    configuration = loaded(root)
    assert [line.text for line in configuration.forwards] == ["203.0.113.1:81/tcp"]
    assert configuration.hidden_forwards == {}


def test_a_change_of_the_file_is_seen(root: Path) -> None:
    configuration = loaded(root)
    assert configuration.is_current(Host(0))
    write(root / "default" / "forwarded-ports", "203.0.113.1:80 default guest=a\n")
    assert not configuration.is_current(Host(0))


@pytest.mark.parametrize(
    ("ips", "forwards", "in_doubt"),
    [
        ("203.0.113.1 x guest=\n", "203.0.113.2:80 x guest=a\n", (False, False, False)),
        ("256.1.1.1 x\n", "203.0.113.1:80 x guest=a\n", (False, False, True)),
        ("203.0.113.2 x\n", "203.0.113.1:0 x guest=a\n", (True, False, False)),
        ("203.0.113.2 x\n", "80 x guest=a\n", (True, True, False)),
    ],
)
def test_doubt_stays_within_a_file(root: Path, ips: str, forwards: str, in_doubt: tuple[bool, bool, bool]) -> None:
    write(root / "default" / "routed-ips", ips)
    write(root / "default" / "forwarded-ports", forwards)
    configuration = loaded(root)
    assert len(configuration.problems) == 1
    of_forwards = [configuration.forwards_in_doubt(address) for address in ("203.0.113.1", "198.51.100.1")]
    assert (*of_forwards, configuration.in_doubt(parse_prefix("198.51.100.1"))) == in_doubt
    assert configuration.forwards_leave_doubt == any(of_forwards)


def test_lines_of_both_files_can_be_refused_and_left_out() -> None:
    configuration = both("203.0.113.10 x\n2001:db8::10 x\n", "203.0.113.1:80 x guest=a\n[2001:db8::1]:80 x guest=a\n")
    four = configuration.of([4])
    assert [line.text for line in (*four.routed_ips, *four.forwards)] == ["203.0.113.10", "203.0.113.1:80/tcp"]
    routed, forward = four.routed_ips[0], four.forwards[0]
    refusing = four.refusing([(forward, forward.problem("no", "do not"))])
    assert ([line.text for line in refusing.routed_ips], refusing.forwards) == (["203.0.113.10"], [])
    assert (refusing.forwards_in_doubt("203.0.113.1"), refusing.leaves_doubt) == (True, False)
    refusing = refusing.refusing([(routed, routed.problem("no", "do not"))])
    assert (refusing.routed_ips, len(refusing.problems), refusing.leaves_doubt) == ([], 2, True)
