"""nethook import: files of other port forwarders, in shapes as these ship them, become lines that mean the same."""

from __future__ import annotations

import importlib
import io
import os
import re
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nethook.cli import main
from nethook.config.forwarded_ports import parse_forwarded_ports
from nethook.editing.draft import Kind
from nethook.errors import ConfigError
from nethook.host import Host
from nethook.importing import read_items
from nethook.importing.lines import Lines
from nethook.libvirt import Network, Reservation
from nethook.libvirt.live import LibvirtError, LiveNetwork
from nethook.prefix import parse_prefix

NETWORKS = [
    Network("default", "virbr0", "nat", subnets=[parse_prefix("192.168.122.0/24"), parse_prefix("fd00:122::/64")]),
    Network("my lab", "virbr-lab", "nat", subnets=[parse_prefix("10.20.0.0/16")]),
]
OWN = {4: parse_prefix("198.51.100.9")}


def lines_of(*contents: str, networks: list[Network] | None = None) -> Lines:
    """The lines of files that are called a, b, …"""
    lines = Lines(NETWORKS if networks is None else networks, OWN)
    for name, content in zip("abc", contents):
        lines.add(f"/etc/{name}", read_items(f"/etc/{name}", content.encode()))
    lines.check("output", b"", [])
    return lines


def ports(lines: Lines) -> set[tuple[str, str, int, int, str | None, str | None]]:
    """Each port that the lines forward: where it listens, where it goes, and whose it is. Without mistakes."""
    forwards, problems = parse_forwarded_ports([("lines", "\n".join(lines.texts).encode())])
    assert [str(problem) for problem in problems] == []
    return {
        (line.address, span.protocol, port, port - span.first + span.to, line.to, line.guest)
        for line in forwards
        for span in line.spans
        for port in range(span.first, span.last + 1)
    }


HOOKS = """{
    // a comment, and
    /* another one
       of two lines */
    "web": {
        "interface": "virbr0",
        "private_ip": "192.168.122.10",
        "source_ip": "192.0.2.8", # a third kind
        "port_map": {
            "tcp": [[1100, 3000], 443, 3389],
            "udp": [443, 27016],
            "icmp": [8]
        },
        "port_range": [
            {"init_port": 8888, "ports_num": 2, "protocol": "tcp"},
            {"init_port": 30000, "ports_num": 100, "protocol": "udp"},
        ]
    },
    "build box": [
        {"private_ip": "10.20.0.7", "public_ip": "203.0.113.1", "port_map": {"tcp": [[2201, 22]]}},
        {"private_ip": "10.20.0.7", "public_ip": "203.0.113.2", "port_map": {"tcp": [22]}},
    ],
}
"""
HOOKS_LINES = """\
# imported from /etc/a
# a:12:21: not taken over: icmp has no ports; a line with the whole address forwards ping, too
# a:15:13: source_ip now limits this range, too: libvirt-hook-qemu applied it to port_map only; to have it as before, \
remove from= in the line with the range
# a:16:13: source_ip now limits this range, too: libvirt-hook-qemu applied it to port_map only; to have it as before, \
remove from= in the line with the range
# public_ip is missing, so the lines below are for 198.51.100.9, the address of this host
198.51.100.9:1100  default  guest=web to=192.168.122.10:3000 from=192.0.2.8
198.51.100.9:443/tcp,udp  default  guest=web to=192.168.122.10 from=192.0.2.8
198.51.100.9:3389,8888-8889  default  guest=web to=192.168.122.10 from=192.0.2.8
198.51.100.9:27016,30000-30099/udp  default  guest=web to=192.168.122.10 from=192.0.2.8
203.0.113.1:2201  "my lab"  guest="build box" to=10.20.0.7:22
203.0.113.2:22  "my lab"  guest="build box" to=10.20.0.7
"""


