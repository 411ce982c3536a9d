from __future__ import annotations

from collections.abc import Iterator

import pytest

from .chain import Chain


@pytest.fixture(scope="session")
def settled() -> Chain:
    return Chain.start().settled()


@pytest.fixture
def chain(settled: Chain) -> Iterator[Chain]:
    """A chain on which the contracts have just been deployed."""
    tester = settled.w3.provider.ethereum_tester
    snapshot = tester.take_snapshot()
    yield settled
    tester.revert_to_snapshot(snapshot)
