"""What libvirt tells when things change between two questions: nothing that a test on a real one could bring about."""

from __future__ import annotations

import pytest

from nethook.libvirt import live

XML = "<network><name>public</name><forward mode='nat'/><bridge name='virbr1'/></network>"


class Error(Exception):
    """libvirt's."""

    def __init__(self, code: int) -> None:
        self._code = code

    def get_error_code(self) -> int:
        return self._code


class Libvirt:
    """The module, and its one network, whose ports it refuses to list for this reason."""

    libvirtError = Error  # noqa: N815 - its name there
    VIR_ERR_OPERATION_INVALID, VIR_ERR_NO_NETWORK, VIR_ERR_INTERNAL_ERROR = 55, 43, 1

    def __init__(self, reason: int) -> None:
        self._reason = reason

    def name(self) -> str:
        return "public"

    def isActive(self) -> int:  # noqa: N802
        return 1

    def XMLDesc(self) -> str:  # noqa: N802
        return XML

    def listAllPorts(self) -> list[object]:  # noqa: N802
        raise Error(self._reason)


def test_a_network_that_stops_while_it_is_asked_is_not_active() -> None:
    libvirt = Libvirt(Libvirt.VIR_ERR_OPERATION_INVALID)
    assert not live._live(libvirt, libvirt).is_active


def test_another_error_is_not_taken_for_that() -> None:
    libvirt = Libvirt(Libvirt.VIR_ERR_INTERNAL_ERROR)
    with pytest.raises(Error):
        live._live(libvirt, libvirt)
