"""The shape of a change for programs: docs/json.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nethook.commands.plan import as_json
from nethook.engine.change import Change, TableChange
from nethook.engine.desired import Desired
from nethook.engine.steps import steps
from nethook.parts.gateways import GATEWAYS, WITHOUT_ROUTE
from nethook.parts.kinds import KINDS
from nethook.parts.neighbours import NEIGHBOURS
from nethook.parts.proxies import PROXIES
from nethook.parts.routes import ROUTES
from nethook.parts.tables.binding import BINDING
from nethook.parts.tables.ruleset import Ruleset

if TYPE_CHECKING:
    from nethook.parts.kind import Key, Kind

MAC = "52:54:00:00:00:01"


def nothing() -> Change:
    change = Change(TableChange(Ruleset(0x40)), TableChange(BINDING))
    for kind in KINDS:
        change.gone[kind], change.new[kind] = [], []
    return change


@pytest.mark.parametrize(
    ("kind", "key", "shown"),
    [
        (ROUTES, ("203.0.113.10", "virbr1", ""), {}),
        (ROUTES, ("203.0.113.10", "virbr1", "203.0.113.1"), {"via": "203.0.113.1"}),
        (NEIGHBOURS, ("203.0.113.10", "virbr1", MAC), {"mac": MAC}),
        (PROXIES, ("203.0.113.10", "", "eth0"), {"uplink": "eth0"}),
        (GATEWAYS, ("fe80::1", "virbr1", WITHOUT_ROUTE), {}),
    ],
)
def test_what_it_leads_to_has_a_key_of_its_own(kind: Kind, key: Key, shown: dict[str, str]) -> None:
    change = nothing()
    change.gone[kind] = [key]
    ((effect,),) = [step.effects for step in steps(change, Desired(), [], [], protocol=218)]
    place = {"prefix": key[0], "bridge": key[1]} if key[1] else {"prefix": key[0]}
    assert as_json(effect) == {"action": "remove", "kind": kind.name, "text": effect.text, **place, **shown}


def test_the_uplink_of_a_setting() -> None:
    change = nothing()
    change.proxy_ndp = {"eth0": True}
    ((effect,),) = [step.effects for step in steps(change, Desired(), [], [], protocol=218)]
    assert as_json(effect) == {"action": "add", "kind": "proxy_ndp", "text": "proxy_ndp on eth0", "uplink": "eth0"}
