"""The shape of a change for programs: docs/json.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nethook.changes import WORDS
from nethook.commands.plan import as_json
from nethook.libvirt import Network
from nethook.parts import PARTS
from nethook.parts.gateways import GATEWAYS, WITHOUT_ROUTE, Gateway
from nethook.parts.neighbours import NEIGHBOURS, PROXIES, Pin, Proxy
from nethook.parts.routes import ROUTES, Route
from nethook.parts.switches import PROXY_NDP_SWITCH, SwitchState
from tests.unit.cases import case, empty, steps

if TYPE_CHECKING:
    from nethook.parts.part import Key, Objects

MAC = "52:54:00:00:00:01"


@pytest.mark.parametrize(
    ("part", "key", "shown"),
    [
        (ROUTES, Route(("203.0.113.10", "virbr1", "")), {}),
        (ROUTES, Route(("203.0.113.10", "virbr1", "203.0.113.1")), {"via": "203.0.113.1"}),
        (NEIGHBOURS, Pin(("203.0.113.10", "virbr1", MAC)), {"mac": MAC}),
        (PROXIES, Proxy(("203.0.113.10", "", "eth0")), {"uplink": "eth0"}),
        (GATEWAYS, Gateway(("fe80::1", "virbr1", WITHOUT_ROUTE)), {}),
    ],
)
def test_what_it_leads_to_has_a_key_of_its_own(part: Objects, key: Key, shown: dict[str, str]) -> None:
    ((effect,),) = [step.effects for step in steps(case("", [], {**empty(), part: {key}}), [part])]
    place = {"prefix": key.prefix, "bridge": key.device} if key.device else {"prefix": key.prefix}
    assert as_json(effect) == {"action": "remove", "kind": part.name, "text": effect.text, **place, **shown}


def test_the_uplink_of_a_setting() -> None:
    states = {**empty(), PROXY_NDP_SWITCH: SwitchState({}, {"eth0"})}
    made = case("2001:db8::1 public proxy=eth0", [Network("public", "virbr1", "nat")], states)
    ((effect,),) = [step.effects for step in steps(made, [PROXY_NDP_SWITCH])]
    assert as_json(effect) == {"action": "add", "kind": "proxy_ndp", "text": "proxy_ndp on eth0", "uplink": "eth0"}


def test_every_kind_of_effect_has_words() -> None:
    assert {part.name for part in PARTS if part.name not in {"table", "binding", "arp"}} <= WORDS.keys()
