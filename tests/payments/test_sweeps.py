"""Sweeps: the provider is asked before anything is given up, and what got stuck goes on."""

from __future__ import annotations

import json
import threading
import urllib.error
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from django.urls import reverse
from django_q.models import OrmQ

from port444.accounts.models import User
from port444.kit import clock
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.notifications.models import Notification
from port444.payments import actions, escrow, jobs
from port444.payments.models import Invoice, InvoiceStatus, Payment, PaymentStatus, Refund, RefundStatus, SandboxCharge, Withdrawal
from port444.payments.providers import Report, Unavailable, sandbox
from port444.payments.providers.sandbox import Decision, Manner, Sandbox

from .conftest import Bill

pytestmark = pytest.mark.django_db


def started(invoice: Invoice, payer: User) -> Payment:
    return actions.reach_provider(actions.start_payment(invoice.pk, actor=payer).pk)


def later(**time: int) -> Any:
    return clock.at(now() + timedelta(**time))


def test_an_unpaid_invoice_is_closed_and_its_purpose_told_once(bill: Bill, client_user: User) -> None:
    thing, invoice = bill()
    payment = started(invoice, client_user)
    assert jobs.expire_invoices() == 0
    with later(minutes=16):
        jobs.expire_invoices()
        jobs.expire_invoices()
    invoice.refresh_from_db()
    payment.refresh_from_db()
    assert (invoice.status, payment.status, thing.told) == (InvoiceStatus.VOID, PaymentStatus.EXPIRED, ["unpaid"])
    assert SandboxCharge.objects.get().status == "expired"


def test_money_that_came_in_silence_is_used_not_given_up(bill: Bill, client_user: User) -> None:
    thing, invoice = bill()
    payment = started(invoice, client_user)
    actions.answer_wallet(payment.pk, actor=client_user, decision=Decision.APPROVE, manner=Manner.SILENT)
    with later(minutes=16):
        jobs.expire_invoices()
        invoice.refresh_from_db()
        assert invoice.status == InvoiceStatus.OPEN
        actions.settle_invoice(invoice.pk)
        jobs.expire_invoices()
    invoice.refresh_from_db()
    assert (invoice.status, thing.told) == (InvoiceStatus.PAID, [f"settled {invoice.number}"])


