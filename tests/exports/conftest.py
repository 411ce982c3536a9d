from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from port444.catalog.models import Category
from port444.demo import cast
from tests.auditlog.conftest import own_database, own_log, s3, s3_server
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
def demo(db: None) -> None:
    """The demo's story, in which there is some of everything."""
    for slug in {offer.category for seller in cast.SELLERS for offer in seller.offers}:
        Category.objects.get_or_create(slug=slug, defaults={"name": slug})
    call_command("seed_demo", verbosity=0)


@pytest.fixture
def take(folder: Path) -> Callable[..., Path]:
    def run(name: str, file_format: str = "csv", **options: Any) -> Path:
        path = folder / f"{len(list(folder.iterdir()))}-{name}.{file_format}"
        call_command(f"export_{name}", dest=str(path), file_format=file_format, **options)
        return path

    return run
