"""How the tests are shared out to processes: what uses one host or one module's fixtures stays in one of them."""

from __future__ import annotations

import pytest


@pytest.hookimpl(tryfirst=True)  # xdist takes the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Booted hosts first, and of them the matrix, because they take longest: the short ones fill what is left."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    items.sort(key=lambda item: ("hosts" not in item.keywords, "test_matrix" not in item.nodeid))


def _group(item: pytest.Item) -> str:
    module = item.nodeid.partition("::")[0]
    callspec = getattr(item, "callspec", None)
    values = callspec.params.values() if callspec else ()
    host = next((value for value in values if isinstance(value, str) and value.startswith("libvirt ")), "")
    return f"{module} {host}".rstrip()
