"""What changes between the look of a program and the lock of its act, on a real PostgreSQL: it is refused, and nothing is written."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from django.db import connection, transaction

from amendments.models import Amendment
from port444.accounts.models import AnsweredCall, User
from port444.catalog.models import Package, Service
from port444.orders.models import Order
from tests.api.conftest import Caller, caller
from tests.orders.conftest import QUESTIONS

from .test_changes import Talk, client, package

__all__ = ["caller", "client", "package"]
pytestmark = pytest.mark.django_db(transaction=True)
WAITS_FOR_US = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))"
VERSION = {
    "amendment_type": "scope_change",
    "reason": "More.",
    "description": "Also the reports.",
    "additional_amount": "25.00",
    "additional_days": 3,
}


def meanwhile(call: Callable[[], Any], change: Callable[[], Any]) -> Any:
    """The answer to a call that has looked before `change` is there for others, and locks after it."""

    def run() -> Any:
        with closing(connection):
            return call()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic(), connection.cursor() as cursor:
            change()
            asked, until = pool.submit(run), time.monotonic() + 30
            while not cursor.execute(WAITS_FOR_US).fetchone()[0]:
                assert not asked.done(), asked.result().content
                assert time.monotonic() < until
                time.sleep(0.01)
        return asked.result()


def test_an_act_that_moves_nothing_looks_under_the_lock(package: Package, client: User, caller: Callable[..., Caller]) -> None:
    Service.objects.update(questions=QUESTIONS)
    talk = Talk(package, client)
    program, path = caller(client), f"/orders/{talk.pk}"
    seen = program.get(path)["ETag"]
    answer = meanwhile(
        lambda: program.put(f"{path}/requirements", {"answers": {}}, if_match=seen), lambda: Order.objects.filter(pk=talk.pk).update(title="Another")
    )
    assert (answer.status_code, answer.json()["code"]) == (412, "stale")
    assert program.put(f"{path}/requirements", {"answers": {}}, if_match=program.get(path)["ETag"]).status_code == 200


def test_a_version_comes_in_the_place_of_what_was_seen(package: Package, client: User, caller: Callable[..., Caller]) -> None:
    talk = Talk(package, client)
    change, program = talk.propose(), caller(talk.builder)
    path = f"/amendments/{change.pk}"
    seen = program.get(path)["ETag"]
    answer = meanwhile(
        lambda: program.post(f"{path}/versions", VERSION, if_match=seen), lambda: Amendment.objects.filter(pk=change.pk).update(reason="Others")
    )
    assert (answer.status_code, answer.json()["code"]) == (412, "stale")
    assert (Amendment.objects.get().status, AnsweredCall.objects.count()) == ("pending", 0)
    assert program.post(f"{path}/versions", VERSION, if_match=program.get(path)["ETag"]).status_code == 201