def test_nothing_is_given_up_while_the_provider_is_silent(bill: Bill, client_user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    thing, invoice = bill()
    started(invoice, client_user)

    def silence(self: object, payment: Payment) -> Report:
        raise Unavailable("No answer.")

    with monkeypatch.context() as patch, later(minutes=16):
        patch.setattr(Sandbox, "expire", silence)
        jobs.expire_invoices()
    invoice.refresh_from_db()
    assert (invoice.status, thing.told) == (InvoiceStatus.OPEN, [])
    with later(minutes=17):
        jobs.expire_invoices()
    assert thing.told == ["unpaid"]


def test_the_reconciler_finds_out_by_itself(bill: Bill, client_user: User) -> None:
    thing, invoice = bill()
    payment = started(invoice, client_user)
    actions.answer_wallet(payment.pk, actor=client_user, decision=Decision.APPROVE, manner=Manner.SILENT)
    assert jobs.reconcile() == 0
    with later(seconds=31):
        jobs.reconcile()
    payment.refresh_from_db()
    assert payment.status == PaymentStatus.SUCCEEDED
    with later(seconds=90):
        jobs.reconcile()
        jobs.reconcile()
    assert len(thing.told) == 1


def test_whoever_left_the_page_is_told_of_a_failure(bill: Bill, client_user: User) -> None:
    _, invoice = bill()
    payment = started(invoice, client_user)
    actions.answer_wallet(payment.pk, actor=client_user, decision=Decision.FAIL, manner=Manner.SILENT)
    with later(minutes=3):
        jobs.reconcile()
        jobs.reconcile()
    assert Notification.objects.get(user=client_user).kind == "payment.failed"


def test_refunds_and_withdrawals_that_got_no_answer_are_sent_again(paid: Callable[..., Any], builder_user: User) -> None:
    thing, _, payment = paid()
    escrow.current().release(thing.deal, Decimal("60.00"), "r")
    escrow.current().refund(thing.deal, Decimal("40.00"), "b")
    actions.request_refund(payment, Decimal("40.00"), reason="Part.", dedupe_key="k", actor=None)
    actions.change_payout_address("0x" + "ab" * 20, actor=builder_user)
    actions.request_withdrawal(actor=builder_user, amount=Decimal("54.00"), client_key=uuid7())
    assert jobs.send_waiting() == 0
    with later(seconds=61):
        assert jobs.send_waiting() == 2
        assert jobs.send_waiting() == 0
    assert Refund.objects.get().status == RefundStatus.COMPLETED
    assert Withdrawal.objects.get().status == "completed"


def test_voiding_ends_the_running_payment(bill: Bill, client_user: User) -> None:
    thing, invoice = bill()
    payment = started(invoice, client_user)
    actions.void_invoice(invoice.pk, actor=client_user)
    jobs.expire_payment(str(payment.pk))
    payment.refresh_from_db()
    assert (payment.status, thing.told) == (PaymentStatus.EXPIRED, [])


@pytest.fixture
def listener(settings: Any) -> Iterator[list[tuple[str, bytes, int]]]:
    """A server in our own address's place; the first of its answers is given by `answers`."""
    heard: list[tuple[str, bytes, int]] = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status = 503 if not heard else 403 if len(heard) == 1 else 200
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.append((self.headers[sandbox.HEADER], body, status if self.path == reverse("payments:sandbox_callback") else 404))
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Listener)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    settings.SITE_URL = f"http://127.0.0.1:{server.server_port}/"
    yield heard
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_wallets_answer_is_signed_and_sent_again_when_nobody_answers(bill: Bill, client_user: User, listener: Any) -> None:
    _, invoice = bill()
    payment = started(invoice, client_user)
    actions.answer_wallet(payment.pk, actor=client_user, decision=Decision.APPROVE)
    with pytest.raises(urllib.error.HTTPError) as failure:
        jobs.deliver_wallet_answer(str(payment.pk), 0)
    failure.value.close()
    jobs.deliver_wallet_answer(str(payment.pk), 0)
    jobs.deliver_wallet_answer(str(payment.pk), 0)
    assert [status for _, _, status in listener] == [503, 403, 200]
    for header, body, _ in listener:
        assert sandbox.verified(body, header, now())
        assert json.loads(body)["amount"] == "105.50"


def test_an_attempt_is_ended_although_the_job_that_should_end_it_is_lost(bill: Bill, client_user: User) -> None:
    """Else the sweep would ask about it for ever, and the wallet would go on offering to pay."""
    _, invoice = bill()
    payment = started(invoice, client_user)
    actions.void_invoice(invoice.pk)
    OrmQ.objects.all().delete()
    with later(minutes=1):
        jobs.reconcile()
    payment.refresh_from_db()
    assert (payment.status, SandboxCharge.objects.get().status) == (PaymentStatus.EXPIRED, "expired")


def test_money_approved_before_a_lost_job_goes_back(bill: Bill, client_user: User) -> None:
    _, invoice = bill()
    payment = started(invoice, client_user)
    actions.answer_wallet(payment.pk, actor=client_user, decision=Decision.APPROVE, manner=Manner.SILENT)
    actions.void_invoice(invoice.pk)
    OrmQ.objects.all().delete()
    for minutes in (1, 2, 4):
        with later(minutes=minutes):
            jobs.reconcile()
            jobs.send_waiting()
            OrmQ.objects.all().delete()
    assert (Refund.objects.get().status, Refund.objects.get().amount) == (RefundStatus.COMPLETED, payment.amount)
