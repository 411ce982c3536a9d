"""The figures for Prometheus: who gets them, what they say, and that no label is anybody's words."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from prometheus_client.parser import text_string_to_metric_families

from auditlog.actions import seal_rows
from port444.accounts.models import User
from port444.kit import clock, jobs, metrics, pulses

pytestmark = pytest.mark.django_db

TOKEN = {"Authorization": "Bearer a-token-of-prometheus"}
JOB = "port444.orders.jobs.auto_accept"


@pytest.fixture(autouse=True)
def token(settings: Any) -> None:
    settings.METRICS_TOKEN = "a-token-of-prometheus"


def scraped(client: Client) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels, in the order of their names."""
    answer = client.get("/metrics", headers=TOKEN)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=")
    families = text_string_to_metric_families(answer.content.decode())
    return {(sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value for family in families for sample in family.samples}


@pytest.mark.parametrize("said", ["", "Bearer another", "a-token-of-prometheus", "Bearer \xe9"])
def test_without_the_token_there_is_nothing(client: Client, said: str) -> None:
    assert client.get("/metrics", headers={"Authorization": said}).status_code == 404
    assert client.get("/metrics").status_code == 404


def test_without_a_token_of_its_own_a_site_has_no_metrics(client: Client, settings: Any) -> None:
    settings.METRICS_TOKEN = ""
    assert client.get("/metrics", headers=TOKEN).status_code == 404
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


def test_being_signed_in_opens_nothing(client: Client, staff: User, settings: Any) -> None:
    settings.STAFF_SECOND_FACTOR = False
    client.force_login(staff)
    assert client.get("/metrics").status_code == 404
    assert client.post("/metrics", headers=TOKEN).status_code == 405


def test_requests_are_counted_and_timed_by_view(client: Client) -> None:
    before = scraped(client)
    client.get("/", {"q": "somebody's words"})
    client.get("/no/such/address")
    client.generic("BREW", "/healthz")
    after = scraped(client)
    new = {key: value - before.get(key, 0) for key, value in after.items() if key[0].startswith("port444_request")}
    assert new["port444_requests_total", "GET", "200", "catalog:search"] == 1
    assert new["port444_requests_total", "GET", "404", "none"] == 1
    assert new["port444_requests_total", "other", "405", "healthz"] == 1
    assert new["port444_request_seconds_count", "catalog:search"] == 1
    assert new["port444_request_queries_total", "catalog:search"] > 3
    assert new["port444_request_queries_total", "healthz"] == 0


def test_a_scrape_asks_as_much_of_an_empty_site_as_of_a_full_one(client: Client, client_user: User, django_assert_num_queries: Any) -> None:
    seal_rows()
    pulses.note(JOB, succeeded=True, seconds=1)
    scraped(client)
    with django_assert_num_queries(23):
        scraped(client)


def test_jobs_are_told_by_how_they_went(client: Client) -> None:
    moment = clock.now() - timedelta(minutes=5)
    with clock.at(moment):
        pulses.note(JOB, succeeded=True, seconds=1.5)
    pulses.note(JOB, succeeded=False, seconds=0.25)
    jobs.enqueue(JOB)
    said = scraped(client)
    assert said["port444_jobs_total", "succeeded", JOB] == 1
    assert said["port444_jobs_total", "failed", JOB] == 1
    assert said["port444_job_seconds_total", JOB] == 1.75
    assert said["port444_job_last_success_timestamp_seconds", JOB] == pytest.approx(moment.timestamp())
    assert said["port444_queue_jobs", "waiting"] == 1
    assert said["port444_queue_jobs", "taken"] == 0


def test_the_queue_notes_every_job_by_its_path() -> None:
    task = {"func": JOB, "id": "0123", "success": True}
    jobs.begin(task=task)
    jobs.note(task=task)
    jobs.note(task={**task, "success": False})
    jobs.end()
    (pulse,) = pulses.all_of_them()
    assert (pulse.path, pulse.succeeded, pulse.failed) == (JOB, 1, 1)


def test_a_job_that_cannot_be_noted_stops_nothing(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr(pulses, "note", fail)
    jobs.begin(task={"func": JOB})
    jobs.note(task={"func": JOB, "id": "0123", "success": True})
    jobs.end()
    assert "could not be noted" in caplog.text


def test_a_reading_that_fails_leaves_the_others(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> list[metrics.Reading]:
        raise DatabaseError("gone")

    monkeypatch.setitem(metrics._asked, "broken", fail)
    said = scraped(client)
    assert said["port444_readings_failed",] == 1
    assert ("port444_ledger_difference_usdc",) in said


def test_labels_are_names_of_our_own_code(client: Client, client_user: User) -> None:
    """Nothing of a person, and nothing that somebody can make more of."""
    client.force_login(client_user)
    for path in ("/?q=secret-words", "/builders/nobody-with-this-name/", f"/orders/{client_user.pk}/"):
        client.get(path)
    text = client.get("/metrics", headers=TOKEN).content.decode()
    for word in ("secret-words", "nobody-with-this-name", str(client_user.pk), client_user.email, client_user.name):
        assert word not in text
    names = {name for labels in re.findall(r"\{(.*?)\}", text) for name in re.findall(r'(\w+)="', labels)}
    assert names <= {"view", "method", "status", "le", "task", "result", "state", "channel", "severity", "what"}


def test_what_a_page_asks_of_the_database_is_counted_exactly(client: Client) -> None:
    client.get("/")
    queries = "port444_request_queries_total", "catalog:search"
    before = scraped(client)[queries]
    with CaptureQueriesContext(connection) as asked:
        client.get("/")
    count = len(asked)
    assert scraped(client)[queries] - before == count > 3


WORKERS = """
import os
import django
django.setup()
from prometheus_client import generate_latest
from port444.kit import metrics
for _ in range(2):
    if os.fork() == 0:
        metrics.REQUESTS.labels("catalog:search", "GET", "200").inc()
        os._exit(0)
    os.wait()
print(generate_latest(metrics.counted()).decode())
"""


def test_workers_that_share_a_folder_count_together(tmp_path: Path) -> None:
    """The library decides when it is loaded, so another process has to try."""
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "port444.settings"}
    done = subprocess.run([sys.executable, "-c", WORKERS], check=True, capture_output=True, text=True, env=environment)
    assert 'port444_requests_total{method="GET",status="200",view="catalog:search"} 2.0' in done.stdout