def test_hooks_json() -> None:
    lines = lines_of(HOOKS)
    assert "\n".join([*lines.texts, ""]) == HOOKS_LINES
    assert (lines.number, lines.losses, lines.unknown) == (6, 1, 0)
    web = ("192.168.122.10", "web")
    expected = {("198.51.100.9", "tcp", 1100, 3000, *web)}
    expected |= {("198.51.100.9", "tcp", port, port, *web) for port in (443, 3389, 8888, 8889)}
    expected |= {("198.51.100.9", "udp", port, port, *web) for port in (443, 27016, *range(30000, 30100))}
    expected |= {("203.0.113.1", "tcp", 2201, 22, "10.20.0.7", "build box")}
    expected |= {("203.0.113.2", "tcp", 22, 22, "10.20.0.7", "build box")}
    assert ports(lines) == expected


def test_parts_of_hooks_json_that_are_wrong_cost_only_themselves() -> None:
    lines = lines_of(
        """{
  "a": {"private_ip": "192.168.122.10", "port_map": {"tcp": [80, 0, "x", [1, 2, 3], {}]}, "bridge": "x"},
  "b": {"private_ip": "web", "port_map": {"tcp": [80]}},
  "c": {"port_map": {"tcp": [80]}},
  "d/e": {"private_ip": "192.168.122.11", "port_map": {"tcp": [81]}},
  "f": 7,
  "g": {"private_ip": "192.168.122.12", "public_ip": "2001:db8::1", "port_map": {"tcp": [82]}},
  "h": {"private_ip": "192.168.122.13", "source_ip": "1.2.3.4/40", "port_map": {"tcp": [83]}},
  "i": {"private_ip": "192.168.122.14", "port_map": {"tcp": [84]}, "source_ip": "192.0.2.9/24,198.51.100.1"},
  "j\\nk": {"private_ip": "192.168.122.15", "port_map": {"tcp": [85]}},
  "l": {"private_ip": "192.168.122.16", "interface": "virbr7", "port_map": {"tcp": [80]}},
}"""
    )
    assert lines.texts == [
        "# imported from /etc/a",
        "# a:2:101: not taken over: bridge is not a key of hooks.json",
        "# a:2:66: not taken over: 0 is not a port",
        "# a:2:69: not taken over: this should be a number, not x",
        "# a:2:74: not taken over: this should be two ports, public and private, not 3",
        "# a:2:85: not taken over: this should be a number, not an object",
        "# public_ip is missing, so the lines below are for 198.51.100.9, the address of this host",
        "198.51.100.9:80  default  guest=a to=192.168.122.10",
        "# a:3:23: not taken over: web is not an IP address",
        "# a:4:8: not taken over: private_ip is missing",
        "# a:5:10: not taken over: d/e: libvirt allows no / in the name of a guest",
        "# a:6:8: not taken over: this should be an object, not 7",
        "# not taken over: [2001:db8::1]:82  default  guest=g to=192.168.122.12    (192.168.122.12 is IPv4, and "
        "2001:db8::1 is IPv6; write the guest's IPv6 address)",
        "# a:8:54: not taken over: source_ip 1.2.3.4/40 is not a list of addresses and prefixes",
        "# public_ip is missing, so the lines below are for 198.51.100.9, the address of this host",
        "198.51.100.9:84  default  guest=i to=192.168.122.14 from=192.0.2.0/24,198.51.100.1",
        "# a:10:11: not taken over: j\\nk: the guest name has a control character",
        "# public_ip is missing, so the lines below are for 198.51.100.9, the address of this host",
        "# the file says virbr7, but network default has bridge virbr0",
        "# not taken over: 198.51.100.9:80  default  guest=l to=192.168.122.16    (198.51.100.9:80/tcp is already at "
        "output:8:1, for guest a; keep one of the two lines)",
    ]
    assert (lines.number, lines.losses) == (2, 13)


MAPPING = """{
  "vm 1": {
    "guest_ip": "192.168.122.2",
    "host_ip": "203.0.113.1",
    "ports": [
      {"host": 30001, "guest": 30002, "protocol": "tcp"},
      {"host": 30003, "protocol": "udp"},
      {"host": 30004, "protocol": "sctp"},
      {"guest": 30004, "protocol": "tcp"}
    ]
  }
}"""


