"""Rules of others → the bits of the packet mark that they use, for certain or perhaps."""

from __future__ import annotations

from typing import Any

import pytest

from nethook.doctor.foreign_marks import Claim, ForeignMarks
from nethook.doctor.mark_claims import FULL, Bits, of_ip_rule, of_iptables_rule, of_nft_rule

OURS = 0x10000000
MARK, CT = {"meta": {"key": "mark"}}, {"ct": {"key": "mark"}}


def used(bits: Bits, bit: int = OURS) -> str:
    return "certain" if (bits.certain | bits.compares) & bit else "possible" if bits.possible & bit else ""


@pytest.mark.parametrize(
    ("mark", "mask", "expected"),
    [
        ("0x64", None, ""),
        ("0xca6c", None, ""),  # wg-quick
        ("0x80000", "0xff0000", ""),  # Tailscale
        ("0x10000000", "0x10000000", "certain"),
        ("0x10000064", None, "certain"),
        ("0", "0x10000000", "certain"),
        ("0x10000", "0xffff0000", "possible"),  # Calico
        ("0xffffffff", None, "certain"),
    ],
)
def test_ip_rule(mark: str, mask: str | None, expected: str) -> None:
    rule = {"priority": 100, "fwmark": mark, **({"fwmask": mask} if mask else {})}
    assert used(of_ip_rule(rule)) == expected


def test_an_ip_rule_without_a_mark_uses_none() -> None:
    assert of_ip_rule({"priority": 0, "src": "all", "table": "local"}) == Bits()


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("-A PREROUTING -j MARK --set-xmark 0x64/0xffffffff", ""),
        ("-A PREROUTING -j MARK --set-xmark 0x10000000/0xffffffff", "certain"),
        ("-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000", ""),
        ("-A PREROUTING -j MARK --set-xmark 0x10000000/0x10000000", "certain"),
        ("-A PREROUTING -j MARK --set-xmark 0x10000000/0x0", "certain"),  # --xor-mark
        ("-A PREROUTING -j MARK --set-xmark 0x0/0x10000000", "certain"),  # --and-mark
        ("-A PREROUTING -j MARK --set-xmark 0x0/0xffffffbf", "possible"),  # --and-mark
        ("-A cali-PREROUTING -j MARK --set-xmark 0x0/0xffff0000", "possible"),
        ("-A ts-forward -m mark --mark 0x40000/0xff0000 -j ACCEPT", ""),
        ("-A FORWARD -m mark ! --mark 0x10000000/0x10000000 -j DROP", "certain"),
        ("-A FORWARD -m mark --mark 0x64 -j ACCEPT", ""),
        ("-A PREROUTING -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff", ""),
        ("-A PREROUTING -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff", ""),
        ("-A PREROUTING -j CONNMARK --restore-mark --nfmask 0xffff0000 --ctmask 0xffff0000", "possible"),
        ("-A PREROUTING -j CONNMARK --set-xmark 0x10000001/0xffffffff", "certain"),
        ("-A PREROUTING -m connmark --mark 0x10000000/0x10000000 -j ACCEPT", "certain"),
        ("-A PREROUTING -p tcp -j TPROXY --on-port 3 --on-ip 0.0.0.0 --tproxy-mark 0x1/0x1", ""),
        ("-A PREROUTING -p tcp -j HMARK --hmark-tuple src --hmark-mod 10 --hmark-rnd 0x1", "possible"),
        ('-A PREROUTING -m comment --comment "mark 0x10000000, not" -j ACCEPT', ""),
        ("-A PREROUTING -j MARK --set-xmark nonsense", "possible"),
    ],
)
def test_iptables(rule: str, expected: str) -> None:
    assert used(of_iptables_rule(rule)) == expected


def sets(value: object, key: object = MARK) -> dict[str, Any]:
    return {"mangle": {"key": key, "value": value}}


