"""Figures for Prometheus: what each process counts of its requests, and what the database tells of the site when it is asked.

`/metrics` answers whoever brings the token of METRICS_TOKEN, and is not there for anybody else. Labels are names from our own code,
never what a person has typed, so that there are no more series than code has names.
"""

from __future__ import annotations

import hmac
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from time import perf_counter
from typing import Any, NamedTuple

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.functional import empty
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest, multiprocess
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from .http import Handler

log = logging.getLogger("port444.request")

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
QUIET = {"healthz", "readyz", "metrics"}  # asked all day long by machines

OWN = CollectorRegistry()  # without what the library says of Python by itself
REQUESTS = Counter("port444_requests", "Requests that were answered", ["view", "method", "status"], registry=OWN)
DURATION = Histogram("port444_request_seconds", "Seconds until the answer began", ["view"], buckets=SECONDS, registry=OWN)
QUERIES = Counter("port444_request_queries", "Statements that requests sent to the database", ["view"], registry=OWN)


class Reading(NamedTuple):
    """One figure of the site as a whole, as it is when it is asked for."""

    name: str
    value: float
    help: str
    labels: Mapping[str, str] = {}
    counts: bool = False  # only ever grows


type Ask = Callable[[], Iterable[Reading]]

_asked: dict[str, Ask] = {}


def watch(name: str, ask: Ask) -> None:
    """Have `/metrics` tell what `ask()` gives; each should be a query or two that stay cheap however large the site is."""
    _asked[name] = ask


class Count:
    """Counts the statements of a request."""

    def __init__(self) -> None:
        self.queries = 0

    def __call__(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        self.queries += 1
        return execute(sql, params, many, context)


def measure(get_response: Handler) -> Handler:
    """Middleware: count and time each request by the name of its view, and log it in one line."""

    def middleware(request: HttpRequest) -> HttpResponse:
        started, count = perf_counter(), Count()
        with connection.execute_wrapper(count):
            response = get_response(request)
        seconds = perf_counter() - started
        match = request.resolver_match
        view = match.view_name if match is not None and match.view_name else "none"
        method = request.method if request.method in METHODS else "other"
        REQUESTS.labels(view, method, str(response.status_code)).inc()
        DURATION.labels(view).observe(seconds)
        QUERIES.labels(view).inc(count.queries)
        if view not in QUIET:
            facts = {"view": view, "method": method, "status": response.status_code, "ms": round(seconds * 1000, 1), "queries": count.queries}
            log.info("%s %s %s", method, view, response.status_code, extra={**facts, "user_id": user_id(request)})
        return response

    return middleware


def user_id(request: HttpRequest) -> str | None:
    """Whose request it was, when that was asked of the database anyway."""
    user = request.__dict__.get("user")
    if user is None or getattr(user, "_wrapped", None) is empty or user.pk is None:
        return None
    return str(user.pk)


class State:
    """The readings, as the library collects them. One that fails leaves the others."""

    def collect(self) -> Iterator[Metric]:
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        failed = 0
        for name, ask in _asked.items():
            try:
                readings = list(ask())
            except DatabaseError:
                logging.getLogger(__name__).exception("%s cannot be read", name)
                failed += 1
                continue
            for reading in readings:
                kind = CounterMetricFamily if reading.counts else GaugeMetricFamily
                family = families.setdefault(reading.name, kind(reading.name, reading.help, labels=list(reading.labels)))
                family.add_metric(list(reading.labels.values()), reading.value)
        yield from families.values()
        yield GaugeMetricFamily("port444_readings_failed", "Readings of the site that could not be made this time", value=failed)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """All figures in Prometheus's text format; not there without the token."""
    wanted = f"Bearer {settings.METRICS_TOKEN}"
    if not settings.METRICS_TOKEN or not hmac.compare_digest(request.headers.get("Authorization", "").encode(), wanted.encode()):
        raise Http404
    content = generate_latest(counted()) + generate_latest(collected())
    return HttpResponse(content, content_type=CONTENT_TYPE_LATEST)


def counted() -> CollectorRegistry:
    """What the processes of this machine have counted: all of gunicorn's where they share a folder, else this one's."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return OWN
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library has not typed this one
    return registry


def collected() -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(State())
    return registry
