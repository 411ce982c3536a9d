from __future__ import annotations

from tests.catalog.conftest import category, make_service, service

__all__ = ["category", "make_service", "service"]