def compares(right: object, left: object = MARK, op: str = "==") -> dict[str, Any]:
    return {"match": {"op": op, "left": left, "right": right}}


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (sets(100), ""),
        (sets(51820), ""),
        (sets(OURS | 100), "certain"),
        (sets(OURS | 100, CT), "certain"),
        (sets(CT), ""),
        (sets(MARK, CT), ""),
        (sets({"&": [CT, 0xFF]}), ""),
        (sets({"&": [CT, 0xFFFF0000]}), "possible"),
        (sets({"|": [MARK, 0x40]}), ""),
        (sets({"|": [MARK, 0x40, OURS]}), "certain"),
        (sets({"^": [MARK, OURS]}), "certain"),
        (sets({"&": [MARK, FULL & ~OURS]}), "certain"),
        (sets({"&": [MARK, 0xFF]}), "possible"),
        (sets({"|": [{"&": [MARK, 0xFFFFFF00]}, 0x64]}), ""),
        (sets({"|": [{"&": [MARK, 0xFFFF]}, 0x10000]}), "possible"),
        (sets({"numgen": {"mode": "inc", "mod": 2, "offset": 100}}), ""),
        (sets({"numgen": {"mode": "inc", "mod": 2, "offset": OURS}}), "possible"),
        (sets({"jhash": {"mod": 8, "expr": {"payload": {"protocol": "ip", "field": "saddr"}}}}), ""),
        (sets({"map": {"key": {}, "data": {"set": [["192.0.2.1", 5], ["192.0.2.2", 6]]}}}), ""),
        (sets({"map": {"key": {}, "data": {"set": [[{"elem": {"val": "192.0.2.1"}}, OURS]]}}}), "certain"),
        (sets({"map": {"key": {}, "data": "@m"}}), "possible"),
        (sets({"<<": [MARK, 4]}), "possible"),
        (sets(6, {"meta": {"key": "priority"}}), ""),
        (compares(100), ""),
        (compares(0, op="!="), ""),
        (compares(OURS), "certain"),
        (compares({"set": [{"range": [1, 2]}, 100]}), ""),
        (compares({"set": [1, OURS]}), "certain"),
        (compares({"range": [1, OURS]}), "possible"),
        (compares("@marks"), "possible"),
        (compares(OURS, {"&": [MARK, OURS]}), "certain"),
        (compares(0, {"&": [MARK, OURS]}, "!="), "certain"),
        (compares(0x10000, {"&": [MARK, 0xFFFF0000]}), "possible"),
        (compares({"set": [0x10, 0x20]}, {"&": [MARK, 0xF0]}), ""),
        (compares({"set": [{"concat": [1, "192.0.2.1"]}]}, {"concat": [MARK, {"payload": {}}]}), "possible"),
        (compares("192.0.2.1", {"payload": {"protocol": "ip", "field": "saddr"}}), ""),
        ({"vmap": {"key": MARK, "data": {"set": [[100, {"accept": None}]]}}}, ""),
        ({"vmap": {"key": MARK, "data": {"set": [[OURS, {"accept": None}]]}}}, "certain"),
        ({"vmap": {"key": MARK, "data": "@verdicts"}}, "possible"),
        ({"accept": None}, ""),
    ],
)
def test_nft(statement: dict[str, Any], expected: str) -> None:
    assert used(of_nft_rule([statement, {"counter": {"packets": 0, "bytes": 0}}])) == expected


def test_a_rule_that_filters_by_our_mark_is_what_we_say_to_write() -> None:
    """In a forward chain, the bit alone is compared: docs/firewalls.md."""
    bits = of_nft_rule([compares(OURS, {"&": [MARK, OURS]}), {"accept": None}])
    assert ForeignMarks([Claim(bits, "x", "y", may_filter=True)]).certain(OURS) == ""
    assert ForeignMarks([Claim(bits, "x", "y")]).certain(OURS) != ""
    setting = of_nft_rule([compares(OURS, {"&": [MARK, OURS]}), sets(OURS)])
    assert ForeignMarks([Claim(setting, "x", "y", may_filter=True)]).certain(OURS) != ""


def test_what_is_said_and_proposed() -> None:
    marks = ForeignMarks(
        [
            Claim(of_ip_rule({"fwmark": hex(OURS)}), "ip -4 rule 100", "fwmark 0x10000000 lookup 7"),
            Claim(Bits(0x20000000), "nftables chain inet a b", "meta mark set 0x20000000"),
            Claim(Bits(0, 0xFF000000), "iptables-nft, table mangle, chain c", "-A c"),
            Claim(Bits(0, FULL), "nftables chain inet a d", "meta mark set ip saddr map @m"),
        ]
    )
    assert marks.certain(OURS) == (
        "bit 0x10000000 of the packet mark, which is ours, is also used by ip -4 rule 100: fwmark 0x10000000 lookup 7"
    )
    assert marks.possible(0x400000) == (
        "bit 0x400000 of the packet mark, which is ours, may also be used by"
        " nftables chain inet a d: meta mark set ip saddr map @m"
    )
    assert marks.advice() == "write mark-bit = 0x800000 into /etc/nethook/nethook.conf, then run nethook apply"
    assert ForeignMarks([Claim(Bits(FULL), "a", "b")]).advice() == "no bit is free: remove one from these rules"
    assert "; and 2 more" in ForeignMarks([Claim(Bits(OURS), "a", "b")] * 5).certain(OURS)
