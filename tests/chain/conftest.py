"""A real chain for the tests: one anvil for a run, contracts of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from scripts import chain


@pytest.fixture(scope="session")
def node() -> Iterator[str]:
    """The address of an anvil that all tests of this process share."""
    with chain.running() as url:
        yield url


@pytest.fixture
def chain_settings(node: str, settings: Any) -> dict[str, str]:
    """Fresh contracts on `node`, and the settings that make them the marketplace's escrow."""
    deployed = chain.deploy(node)
    for name, value in deployed.items():
        setattr(settings, name, int(value) if name == "CHAIN_ID" else value)
    return deployed
