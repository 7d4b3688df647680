"""guest-config: the texts of all formats, and which addresses are meant by what was written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from nethook.cli import main
from nethook.commands import guest_config
from nethook.config.forwarded_ports import parse_forwarded_ports
from nethook.config.settings import GATEWAY4, GATEWAY6
from nethook.errors import NethookError
from nethook.guest_config import FORMATS, SYSTEMS, format_named
from nethook.guest_config.nic import Nic
from nethook.guest_config.resolvers import resolvers
from nethook.guest_config.selection import select
from nethook.libvirt import Network
from nethook.libvirt.live import LiveGuest, LiveNetwork
from nethook.prefix import parse_prefix
from tests.unit.lines import configured, routed

GUESTS = Path(__file__).parents[2] / "docs" / "guests.md"
TEXTS = Path(__file__).with_name("guest_config")

DUAL_STACK = Nic(
    interface="",
    mac="52:54:00:12:34:56",
    routed=["203.0.113.10/32", "2001:db8:7::1/128", "203.0.113.17/32"],
    gateways={4: GATEWAY4, 6: GATEWAY6},
    dns=["192.0.2.53", "2001:db8::53"],
)

LINES = routed(
    "203.0.113.10 public\n"
    "203.0.113.16/29 public guest=web1\n"
    "203.0.113.18 other\n"
    "203.0.113.64/27 public guest=web2 mac=52:54:00:00:00:02\n"
    "203.0.113.96/29 public via=203.0.113.10\n"
    "2001:db8:7::/64 public guest=web1\n"
    "2001:db8:8::/64 other\n"
)


def text(name: str, nic: Nic) -> str:
    """The text of a format, for a NIC with the name that is usual there."""
    chosen = format_named(name)
    return chosen.text(nic._replace(interface=chosen.interface))


@pytest.mark.parametrize("name", FORMATS)
def test_the_text_of_each_format(name: str) -> None:
    assert text(name, DUAL_STACK) == (TEXTS / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FORMATS)
def test_the_documentation_shows_what_is_printed(name: str) -> None:
    shown = DUAL_STACK._replace(routed=["203.0.113.10/32", "2001:db8:7::10/128"], dns=["192.0.2.53"])
    assert f"\n{text(name, shown)}```\n" in GUESTS.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FORMATS)
def test_one_family_alone_says_nothing_of_the_other(name: str) -> None:
    only4 = text(name, DUAL_STACK._replace(routed=["203.0.113.10/32"], gateways={4: GATEWAY4}, dns=[]))
    only6 = text(name, DUAL_STACK._replace(routed=["2001:db8:7::1/128"], gateways={6: GATEWAY6}, dns=[]))
    assert "203.0.113.10" in only4
    assert "2001:db8" not in only4
    assert GATEWAY6 not in only4
    assert "2001:db8:7::1" in only6
    assert "203.0.113" not in only6
    assert GATEWAY4 not in only6


@pytest.mark.parametrize("name", FORMATS)
def test_a_fixed_private_address_comes_after_the_routed_ones(name: str) -> None:
    printed = text(name, DUAL_STACK._replace(private=["192.168.50.2/24", "fd00:50::2/64"]))
    for routed_one, private in (("203.0.113.17", "192.168.50.2"), ("2001:db8:7::1", "fd00:50::2")):
        assert printed.index(routed_one) < printed.index(private)


@pytest.mark.parametrize("name", FORMATS)
def test_each_link_local_gateway_names_its_nic(name: str) -> None:
    """They are all of fe80::/10."""
    other = DUAL_STACK._replace(gateways={4: GATEWAY4, 6: "fe90::1"})
    assert text(name, other) == text(name, DUAL_STACK).replace(GATEWAY6, "fe90::1")


def test_dhcp_keeps_its_address_and_not_its_default_route() -> None:
    nic = DUAL_STACK._replace(automatic=frozenset({4, 6}))
    assert "DHCP=ipv4\nIPv6AcceptRA=yes\n" in text("networkd", nic)
    assert text("networkd", nic).endswith("Metric=50\n\n[DHCPv4]\nUseRoutes=no\n")
    assert "dhcp4: true\n      dhcp4-overrides:\n        use-routes: false\n" in text("netplan", nic)
    assert "method=auto\naddress1=203.0.113.10/32\n" in text("networkmanager", nic)
    assert "route1=::/0,fe80::1,50\n" in text("networkmanager", nic)


def test_dhcp_has_the_default_route_of_a_family_without_routed_addresses() -> None:
    nic = DUAL_STACK._replace(routed=["2001:db8:7::1/128"], gateways={6: GATEWAY6}, automatic=frozenset({4}))
    assert "use-routes" not in text("netplan", nic)
    assert "UseRoutes" not in text("networkd", nic)
    assert text("networkmanager", nic).count("ignore-auto-routes") == 0


def test_a_gateway_that_is_not_link_local_has_a_route_of_its_own() -> None:
    nic = DUAL_STACK._replace(gateways={4: "192.168.50.1", 6: "fd00:50::1"})
    assert 'to: "fd00:50::1/128"\n        scope: link\n' in text("cloud-init", nic)
    assert "up ip -6 route add fd00:50::1 dev eth0\n" in text("alpine", nic)
    assert 'ipv6_route_gateway="-host fd00:50::1 -interface vtnet0"\nipv6_defaultrouter="fd00:50::1"\n' in text(
        "freebsd", nic
    )
    assert "IPV6_DEFAULTGW=fd00:50::1\n" in text("ifcfg", nic)
    assert "-DestinationPrefix 'fd00:50::1/128' -NextHop '::'\n" in text("windows", nic)


@pytest.mark.parametrize(
    ("words", "network", "addresses", "guest", "mac"),
    [
        (["203.0.113.10"], "public", ["203.0.113.10"], "", ""),
        (["203.0.113.10", "web9"], "public", ["203.0.113.10"], "web9", ""),
        (["203.0.113.17"], "public", ["203.0.113.17"], "web1", ""),
        (["203.0.113.16/31"], "public", ["203.0.113.16", "203.0.113.17"], "web1", ""),
        (["203.0.113.65"], "public", ["203.0.113.65"], "web2", "52:54:00:00:00:02"),
        (["2001:db8:8::/64"], "other", ["2001:db8:8::1"], "", ""),
        (["web2"], "public", ["203.0.113.65"], "web2", "52:54:00:00:00:02"),
        (["203.0.113.10", "203.0.113.10"], "public", ["203.0.113.10"], "", ""),
    ],
)
def test_what_is_meant(words: list[str], network: str, addresses: list[str], guest: str, mac: str) -> None:
    found = select(words, LINES)
    assert (found.network, found.addresses, found.guest, found.mac) == (network, addresses, guest, mac)


def test_a_small_prefix_is_configured_whole_but_for_what_another_line_has() -> None:
    found = select(["web1"], LINES)
    assert found.addresses == [*(f"203.0.113.{host}" for host in (16, 17, 19, 20, 21, 22, 23)), "2001:db8:7::1"]
    assert found.remarks == ["of 2001:db8:7::/64, the guest gets 2001:db8:7::1; to choose another address, name it"]


def test_a_prefix_behind_a_guest_is_no_address_of_it() -> None:
    lines = routed("203.0.113.10 public guest=web1\n203.0.113.96/29 public guest=web1 via=203.0.113.10\n")
    found = select(["web1"], lines)
    assert found.addresses == ["203.0.113.10"]
    assert found.remarks == ["203.0.113.96/29 is routed via 203.0.113.10, so it is no address of this NIC"]


@pytest.mark.parametrize("words", [["2001:db8:9::5"], ["2001:db8:9::5", "web7"], ["web7"]])
def test_who_is_the_next_hop_may_use_an_address_of_the_prefix(words: list[str]) -> None:
    found = select(words, routed("2001:db8:9::/64 public guest=web7 via=fe80::7\n"))
    named = words[0] != "web7"
    assert found.addresses == ["2001:db8:9::5" if named else "2001:db8:9::1"]
    block = "2001:db8:9::5" if named else "2001:db8:9::/64"
    assert found.remarks[0] == f"{block} is routed via fe80::7: this NIC must have that address as well"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["198.51.100.1"],
            "no line of the files names 198.51.100.1, nor a prefix around it; the nearest is 203.0.113.10 at ",
        ),
        (["203.0.113.999"], "not an IP address: 203.0.113.999"),
        (["203.0.113.17/29"], "203.0.113.17/29 does not begin at a /29 boundary: write 203.0.113.16/29 for the block"),
        (["web9"], "no line of the files has guest=web9; name its address, too"),
        (["web1", "web2"], "web1 and web2 are several guests"),
        (["203.0.113.10", "203.0.113.18"], "for more than one network: public (203.0.113.10), other (203.0.113.18)"),
        (["203.0.113.17", "203.0.113.65"], "for more than one guest: web1 (203.0.113.17), web2 (203.0.113.65)"),
        (["203.0.113.17", "web2"], "for more than one guest: web1 (203.0.113.17), web2 (asked for)"),
    ],
)
def test_what_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(NethookError) as refused:
        select(words, LINES)
    assert said in str(refused.value)


def test_without_a_line_of_the_family() -> None:
    with pytest.raises(NethookError, match="they have no IPv6 line at all"):
        select(["2001:db8::1"], routed("203.0.113.10 public\n"))


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["nameserver 192.0.2.53\n# nameserver 192.0.2.54\nnameserver 2001:db8::53\n"], ["192.0.2.53", "2001:db8::53"]),
        (["nameserver 127.0.0.53\n", "nameserver 192.0.2.53\n"], ["192.0.2.53"]),
        (["nameserver ::1\nnameserver fe80::1%eth0\nnameserver 169.254.1.1\n"], []),
        ([], []),
    ],
)
def test_the_dns_servers_of_the_host(texts: list[str], found: list[str], tmp_path: Path) -> None:
    files = [tmp_path / str(number) for number, _ in enumerate(texts)]
    for file, content in zip(files, texts):
        file.write_text(content)
    assert resolvers([*map(str, files), str(tmp_path / "missing")]) == found


@pytest.mark.parametrize(("known", "advice"), [([], "it has no guests"), (["web1"], "did you mean web1?")])
def test_a_guest_that_is_not_defined_yet(known: list[str], advice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest_config, "live_guests", lambda: {name: LiveGuest([], is_running=False) for name in known})
    with pytest.raises(NethookError) as refused:
        guest_config._live_guest("web9")
    assert str(refused.value) == f"libvirt has no guest web9: {advice} (before you define it, use --mac MAC)"


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> guest_config._Network:
    subnets = [parse_prefix(text) for text in ("192.168.50.0/24", "192.168.60.0/31", "fd00:50::/64")]
    network = Network("public", "virbr1", "nat", subnets=subnets)
    live = LiveNetwork(network, is_active=True, addresses=[("192.168.50.1", 24)])
    monkeypatch.setattr(guest_config, "_live_network", lambda _: live)
    return guest_config._Network("public")


@pytest.mark.parametrize(
    ("private", "found"),
    [
        ("192.168.50.7", "192.168.50.7/24"),
        ("192.168.60.0", "192.168.60.0/31"),
        ("fd00:50::ffff:ffff:ffff:ffff", "fd00:50::ffff:ffff:ffff:ffff/64"),
    ],
)
def test_a_private_address(private: str, found: str, public: guest_config._Network) -> None:
    assert public.own(private) == found


@pytest.mark.parametrize(
    ("private", "why"),
    [
        ("192.168.50.0", "192.168.50.0 is the network address of 192.168.50.0/24, so no guest can have it"),
        ("192.168.50.255/24", "192.168.50.255 is the broadcast address of 192.168.50.0/24, so no guest can have it"),
        ("192.168.50.1", "192.168.50.1 is the host's own address on network public"),
        ("fd00:50::", "fd00:50:: is the routers' address of fd00:50::/64, so no guest can have it"),
    ],
)
def test_a_private_address_that_no_guest_can_have(private: str, why: str, public: guest_config._Network) -> None:
    with pytest.raises(NethookError) as refused:
        public.own(private)
    assert str(refused.value) == why


@pytest.fixture
def asking(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Return what runs guest-config on a host with LINES and one forward."""
    forwards, _ = parse_forwarded_ports([("forwarded-ports", b"203.0.113.5 lan guest=mail\n")])
    found = configured(LINES).replaced(forwards=forwards)
    monkeypatch.setattr(guest_config, "load", lambda _: found)
    monkeypatch.setattr(guest_config, "resolvers", lambda: ["192.0.2.53"])
    return lambda *words: main(["guest-config", *words])


