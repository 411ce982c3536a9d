"""The same call from many at one moment, on a real PostgreSQL: one effect, and the same answer for all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django_q.models import OrmQ

from port444.accounts.models import AnsweredCall, User
from port444.orders.models import Order, OrderStatus
from port444.payments.actions import change_payout_address
from port444.payments.models import JournalEntry, Payment, Withdrawal
from tests.payments.conftest import ADDRESS

from .conftest import Caller

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("detectors_have_read")]

AT_ONCE = 6
Make = Callable[..., Caller]


def at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    """All of them at one moment, each on a connection of its own."""
    ready = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        try:
            ready.wait()
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def assert_one_answer(answers: list[Any], status: int) -> None:
    assert {answer.status_code for answer in answers} == {status}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer for answer in answers) == 1
    assert AnsweredCall.objects.count() == 1


def queued(name: str) -> int:
    return sum(job.task["func"] == name for job in OrmQ.objects.all())


def test_paying_with_one_key_is_one_payment(make_order: Callable[..., Order], client_user: User, caller: Make) -> None:
    order, key = make_order(), str(uuid4())
    programs = [caller(client_user) for _ in range(AT_ONCE)]
    path = f"/invoices/{order.invoice_id}/pay"
    answers = at_once([partial(program.post, path, idempotency_key=key) for program in programs])
    assert_one_answer(answers, 202)
    assert Payment.objects.count() == 1
    assert queued("port444.payments.jobs.reach_provider") == 1


def test_paying_with_keys_of_their_own_is_one_payment(make_order: Callable[..., Order], client_user: User, caller: Make) -> None:
    order = make_order()
    programs = [caller(client_user) for _ in range(AT_ONCE)]
    path = f"/invoices/{order.invoice_id}/pay"
    answers = at_once([partial(program.post, path) for program in programs])
    assert {answer.status_code for answer in answers} == {202}
    assert {answer.json()["id"] for answer in answers} == {str(Payment.objects.get().pk)}


def test_withdrawing_with_one_key_is_one_withdrawal(make_order: Callable[..., Order], builder_user: User, caller: Make, settings: Any) -> None:
    settings.CLEARING_DAYS = settings.PAYOUT_REST_HOURS = 0
    change_payout_address(ADDRESS, actor=builder_user)
    make_order(OrderStatus.COMPLETED)
    key, programs = str(uuid4()), [caller(builder_user) for _ in range(AT_ONCE)]
    answers = at_once([partial(program.post, "/withdrawals", {"amount": "50.00"}, idempotency_key=key) for program in programs])
    assert_one_answer(answers, 201)
    withdrawal = Withdrawal.objects.get()
    assert answers[0].json()["id"] == str(withdrawal.pk)
    assert JournalEntry.objects.filter(key=f"withdrawal:{withdrawal.pk}").count() == 1
    assert programs[0].get("/earnings").json()["available"] == "112.00"
