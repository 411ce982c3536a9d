"""The test wallet's callback: only what it signed just now counts, and only once."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django_q.models import OrmQ

from auditlog.models import IncidentLog
from port444.accounts.models import User
from port444.kit.clock import now
from port444.payments import actions
from port444.payments.models import Invoice, Payment, PaymentStatus, ProviderEvent, SandboxCharge
from port444.payments.providers import sandbox
from port444.payments.providers.sandbox import Decision, Manner

from .conftest import Bill

pytestmark = pytest.mark.django_db

URL = "/payments/callback/sandbox/"


@pytest.fixture
def body(bill: Bill, client_user: User) -> bytes:
    """What the wallet sends about an approved payment."""
    _, invoice = bill()
    payment = actions.reach_provider(actions.start_payment(invoice.pk, actor=client_user).pk)
    actions.answer_wallet(payment.pk, actor=client_user, decision=Decision.APPROVE, manner=Manner.SILENT)
    return sandbox.message(SandboxCharge.objects.get())


def send(body: bytes, header: str | None = None) -> Any:
    headers = {sandbox.HEADER: sandbox.sign(body, now()) if header is None else header}
    return Client(enforce_csrf_checks=True).post(URL, body, content_type="application/json", headers=headers)


def nothing_written() -> bool:
    return not ProviderEvent.objects.exists() and not OrmQ.objects.exists() and Payment.objects.get().status == PaymentStatus.PENDING


def test_a_signed_answer_is_recorded_and_settling_is_queued(body: bytes) -> None:
    assert send(body).status_code == 200
    assert Payment.objects.get().status == PaymentStatus.SUCCEEDED
    assert [task.task["func"] for task in OrmQ.objects.all()] == ["port444.payments.jobs.settle_invoice"]


def test_the_same_answer_again_is_quiet(body: bytes) -> None:
    assert [send(body).status_code for _ in range(3)] == [200, 200, 200]
    assert (ProviderEvent.objects.count(), OrmQ.objects.count()) == (1, 1)


@pytest.mark.parametrize("header", ["", "nonsense", "t=1,v1=00", "t=x,v1=y", "t=²,v1=é", "v1=00", "t=99999999999999999999,v1=00"])
def test_a_forged_answer_is_refused(body: bytes, header: str) -> None:
    assert send(body, header).status_code == 403
    assert nothing_written()


def test_an_altered_answer_is_refused(body: bytes) -> None:
    header = sandbox.sign(body, now())
    altered = json.dumps({**json.loads(body), "amount": "0.01"}).encode()
    assert send(altered, header).status_code == 403
    assert nothing_written()


def test_another_secret_signs_nothing(body: bytes, settings: Any) -> None:
    settings.SANDBOX_SECRET = "somebody else's"
    header = sandbox.sign(body, now())
    settings.SANDBOX_SECRET = "ours"
    assert send(body, header).status_code == 403
    assert nothing_written()


@pytest.mark.parametrize(("minutes", "status"), [(-6, 403), (-4, 200), (4, 200), (6, 403)])
def test_a_signature_is_good_for_five_minutes(body: bytes, minutes: int, status: int) -> None:
    assert send(body, sandbox.sign(body, now() + timedelta(minutes=minutes))).status_code == status
    assert nothing_written() is (status == 403)


def test_an_unknown_payment_is_not_found(body: bytes) -> None:
    other = json.dumps({**json.loads(body), "payment": str(uuid4())}).encode()
    assert send(other).status_code == 404
    assert nothing_written()


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"\xff", b'{"event": "e", "payment": "x", "outcome": "succeeded", "amount": "1"}'])
def test_a_signed_body_that_says_nothing_is_bad(body: bytes, text: bytes) -> None:
    assert send(text).status_code == 400
    assert nothing_written()


def test_a_wrong_amount_is_refused_with_an_incident(body: bytes) -> None:
    less = json.dumps({**json.loads(body), "amount": "5.50"}).encode()
    assert send(less).status_code == 422
    assert Payment.objects.get().status == PaymentStatus.PENDING
    assert not OrmQ.objects.exists()
    assert IncidentLog.objects.get().potential_loss == Payment.objects.get().amount


def test_it_answers_posts_only(client: Client) -> None:
    assert client.get(URL).status_code == 405
    assert reverse("payments:sandbox_callback") == URL


def test_a_late_answer_for_a_void_invoice_goes_back(body: bytes) -> None:
    invoice = Invoice.objects.get()
    actions.void_invoice(invoice.pk)
    assert send(body).status_code == 200
    actions.settle_invoice(invoice.pk)
    payment = Payment.objects.get()
    assert (payment.refunded, payment.settled_at) == (payment.amount, None)


@pytest.mark.parametrize(("name", "value"), [("amount", "sNaN"), ("amount", "1e2"), ("amount", "-105.50"), ("event", "e\x00"), ("reason", "\x00")])
def test_a_signed_body_with_what_cannot_be_kept_is_bad(body: bytes, name: str, value: str) -> None:
    assert send(json.dumps({**json.loads(body), name: value}).encode()).status_code == 400
    assert nothing_written()
