"""What tools and the kernel never print, and yet must neither end a run with a traceback nor keep it for ever."""

from __future__ import annotations

import socket
import sys
from struct import pack
from typing import TYPE_CHECKING

import pytest

from nethook.changes import ADD, Effect
from nethook.config import Configuration, Settings
from nethook.config.text import Problem
from nethook.doctor.finding import FAILURE, Finding
from nethook.doctor.ip_answers import ask
from nethook.engine import run
from nethook.engine.foreign_routes import ForeignRoutes
from nethook.engine.snapshot import Question
from nethook.errors import NethookError, ReadError
from nethook.host import Host, files, nftables
from nethook.host.fake import FakeHost, Fault
from nethook.host.layout import ADDRESS, SetType
from nethook.host.netlink import NETLINK_ROUTE, NFTABLES, Netlink, attributes
from nethook.host.nftables import ForeignChain, foreign_chain, read_chain
from nethook.host.process import LONGEST_SHOWN, Call, Result, Tools, refusals
from nethook.libvirt import XML, read_port
from nethook.parts import switches
from nethook.parts.neighbours import PROXIES, Proxy
from nethook.placement.scope import Scope
from nethook.prefix import is_safe
from nethook.shell import word
from nethook.status import watch

if TYPE_CHECKING:
    from pathlib import Path

    from nethook.status.overview import Overview


def result(out: str, err: str = "", status: int = 0) -> Result:
    return Result(Call(("ip",)), status, out, err)


ODD = ["[null]", "null", "[1]", '"text"', "[[]]", "{}", "[" * 100_000, '[{"dst":1}]', '[{"dst":null}]', "[{"]


@pytest.mark.parametrize("text", ODD, ids=lambda text: text[:12])
def test_odd_json_is_an_error_that_people_understand(text: str) -> None:
    with pytest.raises(ReadError, match="printed what is not understood"):
        ForeignRoutes({"virbr1"}).routes([result(text)])


def test_an_empty_object_is_nothing() -> None:
    assert ForeignRoutes({"virbr1"}).routes([result("[{}]")]) == (set(), set())


@pytest.mark.parametrize("text", ["[null]", "null", "[1]"])
def test_odd_answers_to_the_doctor(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tools, "run", lambda *_: result(text))
    with pytest.raises(ReadError):
        ask(Tools(1), 4, ["route show"])


def test_answers_beside_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    said = result('[{"dst":"a"},{}][]', "Error: no such thing.\nCommand failed -:2\n", 1)
    monkeypatch.setattr(Tools, "run", lambda *_: said)
    first, second, third = ask(Tools(1), 4, ["a", "b", "c"])
    assert (first.listed, second.error, third.listed) == ([{"dst": "a"}], "no such thing", [])


def test_a_number_of_another_script_is_no_line_number() -> None:
    assert refusals(result("", "Command failed -:²\nCommand failed -:٢\nCommand failed -:2\n", 1)).keys() == {1}


def test_a_length_of_nothing_ends_the_reading() -> None:
    with pytest.raises(ReadError, match="has no length"):
        list(attributes(pack("HH", 0, 1) * 4, 0, 16))
    kind = SetType("to", ADDRESS[4])
    with pytest.raises(ReadError, match="an element is cut"):
        nftables.single_keys(kind, [(pack("HHHH", 0, 1, 0, 1) + bytes(16), 0, 24)])


def attribute(number: int, content: bytes) -> bytes:
    return pack("HH", 4 + len(content), number) + content + bytes(-len(content) % 4)


def expression(name: str, *parts: bytes) -> bytes:
    """An expression of a rule, as one of a list."""
    return attribute(1, attribute(1, f"{name}\0".encode()) + attribute(2, b"".join(parts)))


def rule(*expressions: bytes, handle: bytes = pack(">Q", 7)) -> bytes:
    return attribute(3, handle) + attribute(4, b"".join(expressions))


