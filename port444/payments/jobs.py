"""Tasks and sweeps of payments. Each may run twice, late, or after a crash; what is known is passed over quietly."""

from __future__ import annotations

import logging
import urllib.error
import urllib.request
from datetime import timedelta
from urllib.parse import urljoin
from uuid import UUID

from django.conf import settings
from django.urls import reverse

from port444.kit.clock import now
from port444.kit.jobs import each

from . import actions
from .models import (
    ChainTransfer,
    Credit,
    Invoice,
    Payment,
    PayoutHold,
    PayoutMethod,
    Refund,
    RefundStatus,
    SandboxCharge,
    Withdrawal,
    WithdrawalStatus,
)
from .providers import sandbox

log = logging.getLogger(__name__)

SWEPT = 500  # rows a sweep takes at once; the rest comes a minute later
QUIET = timedelta(seconds=30)
AGAIN = timedelta(seconds=60)


def settle_invoice(invoice_id: str) -> None:
    actions.settle_invoice(UUID(invoice_id))


def reach_provider(payment_id: str) -> None:
    """Raises when the provider does not answer, so that the queue tries again."""
    actions.reach_provider(UUID(payment_id))


def expire_payment(payment_id: str) -> None:
    actions.expire_payment(UUID(payment_id))


def send_refund(refund_id: str) -> None:
    actions.send_refund(UUID(refund_id))


def send_withdrawal(withdrawal_id: str) -> None:
    """Sends it as soon as the detectors have read that it was asked for; when they have not got on by then, the sweep sends it."""
    actions.have_read([Withdrawal.objects.get(pk=withdrawal_id)])
    actions.send_withdrawal(UUID(withdrawal_id))


def note_own_wallet(payment_id: str) -> None:
    actions.note_own_wallet(UUID(payment_id))


def deliver_wallet_answer(key: str, turn: int = 0) -> None:
    """The test wallet's callback: a signed POST to our own address, as a provider would send it.

    Raises when nobody answers, so that the queue tries again; an answer of 4xx is final.
    """
    body = sandbox.message(SandboxCharge.objects.get(key=key))
    request = urllib.request.Request(  # noqa: S310 - our own address, from settings
        urljoin(settings.SITE_URL, reverse("payments:sandbox_callback")),
        data=body,
        headers={"Content-Type": "application/json", sandbox.HEADER: sandbox.sign(body, now())},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=10):  # noqa: S310
            return
    except urllib.error.HTTPError as error:
        if error.code >= 500:
            raise
        log.warning("the test wallet's answer about %s was refused with %s", key, error.code)


def expire_invoices() -> int:
    """Sweep: close invoices whose time to pay has passed, asking the provider first."""
    return each(actions.expire_invoice, list(Invoice.objects.expired(now()).order_by("expires_at").values_list("pk", flat=True)[:SWEPT]))


def reconcile() -> int:
    """Sweep: ask the provider about live payments that it has not told us about, and settle what was left unsettled."""
    before = now() - QUIET
    live = Payment.objects.live().filter(created_at__lte=before).order_by("created_at")
    asked = each(actions.reconcile_payment, list(live.values_list("pk", flat=True)[:SWEPT]))
    unnoted = ChainTransfer.objects.filter(payment__isnull=False, noted_at=None, gone_at=None)
    asked += each(actions.note_own_wallet, list(unnoted.order_by("found_at").values_list("payment_id", flat=True)[:SWEPT]))
    left = Payment.objects.unsettled().filter(succeeded_at__lte=before).order_by("succeeded_at")
    return asked + each(actions.settle_invoice, list(left.values_list("invoice_id", flat=True)[:SWEPT]))


def send_waiting() -> int:
    """Sweep: send refunds and withdrawals that got no answer so far."""
    before = now() - AGAIN
    refunds = Refund.objects.filter(status=RefundStatus.REQUESTED, requested_at__lte=before).order_by("requested_at")
    to_wallets = Withdrawal.objects.filter(method=PayoutMethod.WALLET)
    due = to_wallets.filter(status=WithdrawalStatus.REQUESTED, due_at__lte=before, user__suspended_at__isnull=True).order_by("due_at")
    unanswered = to_wallets.filter(status=WithdrawalStatus.SENDING, sending_at__lte=before).order_by("sending_at")
    sent = each(actions.send_refund, list(refunds.values_list("pk", flat=True)[:SWEPT]))
    actions.have_read(list(due[:SWEPT]))
    sent += each(actions.send_withdrawal, list(due.values_list("pk", flat=True)[:SWEPT]))
    each(actions.report_standing_still, [now()])
    return sent + each(actions.send_withdrawal, list(unanswered.values_list("pk", flat=True)[:SWEPT]))


def expire_credits() -> int:
    """Sweep: write off what is left of credits that have ended. They cannot be used from that moment on, however late this is."""
    over = Credit.objects.ended(now()).order_by("expires_at")
    return each(actions.expire_credit, list(over.values_list("pk", flat=True)[:SWEPT]))


def end_holds() -> int:
    """Sweep: end holds on withdrawals whose time has passed."""
    over = PayoutHold.objects.standing().filter(until__lte=now()).order_by("until")
    return each(_end_hold, list(over.values_list("pk", flat=True)[:SWEPT]))


def _end_hold(hold_id: UUID) -> None:
    actions.end_hold(hold_id, actor=None, reason="Its time has passed.")
