from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from tests import copies
from tests.auditlog.conftest import on_own_database, own_database, own_log, s3, s3_server
from tests.conftest import assert_books_balance
from tests.orders.conftest import make_order, package, service

__all__ = ["make_order", "own_database", "own_log", "package", "s3", "s3_server", "service"]


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    """Where exports go, and where their temporary files lie."""
    settings.VAR_DIR = tmp_path / "var"
    made = tmp_path / "out"
    made.mkdir()
    return made


@pytest.fixture
def demo(transactional_db: None, tmp_path: Path) -> Iterator[None]:
    """The demo's story, in which there is some of everything: a copy of what every site of the tests begins with."""
    with on_own_database(copies.DEMO, tmp_path / "storage"):
        yield
        assert_books_balance()


@pytest.fixture
def take(folder: Path) -> Callable[..., Path]:
    def run(name: str, file_format: str = "csv", **options: Any) -> Path:
        path = folder / f"{len(list(folder.iterdir()))}-{name}.{file_format}"
        call_command(f"export_{name}", dest=str(path), file_format=file_format, **options)
        return path

    return run
