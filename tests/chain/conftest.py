"""A real chain for the tests: one anvil for a run, contracts of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from port444.accounts.models import User
from scripts import chain

from .rig import Rig


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


@pytest.fixture(scope="session")
def own_node() -> Iterator[str]:
    """An anvil that only the tests with a `rig` use: they take its blocks away again."""
    with chain.running() as url:
        yield url


@pytest.fixture
def rig(own_node: str, settings: Any, client_user: User, builder_user: User) -> Rig:
    """A deal with 500.00 on a chain, a worker, and what a test needs to do harm to them."""
    chain.ask(own_node, "evm_setAutomine", True)
    chain.ask(own_node, "anvil_dropAllTransactions")
    for name, value in chain.deploy(own_node).items():
        setattr(settings, name, int(value) if name == "CHAIN_ID" else value)
    chain.ask(own_node, "anvil_mine", hex(12))  # deeper than any reorganisation of a test
    made = Rig(own_node, client_user, builder_user)
    made.open()
    return made