def verdict(code: bytes) -> bytes:
    return expression("immediate", attribute(2, attribute(2, attribute(1, code))))


def understood(chain: bytes, *rules: bytes) -> ForeignChain:
    return foreign_chain((chain, 0, len(chain)), [(each, 0, len(each)) for each in rules])


def test_a_chain_of_another_program() -> None:
    jump = verdict(pack(">i", -3))
    found = understood(
        attribute(5, pack(">I", 0)), rule(jump), rule(expression("meta"), jump), rule(), attribute(3, bytes(8))
    )
    assert found.drops
    assert [(each.handle, each.stops) for each in found.rules] == [(7, True), (7, False), (7, False), (0, False)]
    assert not understood(attribute(5, pack(">I", 1))).drops
    assert not understood(b"").drops


ODD_RULES = {
    "no handle": attribute(4, b""),
    "a short handle": rule(handle=bytes(4)),
    "an expression without a name": rule(attribute(1, attribute(2, b""))),
    "a name that is cut": rule(expression("drop"))[:-6],
    "a verdict without a code": rule(expression("immediate", attribute(2, attribute(2, b"")))),
    "a short verdict": rule(verdict(b"\0")),
    "no data": rule(attribute(1, attribute(1, b"immediate\0"))),
}


@pytest.mark.parametrize("odd", ODD_RULES.values(), ids=ODD_RULES)
def test_a_rule_that_is_none(odd: bytes) -> None:
    with pytest.raises(ReadError, match="cannot read"):
        understood(b"", odd)


def test_a_policy_that_is_none() -> None:
    with pytest.raises(ReadError, match="not understood"):
        understood(attribute(5, b"\0"))


