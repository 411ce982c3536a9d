"""The console for programs: the same rights, second factors and approvals as on its pages."""

from __future__ import annotations

from ninja import Router

from . import audit, disputes, incidents, people, plans, restricting, viewings, words

router = Router(tags=["Console"])
for part in (audit, incidents, people, plans, restricting, disputes, viewings, words):
    router.add_router("", part.router)

__all__ = ["router"]