def test_all_formats_for_programs(asking: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    words = ["203.0.113.10", "2001:db8:7::10", "--mac", "52:54:00:12:34:56"]
    assert asking(*words, "--format", "json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["address"], told["gateway"]) == ("203.0.113.10/32", GATEWAY4)
    assert told["addresses"][1] == {"address": "2001:db8:7::10/128", "gateway": GATEWAY6}
    assert (told["nameservers"], told["network"], told["mac"]) == (["192.0.2.53"], "public", "52:54:00:12:34:56")
    assert [each["format"] for each in told["configurations"]] == list(FORMATS)
    for each in told["configurations"]:
        for name in (each["format"], *each["systems"]):
            asking(*words, "--format", name)
            printed, said = capsys.readouterr()
            assert printed == each["text"]
            assert ("assuming that the guest calls the NIC" in said) != each["is_interface_certain"]
        assert each["path"] is None or each["path"] in each["text"].splitlines()[0]
        assert each["title"]
    assert {name for each in told["configurations"] for name in each["systems"]} == set(SYSTEMS)


def test_programs_learn_what_is_only_forwarded(asking: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert asking("203.0.113.5", "--format", "json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["addresses"], told["configurations"]) == ([], [])
    assert "forwarded as a whole" in told["remarks"][0]


def test_a_guest_with_forwards_gets_an_address_too(
    asking: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With an address, its name chooses the NIC; alone, it stands for its lines."""
    mac = "52:54:00:12:34:56"
    monkeypatch.setattr(guest_config, "live_guests", lambda: {"mail": LiveGuest([("public", mac)], is_running=True)})
    assert asking("203.0.113.10", "mail") == 0
    printed, said = capsys.readouterr()
    assert f'macaddress: "{mac}"' in printed
    assert not said
    assert asking("mail") == 0
    assert "nothing has to be configured" in capsys.readouterr().err


def test_the_name_of_a_nic_that_is_assumed(asking: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert asking("203.0.113.10") == 0
    assert "NIC enp1s0; otherwise, name the guest, or add --interface NAME" in capsys.readouterr().err
    assert asking("203.0.113.10", "--format", "alpine") == 0
    assert "NIC eth0; otherwise, add --interface NAME" in capsys.readouterr().err


def test_an_installed_debian_differs_from_its_cloud_image(
    asking: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert asking("203.0.113.10", "--format", "debian") == 0
    printed, said = capsys.readouterr()
    assert printed.startswith("# /etc/network/interfaces.d/nethook")
    assert "--format debian-cloud" in said
