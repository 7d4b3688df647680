"""Commands of doctor have names that others have chosen: a name is one word of the shell, and of nft."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from nethook.doctor import admin_iptables, firewalls, guest_answers
from nethook.doctor.nft_chains import BaseChain
from nethook.shell import argument_lists

FACTS = cast("Any", SimpleNamespace(settings=SimpleNamespace(mark_bit=0x40)))
TARGET = cast("Any", SimpleNamespace(family=4, block="203.0.113.10", name="203.0.113.10"))
HOSTILE = ["a;reboot", "$(reboot)", "`reboot`", "a|reboot", "a&&reboot", "'a"]


@pytest.mark.parametrize("name", HOSTILE)
def test_the_chain_of_a_jump_is_one_word(name: str) -> None:
    from shlex import quote  # noqa: PLC0415

    command = admin_iptables._past(FACTS, "iptables", f"-s 203.0.113.10/32 -j {quote(name)}")
    assert argument_lists(command) == [
        ["iptables", "-w", "-I", name, "-m", "mark", "--mark", "0x40/0x40", "-j", "RETURN"]
    ]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_bridge_is_one_word(name: str) -> None:
    target = cast("Any", SimpleNamespace(link_address="192.0.2.7", bridge=name, name="203.0.113.10"))
    finding = guest_answers._finding(target, "ARP", {"52:54:00:00:00:01"}, {"192.0.2.7": "52:54:00:00:00:02"})
    assert argument_lists(finding.command) == [["ip", "neigh", "del", "192.0.2.7", "dev", name]]


@pytest.mark.parametrize(
    ("table", "name"), [("filter", "a; flush ruleset"), ("t;flush ruleset;", "forward"), ("t", "a b"), ("t", "a\nb")]
)
def test_a_name_that_nft_cannot_read_is_in_no_command(table: str, name: str) -> None:
    chain = BaseChain("inet", table, name, "forward", 0, "accept")
    assert firewalls._opening(FACTS, chain, TARGET, 7) == ""
    plain = chain._replace(table="my_t-1.x", name="DOCKER-USER")
    assert firewalls._opening(FACTS, plain, TARGET, 7).startswith("nft 'insert rule inet my_t-1.x DOCKER-USER position")