def test_mapping_json() -> None:
    lines = lines_of(MAPPING)
    assert lines.texts[1:] == [
        "# a:8:35: not taken over: ports of sctp cannot be forwarded, only those of tcp and udp",
        "# a:9:7: not taken over: host is missing",
        '203.0.113.1:30001  default  guest="vm 1" to=192.168.122.2:30002',
        '203.0.113.1:30003/udp  default  guest="vm 1" to=192.168.122.2',
    ]
    of = ("192.168.122.2", "vm 1")
    assert ports(lines) == {("203.0.113.1", "tcp", 30001, 30002, *of), ("203.0.113.1", "udp", 30003, 30003, *of)}


SCRIPT = r"""#!/bin/bash
addForward() {
   VM=$1
   # $IP address ${IP_ACTION} ${HOST_IP}/${HOST_IP_MASK} dev ${HOST_NIC}
}
# addForward old eth0 203.0.113.9 80 virbr0 192.168.122.9 80 tcp
addForward admin eth0 203.0.113.1 20022 virbr0 192.168.122.2 22 tcp   # ssh
	addForward "all of it" eth0 203.0.113.2 1:65535 virbr-lab \
        10.20.0.7 1-65535 TCP,UDP
addForward dns eth0 203.0.113.1 53 virbr0 192.168.122.3 53 tcp,udp; echo done
addForward short 8080 192.168.122.4 80
addForward moved eth0 203.0.113.1 7000:7002 virbr0 192.168.122.5 8000-8002 tcp
addForward fewer eth0 203.0.113.1 7100:7102 virbr0 192.168.122.5 8000-8001 tcp
addForward $VM eth0 203.0.113.1 81 virbr0 192.168.122.6 81 tcp
addForward ping eth0 203.0.113.1 82 virbr0 192.168.122.6 82 icmp
addForward three 203.0.113.1 83
addForward "open eth0 203.0.113.1 84 virbr0 192.168.122.6 84 tcp
"""


def test_add_forward() -> None:
    lines = lines_of(SCRIPT)
    assert lines.texts == [
        "# imported from /etc/a",
        "# a:8:2: if nothing else uses 203.0.113.2, the whole address is simpler: write 203.0.113.2 without ports; "
        "then ping goes to the guest, too, and what it sends leaves as this address",
        "# a:12:1: iptables chose any of the ports 8000-8002 for a connection to one of 7000:7002; now each port goes "
        "to one: the first to the first, and so on",
        "# a:13:1: not taken over: 7100:7102 are not as many ports as 8000-8001",
        "# a:14:1: not taken over: $VM is known only when the script runs: write the line yourself",
        "# a:15:1: not taken over: ports of icmp cannot be forwarded, only those of tcp and udp",
        "# a:16:1: not taken over: addForward has 4 words, VM PORT GUEST-IP GUEST-PORT, or 8, VM NIC IP PORT BRIDGE "
        "GUEST-IP GUEST-PORT PROTOCOL; this line has 3",
        "# a:17:1: not taken over: this line is not understood: No closing quotation",
        "203.0.113.1:20022  default  guest=admin to=192.168.122.2:22",
        '203.0.113.2:1-65535/tcp,udp  "my lab"  guest="all of it" to=10.20.0.7',
        "203.0.113.1:53/tcp,udp  default  guest=dns to=192.168.122.3",
        "0.0.0.0:8080  default  guest=short to=192.168.122.4:80",
        "203.0.113.1:7000-7002  default  guest=moved to=192.168.122.5:8000-8002",
    ]
    assert (lines.number, lines.losses) == (5, 5)
    assert ("203.0.113.1", "tcp", 7001, 8001, "192.168.122.5", "moved") in ports(lines)


def test_add_forward_with_addresses_of_its_own_and_in_python() -> None:
    script = SCRIPT.replace("# $IP address", "$IP address")
    assert "203.0.113.1:20022  default  guest=admin to=192.168.122.2:22 proxy=eth0" in lines_of(script).texts
    (line,) = lines_of('addForward("web 1", "80", "192.168.122.7", 8080)  # http\n').texts[1:]
    assert line == '0.0.0.0:80  default  guest="web 1" to=192.168.122.7:8080'


