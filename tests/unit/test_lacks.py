"""What parts still lack for a line, as status and doctor both say it; and mistakes that only this host can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import nethook.host as edge
from nethook.doctor import host_problems, networks, ours
from nethook.doctor.facts import Facts, Target
from nethook.engine.plan import Plan
from nethook.libvirt import Network, Port, Ports
from nethook.libvirt.live import LiveNetwork
from nethook.libvirt.names import no_such_network
from nethook.parts.binding import BINDING
from nethook.parts.classifying import CLASSIFYING
from nethook.parts.fallbacks import FALLBACKS
from nethook.parts.gateways import GATEWAYS
from nethook.parts.neighbours import NEIGHBOURS, PROXIES
from nethook.parts.routes import ROUTES
from nethook.parts.switches import NO_LINKLOCAL_LEARN, PROXY_NDP_SWITCH, SwitchState
from tests.unit.cases import applied, case
from tests.unit.lines import configuration, routed

if TYPE_CHECKING:
    from nethook.parts.part import Part

LINES = "2001:db8::1 public proxy=lo\n203.0.113.17 public\n203.0.113.18 public guest=web1"
LINE, OTHER, BOUND = routed(LINES)
PUBLIC = Network("public", "virbr1", "nat", Ports([Port("", "52:54:00:00:00:01", "web1")], all_known=True))


def lacks(**missing: Any) -> list[list[str]]:
    """Station and text of what each line lacks, when the states of these parts are not as they should be."""
    parts: dict[str, Part] = {part.name: part for part in (ROUTES, NEIGHBOURS, PROXIES, GATEWAYS, FALLBACKS)}
    parts.update(binding=BINDING, table=CLASSIFYING, no_linklocal_learn=NO_LINKLOCAL_LEARN, proxy_ndp=PROXY_NDP_SWITCH)
    there = applied(case(LINES, [PUBLIC]))
    there.update({parts[name]: state for name, state in missing.items()})
    made = case(LINES, [PUBLIC], there)
    return [
        [f"{lack.station}: {lack.text}" if lack.text else lack.station for lack in made.lacks(each)]
        for each in made.placements.lines
    ]


def test_nothing_lacks_where_all_is_there() -> None:
    assert lacks() == [[], [], []]


def test_a_table_lacks_for_those_lines_that_need_it() -> None:
    assert lacks(table=None) == [["our table"]] * 3
    assert lacks(binding=None) == [[], [], ["our table"]]


def test_an_element_lacks_for_the_lines_in_it_and_on_its_bridge() -> None:
    there = applied(case(LINES, [PUBLIC]))[CLASSIFYING]
    there.elements["to4"].remove(("virbr1", "203.0.113.17"))
    assert lacks(table=there) == [[], ["our table: our table does not accept 203.0.113.17 on virbr1"], []]
    there.elements["to4"].add(("virbr1", "203.0.113.17"))
    there.elements["routed6"].clear()
    assert lacks(table=there) == [
        ["our table: our table does not guard 2001:db8::1: other guests can use it as well"],
        [],
        [],
    ]


def test_what_is_not_bound() -> None:
    there = applied(case(LINES, [PUBLIC]))[BINDING]
    there.elements["holders4"].clear()
    text = "our table: 203.0.113.18 is routed, but other guests can use it as well"
    assert lacks(binding=there) == [[], [], [text]]
    assert lacks(neighbour=set()) == [[], [], [text]]
    assert lacks(binding=there, route=set())[2] == [
        "route",
        "our table: 203.0.113.18 is not bound to its guest's NIC",
    ]
    assert lacks(no_linklocal_learn=SwitchState({}, {"virbr1"}))[2] == [
        "our table: other guests on virbr1 can receive the packets to 203.0.113.18: its no_linklocal_learn is off"
    ]


def test_what_is_not_there_for_the_way_to_a_guest() -> None:
    assert lacks(route=set()) == [["route"]] * 3
    assert lacks(fallback=set()) == [[], [], []]
    assert lacks(proxy=set()) == [["proxy: the host does not answer for 2001:db8::1 on lo"], [], []]
    text = "gateway: guests on virbr1 cannot reach their gateway {}: no device has it"
    assert lacks(gateway=set()) == [
        [text.format("fe80::1")],
        [text.format("169.254.0.1")],
        [text.format("169.254.0.1")],
    ]


@pytest.mark.parametrize(
    ("off", "expected"),
    [
        ({"lo"}, ["the kernel ignores our proxy entries on lo: proxy_ndp is off"]),
        ({"eth9"}, []),
        (set(), []),
        (
            {"all"},
            [
                "the host does not answer routers on lo that send their question to the address itself: "
                "proxy_ndp is off in net.ipv6.conf.all"
            ],
        ),
    ],
)
def test_proxy_ndp_is_off_only_where_it_has_to_be_turned_on(off: set[str], expected: list[str]) -> None:
    there = {**applied(case(LINES, [PUBLIC])), PROXY_NDP_SWITCH: SwitchState({}, off)}
    host = Facts(configuration(LINES), {"public": LiveNetwork(PUBLIC, is_active=True)}, edge.Host(1))
    host.__dict__["plan"] = Plan(case(LINES, [PUBLIC], there), [], [])
    target = Target(LINE, "2001:db8::1", is_exact=True)
    target.bridge = "virbr1"
    said = [finding.text for finding in ours.lacking(host, target)]
    assert said == expected


def test_what_is_said_of_many_lines_is_said_once() -> None:
    lines = routed("203.0.113.10 pubilc\n203.0.113.11 pubilc\n203.0.113.12 other\n203.0.113.13 pubilc")
    live = {"public": LiveNetwork(Network("public", "virbr1", "nat"), is_active=True)}
    found = host_problems.merged(no_such_network(line, live) for line in lines)
    assert [str(problem) for problem in found] == [
        "routed-ips:1:14: libvirt has no network pubilc (here and in 2 more lines); did you mean public?",
        "routed-ips:3:14: libvirt has no network other; choose from: public",
    ]


def test_lines_of_ipv6_where_the_kernel_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_problems, "available", lambda: (4,))
    live = {"public": LiveNetwork(Network("public", "virbr1", "nat"), is_active=True)}
    problems = [str(problem) for line in (LINE, OTHER) for problem in host_problems._problems(line, live, [])]
    assert problems == [
        "routed-ips:1:1: this kernel has no IPv6; remove ipv6.disable=1 from the kernel's command line and boot anew, "
        "or remove the lines with IPv6"
    ]


def test_lines_of_a_network_that_can_never_be_routed_to() -> None:
    live = {"public": LiveNetwork(Network("public", "", "bridge"), is_active=True)}
    problems = [str(problem) for problem in host_problems._problems(OTHER, live, [])]
    assert problems == [
        "routed-ips:2:14: network public has no bridge (forward mode bridge); "
        "choose a network with a bridge of the kernel"
    ]


@pytest.mark.parametrize(
    ("mode", "command", "advice"),
    [
        ("nat", "virsh net-destroy public && virsh net-start public", "then restart its guests"),
        ("bridge", "", "make nobr0 in the network configuration of this host: libvirt does not make it"),
    ],
)
def test_a_network_whose_bridge_is_not_there(mode: str, command: str, advice: str) -> None:
    live = {"public": LiveNetwork(Network("public", "nobr0", mode), is_active=True)}
    target = Target(OTHER, "203.0.113.17", is_exact=True)
    (finding,) = networks.network(Facts(configuration(LINES), live, edge.Host(1)), target)
    assert finding.text == "network public is running, but there is no bridge nobr0"
    assert (finding.command, finding.advice, target.bridge) == (command, advice, "")
