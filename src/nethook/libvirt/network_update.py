"""Differences between a network that runs and its definition: those for ``virsh net-update``, and for a restart.

https://libvirt.org/html/libvirt-libvirt-network.html#virNetworkUpdate, and virNetworkDefUpdateSection in libvirt's
src/conf/network_conf.c: of the sections, these here reach a running network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from xml.etree import ElementTree

from nethook.shell import operand, word

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any
    from xml.etree.ElementTree import Element

    Form = tuple[Any, ...]

LIVE, CONFIG = "--live", "--config"
"""Options of ``virsh net-update``: what runs, and the definition."""
DELETE, ADD, MODIFY = "delete", "add-last", "modify"
COMMANDS = {MODIFY: 1, DELETE: 2, ADD: 3}
"""virNetworkUpdateCommand."""
SECTIONS = {
    "ip-dhcp-host": 4,
    "ip-dhcp-range": 5,
    "portgroup": 9,
    "dns-host": 10,
    "dns-txt": 11,
    "dns-srv": 12,
}
"""virNetworkUpdateSection."""
IN_DHCP = {"host": "ip-dhcp-host", "range": "ip-dhcp-range"}
IN_DNS = {"host": "dns-host", "txt": "dns-txt", "srv": "dns-srv"}
RUNTIME = {"connections"}
"""Attributes that libvirt adds to a network that runs."""
DEFAULT_PORTS = {"start": "1024", "end": "65535"}
SPECIAL = set('"$`!\\')
"""What means something in a shell's double quotes."""
ANY = -1
"""virNetworkUpdate's parentIndex where libvirt finds the ``<ip>`` itself, or where there is none."""


class Update(NamedTuple):
    """One call of virNetworkUpdate. ``parent`` is the number of the ``<ip>``, or ANY."""

    command: str
    section: str
    xml: str
    parent: int = ANY

    def virsh(self, network: str, *options: str) -> str:
        """Return the command of a shell that does the same."""
        parent = [] if self.parent == ANY else ["--parent-index", str(self.parent)]
        xml = f'"{self.xml}"' if self.xml.isprintable() and not SPECIAL.intersection(self.xml) else word(self.xml)
        return " ".join(["virsh net-update", *options, *parent, operand(network), self.command, self.section, xml])


class Difference(NamedTuple):
    """The updates that make a running network like its definition, and the names of elements that take a restart."""

    updates: Sequence[Update]
    rest: Sequence[str]


def difference(running: str, defined: str) -> Difference:
    """Return the difference between the XML of a running network and that of its definition."""
    live, wanted = (ElementTree.fromstring(xml) for xml in (running, defined))  # noqa: S314 - libvirt wrote it
    updates = [*_of_dns(live, wanted), *_of_portgroups(live, wanted)]
    if [_subnet(ip) for ip in live.iterfind("ip")] == [_subnet(ip) for ip in wanted.iterfind("ip")]:
        for number, (old, new) in enumerate(zip(live.iterfind("ip"), wanted.iterfind("ip"))):
            updates += _of_dhcp(old.find("dhcp"), new.find("dhcp"), number)
            for ip in (old, new):
                _drop(ip, "dhcp", IN_DHCP)
    for root in (live, wanted):
        _drop(root, "dns", IN_DNS)
        _drop_default_ports(root)
        for group in root.findall("portgroup"):
            root.remove(group)
    # What is deleted may be in the way of what is added: a range, or the address of another reservation.
    order = (DELETE, MODIFY, ADD)
    return Difference(sorted(updates, key=lambda each: order.index(each.command)), _names_of_others(live, wanted))


def _of_dns(live: Element, wanted: Element) -> Iterator[Update]:
    for tag, section in IN_DNS.items():
        yield from _of_lists(live.findall(f"dns/{tag}"), wanted.findall(f"dns/{tag}"), section, ANY)


def _of_dhcp(live: Element | None, wanted: Element | None, number: int) -> Iterator[Update]:
    for tag, section in IN_DHCP.items():
        old, new = ([] if dhcp is None else dhcp.findall(tag) for dhcp in (live, wanted))
        yield from _of_lists(old, new, section, number)


def _of_lists(old: Sequence[Element], new: Sequence[Element], section: str, parent: int) -> Iterator[Update]:
    before, after = [_form(each) for each in old], [_form(each) for each in new]
    yield from (Update(DELETE, section, one_line_xml(each), parent) for each in old if _form(each) not in after)
    yield from (Update(ADD, section, one_line_xml(each), parent) for each in new if _form(each) not in before)


def _of_portgroups(live: Element, wanted: Element) -> Iterator[Update]:
    old, new = ({each.get("name", ""): each for each in root.iterfind("portgroup")} for root in (live, wanted))
    yield from (Update(DELETE, "portgroup", one_line_xml(old[name])) for name in old if name not in new)
    for name, group in new.items():
        if name not in old:
            yield Update(ADD, "portgroup", one_line_xml(group))
        elif _form(old[name]) != _form(group):
            yield Update(MODIFY, "portgroup", one_line_xml(group))


def _subnet(ip: Element) -> Form:
    return tuple(ip.get(name) for name in ("family", "address", "prefix", "netmask", "localPtr"))


def _drop(root: Element, parent: str, tags: dict[str, str]) -> None:
    """Remove these elements, and their parent if nothing else is in it."""
    found = root.find(parent)
    if found is not None:
        for each in list(found):
            if each.tag in tags:
                found.remove(each)
        if not len(found) and not found.attrib:
            root.remove(found)


def _drop_default_ports(root: Element) -> None:
    """Remove what libvirt adds to ``<forward mode='nat'>`` of a network that runs."""
    for forward in root.iterfind("forward"):
        for nat in forward.findall("nat"):
            for port in nat.findall("port"):
                if port.attrib == DEFAULT_PORTS:
                    nat.remove(port)
            if not len(nat) and not nat.attrib:
                forward.remove(nat)


def _names_of_others(live: Element, wanted: Element) -> list[str]:
    """Return the names of elements that are not the same."""
    names = dict.fromkeys(each.tag for root in (wanted, live) for each in root)
    is_same = _attributes(live) == _attributes(wanted)
    return ([] if is_same else [live.tag]) + [
        name
        for name in names
        if sorted(map(_form, live.findall(name)), key=repr) != sorted(map(_form, wanted.findall(name)), key=repr)
    ]


def _form(element: Element) -> Form:
    """Return an element as a value that can be compared: without white space, and without what only libvirt adds."""
    return (element.tag, _attributes(element), (element.text or "").strip(), [_form(child) for child in element])


def _attributes(element: Element) -> list[tuple[str, str]]:
    return sorted((name, value) for name, value in element.items() if name not in RUNTIME)


def one_line_xml(element: Element) -> str:
    """Return an element as XML in one line."""
    copy = ElementTree.fromstring(ElementTree.tostring(element))  # noqa: S314 - made one line before
    for each in copy.iter():
        each.tail = None
        each.text = (each.text or "").strip() or None
    text = ElementTree.tostring(copy, encoding="unicode").replace(" />", "/>")
    return text if "'" in text else text.replace('"', "'")
