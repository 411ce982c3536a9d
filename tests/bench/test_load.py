"""What `./run bench load` makes of what Locust saw, and what the site under load says of its time."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.template.backends.django import Template
from django.test import RequestFactory

from bench import load, report, timing

TIMES = {"total": 40.0, "db": 10.0, "template": 20.0, "python": 6.0, "wait": 4.0, "queries": 7.0}


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The figures of what was seen, by their names."""
    monkeypatch.setattr(report, "_missed", [])
    monkeypatch.setenv("BENCH_JSON", str(tmp_path / "lines"))

    def tell(*answers: tuple[str, str, float, bool, dict[str, float]], faults: tuple[str, ...] = ()) -> dict[str, Any]:
        load.told({"answers": answers, "journeys": [["an order", 400.0]], "faults": faults}, {"web server": 1.2})
        return {said["name"]: said for said in map(json.loads, (tmp_path / "lines").read_text().splitlines())}

    return tell


def test_answers_are_held_to_the_limit_of_their_kind(told: Any) -> None:
    page, change = ("GET", "/orders/", 50.0, True, TIMES), ("POST", "/orders/", 999.0, True, TIMES)
    found = told(page, change, ("GET", load.QUESTIONS[0], 501.0, True, {}))
    assert {name: found[f"{name}, p95"]["kept"] for name in load.LIMITS} == {"pages": True, "changes": True, "questions": False}
    assert report.code() == 1
    assert found["an order"]["value"] == pytest.approx(60 / load.SECONDS)
    assert found[f"of the time of an answer: {load.WORDS['queue']}"]["value"] == pytest.approx(100 * (10 + 959) / (50 + 999))


@pytest.mark.parametrize("how", ["answer", "journey"])
def test_whatever_fails_is_a_limit_that_is_missed(told: Any, how: str) -> None:
    answers = [("GET", "/", 50.0, True, TIMES), ("POST", "/", 50.0, how != "answer", TIMES), ("GET", load.QUESTIONS[1], 5.0, True, TIMES)]
    found = told(*answers, faults=("an order: no form",) if how == "journey" else ())
    missed = {name for name, said in found.items() if said["kept"] is False}
    assert missed == {"answers that failed" if how == "answer" else "journeys that broke off"}


@pytest.mark.django_db
def test_the_time_of_a_request_is_said_in_its_parts(monkeypatch: pytest.MonkeyPatch, rf: RequestFactory) -> None:
    monkeypatch.setattr(Template, "render", Template.render)  # put back afterwards

    def view(request: HttpRequest) -> HttpResponse:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.02)")
        counted = engines["django"].from_string("{% for n in numbers %}{{ n }}{% endfor %}")
        return HttpResponse(counted.render({"numbers": range(999)}))

    answer = timing.middleware(view)(rf.get("/"))
    said = {name: float(value) for name, value in re.findall(r"(\w+);dur=([\d.]+)", answer["Server-Timing"])}
    assert said["queries"] == 1
    assert said["db"] >= 20
    assert said["total"] == pytest.approx(said["db"] + said["template"] + said["python"] + said["wait"], abs=1)
    assert said["template"] > 0
