"""Two questions a load balancer asks: is the process up, and can it serve."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from .jobs import heartbeat_age
from .metrics import Reading

STALE_SECONDS = 180

_watches: dict[str, Callable[[], bool]] = {}


def watch(name: str, is_late: Callable[[], bool]) -> None:
    """Have `/readyz` name `name` under "late" while `is_late()` says so. The process can serve all the same: it is for the alarm."""
    _watches[name] = is_late


def readings() -> Iterator[Reading]:
    """For the metrics: what `/readyz` calls late."""
    for name, is_late in _watches.items():
        yield Reading("port444_late", is_late(), "Work that has fallen behind (1)", {"what": name})


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return HttpResponse("ok\n", content_type="text/plain; charset=utf-8")


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Database reachable, migrations applied, queue alive; 503 names what is not. `late` names work that has fallen behind."""
    checks: dict[str, bool] = {"database": False, "migrations": False, "queue": False}
    late: list[str] = []
    try:
        connection.ensure_connection()
        checks["database"] = connection.is_usable()
        executor = MigrationExecutor(connection)
        checks["migrations"] = not executor.migration_plan(executor.loader.graph.leaf_nodes())
        if checks["migrations"]:
            age = heartbeat_age()
            checks["queue"] = age is not None and age < STALE_SECONDS
            late = [name for name, is_late in _watches.items() if is_late()]
    except DatabaseError:
        pass
    return JsonResponse({"ready": all(checks.values()), **checks, "late": late}, status=200 if all(checks.values()) else 503)