INCUS = """\
description: 'Web: it''s public'
config:
  target_address: 192.168.122.20
  user.owner: me
ports:
- description: "SSH and \\"more\\""
  protocol: tcp
  listen_port: 22,8000-8002
  target_port: ""
  target_address: 192.168.122.21
  snat: false
- description: many to one
    that goes on here
  protocol: udp
  listen_port: 5000-5001
  target_port: "5000"
  target_address: 192.168.122.22
- description: |-
    two
    lines
  protocol: udp
  listen_port: "51820"
  target_port: "51820"
  target_address: 192.168.122.23
  snat: true
listen_address: 203.0.113.5
location: none
---
description: ""
config: {}
ports:
  - protocol: tcp
    listen_port: "443"
    target_address: fd00:122::5   # a comment
listen_address: "2001:db8::5"
"""


def test_the_guide_says_what_becomes_of_add_forward() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "forwards.md").read_text(encoding="utf-8")
    calls, lines = re.findall(
        r"^ +```[a-z-]*\n( +addForward.*?)^ +```\n.*?```forwarded-ports\n(.*?)^ +```$", guide, re.M | re.S
    )[0]
    assert [line.split() for line in lines.strip().split("\n")] == [line.split() for line in lines_of(calls).texts[1:]]


def test_incus() -> None:
    lines = lines_of(INCUS)
    assert lines.texts == [
        "# imported from /etc/a",
        "# a:1:14: Web: it's public",
        "# a:3:19: what the guest sends now leaves as this address, too: the target_address of Incus is for incoming "
        "packets; to have it as before, add outgoing=no",
        "# a:4:15: user.owner has no counterpart",
        "203.0.113.5  default  to=192.168.122.20",
        "203.0.113.5:22,8000-8002  default  to=192.168.122.21",
        "203.0.113.5:5000-5001/udp  default  to=192.168.122.22:5000",
        "203.0.113.5:51820/udp  default  to=192.168.122.23 outgoing=yes",
        "[2001:db8::5]:443  default  to=fd00:122::5",
    ]
    assert (lines.number, lines.losses) == (5, 0)
    assert ("203.0.113.5", "udp", 5001, 5000, "192.168.122.22", None) in ports(lines)
    as_json = '[{"listen_address": "203.0.113.5", "config": {}, "ports": [{"protocol": "tcp", "listen_port": "80", '
    as_json += '"target_port": "", "target_address": "192.168.122.21", "description": "", "snat": false}]}]'
    assert lines_of(as_json).texts[1:] == ["203.0.113.5:80  default  to=192.168.122.21"]


def test_a_network_that_is_not_known() -> None:
    lines = lines_of(
        '{"a": {"private_ip": "192.168.122.10", "public_ip": "203.0.113.1", "port_map": {"tcp": [80]}}}', networks=[]
    )
    assert lines.texts[1:] == [
        "# no network of libvirt with 192.168.122.10 is known: write its name instead of NETWORK",
        "203.0.113.1:80  NETWORK  guest=a to=192.168.122.10",
    ]
    assert lines.unknown == 1


HOOK = '{{"app": {{{}"private_ip": "192.168.122.10", "public_ip": "198.51.100.11", "port_map": {{"tcp": [81]}}}}}}'
SAYS_BRIDGE = HOOK.format('"interface": "virbr1", ')
SAYS_NO_BRIDGE = HOOK.format("")


def like_default(name: str, bridge: str, subnet: str = "192.168.122.0/24") -> Network:
    return Network(name, bridge, "nat", subnets=[parse_prefix(subnet)])


