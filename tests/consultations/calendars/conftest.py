from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.google import FakeGoogle
from tests.specs.discovery import answer_problems, document_of, problems


@pytest.fixture
def google(settings: Any) -> Iterator[FakeGoogle]:
    """A Google of its own. Afterwards every request and every answer has to be one that Google describes."""
    with FakeGoogle() as fake:
        for name, value in fake.settings().items():
            setattr(settings, name, value)
        yield fake
    wrong = [problem for seen in fake.seen if (document := document_of(seen.path)) for problem in problems(seen, document)]
    wrong += [
        problem
        for seen, answer in fake.answered
        if (document := document_of(seen.path))
        for problem in answer_problems(seen, answer.status, answer.body, document)
    ]
    assert wrong == []