@pytest.mark.parametrize("number", [0, 2])
def test_not_one_answer_to_a_question_about_a_chain(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """An acknowledgement ends the answer."""
    told = pack("IHHII", 20, NFTABLES | 3, 0, 0, 0) + bytes(4)
    data = told * number + pack("IHHIIi", 20, 2, 0, 0, 0, 0)
    monkeypatch.setattr("nethook.host.netlink.socket", lambda *_: Wordless(data))
    with pytest.raises(ReadError, match=f"tells of {number} chains forward"):
        read_chain("ip", "libvirt_network", "forward")


class Wordless:
    """A kernel that says this, and nothing more."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = data
        self.is_closed = False

    def setsockopt(self, *_: object) -> None:
        pass

    def send(self, _: bytes) -> None:
        pass

    def recv_into(self, part: memoryview) -> int:
        if not self.data:
            raise BlockingIOError
        part[: len(self.data)] = self.data
        return len(self.data)

    def close(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "cannot read devices: the kernel has not answered within 4 s"),
        (bytes(16), "has no length"),
        (bytes(7), "is cut"),
        (pack("IHHII", 20, 16, 0, 0, 0), "is cut"),
    ],
)
def test_a_kernel_that_does_not_answer(data: bytes, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Wordless(data)
    monkeypatch.setattr("nethook.host.netlink.socket", lambda *_: made)
    with pytest.raises(ReadError, match=what), Netlink(NETLINK_ROUTE, "devices") as netlink:
        netlink.dump(18, bytes(16))
    assert made.is_closed


def test_a_kernel_that_cannot_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(92, "Protocol not available")

    with Netlink(NETLINK_ROUTE, "routes") as netlink:
        netlink._socket.close()
        monkeypatch.setattr(netlink, "_socket", Wordless())
        monkeypatch.setattr(Wordless, "setsockopt", refuse)
        with pytest.raises(ReadError, match="a part of its routes: Protocol not available"):
            netlink.filter()


def test_the_wait_for_the_kernel_has_an_end() -> None:
    with Netlink(NETLINK_ROUTE, "devices") as netlink:
        timeout = netlink._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16)
        assert timeout == pack("ll", 4, 0)


def test_a_call_with_ten_thousand_arguments_is_one_short_line() -> None:
    call = Call(("busctl", *["203.0.113.10"] * 10_000))
    failed = Result(call, 1, "", "x" * 100_000).failure
    assert len(str(call)) == LONGEST_SHOWN + 1
    assert len(failed) < 3 * LONGEST_SHOWN


@pytest.mark.parametrize(
    "mac", ["52:54:00:12:34:5g", "52:54:00:12:34", '52:54:00:12:34:56"', "52:54:00:12:34:56\n", "a" * 17]
)
def test_a_port_whose_mac_is_none_is_no_port(mac: str) -> None:
    quoted = mac.replace('"', "&quot;").replace("\n", "&#10;")
    xml = f'<networkport><owner><name>web1</name></owner><mac address="{quoted}"/></networkport>'
    assert read_port(XML(xml.encode(), "the XML")) is None


@pytest.mark.parametrize("name", ["all", "default"])
def test_what_stands_for_all_devices_is_no_device(name: str) -> None:
    assert not is_safe(name)


def test_what_cannot_be_read_is_neither_on_nor_off() -> None:
    host = FakeHost()
    assert not switches.is_ipv6_off(host, "not-there")
    assert not switches.is_proxy_ndp_off(host, "not-there")
    host.faults = {3: Fault.FAILS, 4: Fault.FAILS}
    with pytest.raises(ReadError, match=r"cannot read .*/disable_ipv6: Input/output error"):
        switches.is_ipv6_off(host, "virbr1")
    with pytest.raises(ReadError, match=r"cannot read .*/proxy_ndp: Input/output error"):
        switches.is_proxy_ndp_off(host, "eth0")


def test_a_module_that_is_gone_costs_the_announcement_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nethook.host.announcement", None)
    PROXIES.added([Proxy(("203.0.113.10", "", "eth0"))], Host(1))


def test_a_module_that_is_gone_does_not_cost_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    done = Effect(ADD, "route", prefix="203.0.113.10")

    class Step:
        needs_all, needs_lock, ends_run = False, True, True

        def take(self, _: Tools) -> tuple[list[Effect], list[str]]:
            return [done], ["failed"]

    class Plan:
        case = None
        refused: tuple[Problem, ...] = ()
        warnings: tuple[Problem, ...] = ()
        failures: tuple[str, ...] = ()
        steps = (Step(),)

    answers = iter([Plan()])

    def decide(*_: object, **__: object) -> Plan:
        try:
            return next(answers)
        except StopIteration:
            raise ImportError("No module named 'nethook.gates.firewalld.gate'") from None

    monkeypatch.setattr(run, "decide", decide)
    outcome = run.reconcile(Question(Configuration(Settings(), [], []), [], Scope(), FakeHost(), is_thorough=True))
    assert outcome.done == [done]
    assert "No module named 'nethook.gates.firewalld.gate'" in outcome.failures


NAMES = ["pub\u009b31mlic", "a\u202eb", "a\nb", "a\tb'c", "\udc80"]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_word_for_a_shell_shows_nothing_raw(name: str) -> None:
    text = word(name)
    assert text.isprintable()
    assert text.startswith("$'")
    assert word("my net") == "'my net'"


def test_a_command_that_could_act_on_a_terminal_is_left_out() -> None:
    assert Finding(FAILURE, "network", "x", command="virsh net-start 'a\u009b31m'").command == ""


def test_an_error_on_the_live_screen_is_one_line() -> None:
    def look() -> Overview:
        raise NethookError("libvirt does not tell: \x1b[2J\n")

    assert watch._text(look, watch.Rates()) == r"libvirt does not tell: \x1b[2J\n"


def test_a_process_that_ends_while_its_file_is_read_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(*_: object, **__: object) -> None:
        raise ProcessLookupError(3, "No such process")

    monkeypatch.setattr("builtins.open", ended)
    assert files.read(str(tmp_path / "stat")) is None