@pytest.mark.parametrize(
    ("content", "networks", "guest_is_on", "active"),
    [
        (SAYS_BRIDGE, {"default": "virbr0", "lan": "virbr1"}, ["default"], ["default"]),
        (SAYS_BRIDGE, {"default": "virbr1", "lan": "virbr1"}, ["lan"], ["default"]),
        (SAYS_BRIDGE, {"default": "virbr1", "lan": "virbr1"}, [], ["lan"]),
        (SAYS_NO_BRIDGE, {"default": "virbr0", "lan": "virbr1"}, ["lan"], ["default"]),
        (SAYS_NO_BRIDGE, {"default": "virbr0", "lan": "virbr1"}, ["default", "lan"], ["lan"]),
        (SAYS_NO_BRIDGE, {"default": "", "lan": ""}, [], ["lan"]),
        (SAYS_NO_BRIDGE, {"zone": "virbr0", "lan": "virbr1"}, [], []),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_the_network_of_several_with_the_subnet(
    content: str, networks: dict[str, str], guest_is_on: list[str], active: list[str], order: int
) -> None:
    """The bridge, the guest, what is up, and the name decide, in this order, and never the order of libvirt's list."""
    listed = [like_default(name, bridge) for name, bridge in networks.items()][::order]
    lines = Lines(listed, OWN, {("app", name): ["52:54:00:00:00:01"] for name in guest_is_on}, active)
    lines.add("a", read_items("a", content.encode()))
    assert lines.texts[1:] == ["198.51.100.11:81  lan  guest=app to=192.168.122.10"]


@pytest.mark.parametrize("order", [1, -1])
def test_the_network_of_several_with_the_bridge(order: int) -> None:
    listed = [like_default(name, "virbr1", "10.0.0.0/8") for name in ("default", "lan")][::order]
    lines = Lines(listed, OWN, active=["lan"])
    lines.add("a", read_items("a", SAYS_BRIDGE.encode()))
    assert lines.texts[1:] == ["198.51.100.11:81  lan  guest=app to=192.168.122.10"]


@pytest.mark.parametrize("order", [1, -1])
def test_the_smaller_of_two_subnets(order: int) -> None:
    listed = [like_default("lan", "virbr1"), like_default("all", "virbr0", "192.168.0.0/16")][::order]
    assert lines_of(SAYS_NO_BRIDGE, networks=listed).texts[1:] == ["198.51.100.11:81  lan  guest=app to=192.168.122.10"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "a:1:1: the format of this file is unknown; nethook imports hooks.json of"),
        ("hello\n", "a:1:1: the format of this file is unknown"),
        ("[]", "a:1:1: the format of this file is unknown"),
        ('{"a": {"x": 1}}', "a:1:1: the format of this file is unknown"),
        ("{", "a:1:2: the object { is not closed; write the key"),
        ('{"a": {"private_ip": "1.2.3.4" "x": 1}}', 'a:1:32: , or } is missing before "x"; write , or }'),
        ('{"a" 1}', "a:1:6: : is missing before 1; write :"),
        ('{"a": [1,', "a:1:10: the file ends too early; write a number"),
        ('{"a": "1\n"}', 'a:1:7: the quote is not closed on this line; write " at the end of the text'),
        ("{'a': 1}", "a:1:2: JSON has no texts in '; write \" instead"),
        ('{"a": /* 1}', "a:1:7: the comment is not closed; write */ at its end"),
        ('{"a": "\\x"}', "a:1:7: this text has an escape that is not valid"),
        ('{"a": "\\ud800"}', "a:1:7: this text has an escape that is not valid"),
        ('{"a": 01}', "a:1:7: 01 is not a value"),
        ('{"a": 1, "a": 2}', "a:1:10: a is given twice; keep one of them"),
        ('{"a": 1}}', "a:1:9: } is after the end; remove it"),
        ("[" * 99, "a:1:22: this is nested too deeply"),
        ('{"a":\n  1 & 2}', "a:2:5: & cannot stand here"),
        (
            "listen_address: 1\nlisten_address: 2\n",
            "a:2:1: listen_address is given twice; write a line --- between two",
        ),
        ("listen_address: 1\n\tports: 2\n", "a:2:1: YAML has no tabs at the beginning of a line; write spaces"),
        ("listen_address: [1]\n", "a:1:17: [1] is not understood; nethook understands what"),
        ("listen_address: &x 1\n", "a:1:17: &x 1 is not understood"),
        ("listen_address: 'x\n", "a:1:17: the quote is not closed on this line"),
        ("listen_address: 1\nfoo\n", "a:2:1: foo is not a key with a value"),
        ("  listen_address: 1\nports: 2\n", "a:2:1: the indentation is wrong"),
        ("listen_address:\n" + "".join(f"{' ' * n}- \n" for n in range(40)), "nested too deeply"),
    ],
)
def test_a_broken_file_is_explained(content: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        list(read_items("a", content.encode()))
    assert problem in str(caught.value.problems[0])


def test_bytes_that_are_not_utf8_are_pointed_at() -> None:
    with pytest.raises(ConfigError) as caught:
        list(read_items("a", b'{\n "a\xff": 1}'))
    assert str(caught.value.problems[0]) == "a:2:4: the byte 0xff is not UTF-8; save the file as UTF-8"


pieces = st.sampled_from(
    [
        *(
            '{"a":{"private_ip":"10.20.0.1","port_map":{"tcp":[80]}}}',
            HOOKS,
            MAPPING,
            INCUS,
            SCRIPT,
            "listen_address: ",
        ),
        *(
            "{",
            "}",
            "[",
            "]",
            ":",
            ",",
            '"',
            "'",
            "\n",
            "  ",
            "- ",
            "#",
            "//",
            "/*",
            "80",
            "null",
            "\\",
            "|",
            "addForward ",
        ),
        *("\n203.0.113.66:80 x guest=injected\n", "203.0.113.1", "port_map", "\x00", "\u2028", "ü", "$", "\t"),
    ]
)
texts = st.one_of(st.text(), st.lists(pieces, max_size=12).map("".join))


@given(texts, st.integers(0, 2000), texts)
def test_any_file_is_explained_or_gives_right_lines(start: str, at: int, end: str) -> None:
    content = start[:at] + end + start[at:]
    try:
        lines = lines_of(content)
    except ConfigError:  # its place is tested above
        return
    forwards, problems = parse_forwarded_ports([("lines", "\n".join(lines.texts).encode("utf-8", "replace"))])
    assert problems == []
    assert len(forwards) == lines.number
    assert all("\n" not in text for text in lines.texts)


@given(st.text(min_size=1), st.text(min_size=1))
def test_no_name_can_add_a_line(guest: str, network: str) -> None:
    import json  # noqa: PLC0415

    networks = [Network(network.replace("\n", "") or "x", "virbr0", "nat", subnets=[parse_prefix("10.20.0.0/16")])]
    hooks = {guest: {"private_ip": "10.20.0.1", "public_ip": "203.0.113.1", "port_map": {"tcp": [80]}, guest: 1}}
    forwards, problems = parse_forwarded_ports(
        [("a", "\n".join(lines_of(json.dumps(hooks), networks=networks).texts).encode())]
    )
    assert problems == []
    assert [(line.guest, line.address) for line in forwards] in ([], [(guest, "203.0.113.1")])


# The verb.


@pytest.fixture(name="folder")
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host with these networks, and with the folders of the configuration below tmp_path."""
    command = importlib.import_module("nethook.commands.import_")
    for name in ("nethook", "default"):
        (tmp_path / name).mkdir(mode=0o755)
    search = tuple(str(tmp_path / name / "forwarded-ports") for name in ("nethook", "default"))
    monkeypatch.setattr(command, "FORWARDED_PORTS", Kind("forwarded-ports", search))
    monkeypatch.setattr(Host, "locked", lambda _: nullcontext())
    monkeypatch.setattr(
        command, "live_networks", lambda: {each.name: LiveNetwork(each, is_active=True) for each in NETWORKS}
    )
    monkeypatch.setattr(command, "live_guests", dict)
    monkeypatch.setattr(command, "_own_addresses", lambda *_: OWN)
    monkeypatch.setattr(command, "require_root", lambda _: None)
    (tmp_path / "hooks.json").write_text(HOOKS)
    (tmp_path / "mapping.json").write_text(MAPPING)
    return tmp_path


def test_the_lines_are_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(folder / "hooks.json")]) == 1  # icmp
    out, err = capsys.readouterr()
    assert out == HOOKS_LINES.replace("/etc/a", str(folder / "hooks.json")).replace("# a:", "# hooks.json:")
    assert err == (
        "nethook: 6 lines; 1 thing not taken over: the comments say why; review them, then add --write. "
        "Disable the old hook before you run `nethook apply`.\n"
    )


def test_a_network_that_is_up_comes_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    live = {
        name: LiveNetwork(like_default(name, bridge), is_active=name == "lan")
        for name, bridge in (("default", "virbr0"), ("lan", "virbr1"))
    }
    monkeypatch.setattr(importlib.import_module("nethook.commands.import_"), "live_networks", lambda: live)
    (folder / "hooks.json").write_text(SAYS_NO_BRIDGE)
    assert main(["import", str(folder / "hooks.json")]) == 0
    assert "198.51.100.11:81  lan  guest=app" in capsys.readouterr().out


def test_the_standard_input(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    del folder
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(INCUS.encode())))
    assert main(["import", "-"]) == 0
    assert "203.0.113.5  default  to=192.168.122.20\n" in capsys.readouterr().out


def test_the_lines_are_appended(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "nethook" / "forwarded-ports"
    assert main(["import", "--write", str(folder / "hooks.json")]) == 1
    assert path.stat().st_mode & 0o7777 == 0o644
    first = path.read_text()
    assert "203.0.113.2:22  " in first
    assert f"6 lines added to {path}; 1 thing" in capsys.readouterr().err
    path.chmod(0o600)
    assert main(["import", "--write", str(folder / "mapping.json")]) == 1
    second = path.read_text()
    assert second.startswith(f"{first}\n# imported from")
    assert second.endswith('203.0.113.1:30003/udp  default  guest="vm 1" to=192.168.122.2\n')
    assert path.stat().st_mode & 0o7777 == 0o600
    capsys.readouterr()
    assert main(["import", "--write", str(folder / "mapping.json")]) == 1
    assert "nothing was written, because there is no new line" in capsys.readouterr().err
    assert path.read_text() == second
    assert os.listdir(path.parent) == ["forwarded-ports"]


def test_nothing_is_appended_to_a_file_with_mistakes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "default" / "forwarded-ports"
    path.write_text("203.0.113.1:80 default\n")
    path.chmod(0o644)
    assert main(["import", "--write", str(folder / "mapping.json")]) == 1
    assert "nothing was written, because of these mistakes in the files" in capsys.readouterr().err
    assert path.read_text() == "203.0.113.1:80 default\n"


def test_nothing_is_appended_without_the_network(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise LibvirtError("it is off")

    monkeypatch.setattr(importlib.import_module("nethook.commands.import_"), "live_networks", fail)
    assert main(["import", "--write", str(folder / "mapping.json")]) == 1
    out, err = capsys.readouterr()
    assert "203.0.113.1:30003/udp  NETWORK  " in out
    assert "the lines have NETWORK instead of a network: it is off" in err
    assert "nothing was written, because NETWORK stands for a network that is not known" in err
    assert not (folder / "nethook" / "forwarded-ports").exists()


def test_a_file_that_is_broken_or_not_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "broken").write_text('{"a": }\n')
    assert main(["import", str(folder / "broken")]) == 2
    assert f"{folder}/broken:1:7: }} is not a value\n" in capsys.readouterr().err
    assert main(["import", str(folder / "nothing")]) == 2
    assert f"nethook: {folder}/nothing: No such file or directory\n" in capsys.readouterr().err


def test_an_address_that_is_reserved_for_the_guest_is_left_out() -> None:
    mac = "52:54:00:00:00:01"
    reserving = Network(
        *("default", "virbr0", "nat"),
        subnets=[parse_prefix("192.168.122.0/24")],
        reservations=[Reservation("192.168.122.10", mac, "")],
    )
    lines = Lines([reserving], OWN, {("web", "default"): [mac]})
    lines.add("hooks.json", read_items("hooks.json", HOOKS.replace('"build box"', '"db"').encode()))
    found = [text for text in lines.texts if "guest=web" in text]
    assert found
    assert all("192.168.122.10" not in text for text in found)
    assert any(text.endswith("guest=web to=3000 from=192.0.2.8") for text in found)
