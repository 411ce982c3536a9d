"""Where the time of a request goes, said in Server-Timing: outermost middleware of a site under load (`bench/timed.py`), and nowhere else.

Of what passes between the first line of Python and the last: `db` is waiting for answers of the database, `template` and `python` is CPU of this
thread, inside of templates and outside, and `wait` is the rest: other threads that have the interpreter, other processes that have the core.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import connections
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.backends.django import Template

_current = threading.local()


@dataclass
class Spent:
    """Seconds, of one request."""

    queries: int = 0
    db: float = 0.0
    db_cpu: float = 0.0  # of this thread, while it asks: the driver's work
    template: float = 0.0
    is_rendering: bool = False

    def asked(self, execute: Callable[..., Any], *question: Any) -> Any:
        began, worked = time.perf_counter(), time.thread_time()
        try:
            return execute(*question)
        finally:
            self.queries += 1
            self.db += time.perf_counter() - began
            self.db_cpu += time.thread_time() - worked

    def said(self, wall: float, cpu: float) -> str:
        python = max(0.0, cpu - self.db_cpu - self.template)
        wait = max(0.0, wall - self.db - self.template - python)
        parts = {"total": wall, "db": self.db, "template": self.template, "python": python, "wait": wait}
        return ", ".join(f"{name};dur={seconds * 1000:.2f}" for name, seconds in parts.items()) + f", queries;dur={self.queries}"


def middleware(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    Template.render = rendering(Template.render)  # type: ignore[method-assign]

    def timed(request: HttpRequest) -> HttpResponseBase:
        spent = _current.spent = Spent()
        began, worked = time.perf_counter(), time.thread_time()
        with contextlib.ExitStack() as stack:
            for connection in connections.all():
                stack.enter_context(connection.execute_wrapper(spent.asked))
            response = get_response(request)
        response["Server-Timing"] = spent.said(time.perf_counter() - began, time.thread_time() - worked)
        return response

    return timed


def rendering(render: Callable[..., Any]) -> Callable[..., Any]:
    """The same, with its CPU noted, less that of questions which a template asks; what a template renders inside of itself counts once."""

    def noted(*arguments: Any, **named: Any) -> Any:
        spent: Spent | None = getattr(_current, "spent", None)
        if spent is None or spent.is_rendering:
            return render(*arguments, **named)
        spent.is_rendering = True
        worked, asked = time.thread_time(), spent.db_cpu
        try:
            return render(*arguments, **named)
        finally:
            spent.template += time.thread_time() - worked - (spent.db_cpu - asked)
            spent.is_rendering = False

    return noted
