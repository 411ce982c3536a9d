"""The test wallet: play money with books of its own, and every way in which a provider can misbehave.

It stands in for a network, so the rest of payments reaches it through the protocol and through signed callbacks only.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from django_q.models import Schedule
from django_q.tasks import schedule

from port444.kit.clock import now
from port444.kit.errors import Invalid, WrongState
from port444.kit.money import parse
from port444.payments.models import Payment, Refund, SandboxCharge, SandboxStatus, SandboxTransfer, Withdrawal

from .protocol import Answer, Outcome, Refused, Report

HEADER = "X-Wallet-Signature"
TOLERANCE = timedelta(minutes=5)
LATE = timedelta(seconds=20)
BAD_ADDRESS = "0x" + "dead" * 10  # the wallet refuses to send here, to show what a refusal looks like
OUTCOMES = {
    SandboxStatus.WAITING: Outcome.PENDING,
    SandboxStatus.APPROVED: Outcome.SUCCEEDED,
    SandboxStatus.DECLINED: Outcome.FAILED,
    SandboxStatus.FAILED: Outcome.FAILED,
    SandboxStatus.EXPIRED: Outcome.EXPIRED,
}
REASONS = {
    SandboxStatus.DECLINED: gettext_noop("You declined it in the wallet."),
    SandboxStatus.FAILED: gettext_noop("The wallet could not send the money."),
}


class Decision(StrEnum):
    """What a person pressed on the wallet's page."""

    APPROVE = "approve"
    DECLINE = "decline"
    FAIL = "fail"


class Manner(StrEnum):
    """How the wallet tells us about it."""

    AT_ONCE = "at_once"
    LATE = "late"
    TWICE = "twice"
    SILENT = "silent"


class Sandbox:
    name = "sandbox"
    label = gettext_lazy("Test wallet")
    text = gettext_lazy("Play money, for trying things out. Nothing leaves a real wallet.")

    def require(self) -> None:
        return

    def create(self, payment: Payment) -> Answer:
        charge = SandboxCharge(
            key=payment.pk, amount=payment.amount, return_url=reverse("payments:return", args=[payment.invoice_id]), created_at=now()
        )
        SandboxCharge.objects.bulk_create([charge], ignore_conflicts=True)
        stored = SandboxCharge.objects.get(key=payment.pk)
        if stored.amount != payment.amount:
            raise Refused("The wallet knows this payment with another amount.")
        return Answer(external_id=f"charge-{payment.pk}", pay_url=reverse("payments:wallet", args=[payment.pk]))

    def fetch(self, payment: Payment) -> Report:
        return report(SandboxCharge.objects.filter(key=payment.pk).first())

    def expire(self, payment: Payment) -> Report:
        SandboxCharge.objects.filter(key=payment.pk, status=SandboxStatus.WAITING).update(status=SandboxStatus.EXPIRED)
        charge = SandboxCharge.objects.filter(key=payment.pk).first()
        return report(charge, ended=True)

    @transaction.atomic
    def refund(self, refund: Refund) -> str:
        charge = SandboxCharge.objects.select_for_update().filter(key=refund.payment_id, status=SandboxStatus.APPROVED).first()
        if charge is None:
            raise Refused("The wallet knows no such payment.")
        external_id = f"refund-{refund.pk}"
        if SandboxTransfer.objects.filter(key=refund.pk).exists():
            return external_id
        if charge.refunded + refund.amount > charge.amount:
            raise Refused("The wallet does not send back more than was paid.")
        SandboxTransfer.objects.create(key=refund.pk, kind="refund", amount=refund.amount, destination=f"charge-{charge.key}", created_at=now())
        SandboxCharge.objects.filter(key=charge.key).update(refunded=F("refunded") + refund.amount)
        return external_id

    @transaction.atomic
    def payout(self, withdrawal: Withdrawal) -> str:
        if withdrawal.address.lower() == BAD_ADDRESS:
            raise Refused(gettext_noop("The wallet does not send to this address."))
        transfer = SandboxTransfer(key=withdrawal.pk, kind="payout", amount=withdrawal.arrives, destination=withdrawal.address, created_at=now())
        SandboxTransfer.objects.bulk_create([transfer], ignore_conflicts=True)
        stored = SandboxTransfer.objects.get(key=withdrawal.pk)
        if (stored.amount, stored.destination) != (withdrawal.arrives, withdrawal.address):
            raise Refused("The wallet knows this withdrawal with another amount or address.")
        return f"payout-{withdrawal.pk}"


def report(charge: SandboxCharge | None, *, ended: bool = False) -> Report:
    """What the wallet says of a charge: nothing is known of a late answer before its moment, unless the attempt is ended."""
    if charge is None:
        return Report(Outcome.EXPIRED if ended else Outcome.PENDING)
    if not ended and charge.answers_at is not None and charge.answers_at > now():
        return Report(Outcome.PENDING)
    status = SandboxStatus(charge.status)
    return Report(OUTCOMES[status], charge.amount, REASONS.get(status, ""))


@transaction.atomic
def answer(key: UUID, decision: Decision, manner: Manner) -> SandboxCharge:
    """Settle a waiting charge as the person pressed. Raises WrongState when it is settled already."""
    charge = SandboxCharge.objects.select_for_update().get(key=key)
    if charge.status != SandboxStatus.WAITING:
        raise WrongState(_("This payment has been answered already."), code="wallet_answered")
    chosen = {Decision.APPROVE: SandboxStatus.APPROVED, Decision.DECLINE: SandboxStatus.DECLINED, Decision.FAIL: SandboxStatus.FAILED}
    charge.status = chosen[decision]
    charge.answers_at = now() + (LATE if manner == Manner.LATE else timedelta())
    charge.answer_times = {Manner.TWICE: 2, Manner.SILENT: 0}.get(manner, 1)
    charge.save(update_fields=["status", "answers_at", "answer_times"])
    return charge


def message(charge: SandboxCharge) -> bytes:
    """The body of the callback about a charge; the same charge always gives the same event."""
    said = report(charge, ended=True)
    facts: dict[str, Any] = {
        "event": f"{charge.key}-{charge.status}",
        "payment": str(charge.key),
        "outcome": said.outcome.value,
        "amount": str(charge.amount),
        "reason": said.reason,
    }
    return json.dumps(facts, sort_keys=True).encode()


def sign(body: bytes, moment: datetime) -> str:
    """The signature header over the raw body and the moment."""
    stamp = str(int(moment.timestamp()))
    return f"t={stamp},v1={_digest(stamp, body)}"


def verified(body: bytes, header: str, moment: datetime) -> bool:
    """Whether `header` signs exactly this body, not more than five minutes away from `moment`."""
    parts = dict(part.split("=", 1) for part in header.split(",") if "=" in part)
    stamp, given = parts.get("t", ""), parts.get("v1", "")
    if not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= 12) or not given.isascii():
        return False
    fresh = abs(moment.timestamp() - int(stamp)) <= TOLERANCE.total_seconds()
    return hmac.compare_digest(_digest(stamp, body), given) and fresh


def _digest(stamp: str, body: bytes) -> str:
    secret = "sandbox wallet:" + (settings.SANDBOX_SECRET or settings.SECRET_KEY)
    return hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def read(body: bytes) -> tuple[str, UUID, Report]:
    """Event id, payment id and report of a verified callback. Raises ValueError when it does not say them."""
    try:
        facts = json.loads(body)
        amount = parse(str(facts["amount"]))
        if "\\u0000" in body.decode():  # text that the database cannot keep
            raise TypeError("a character that is none")
        reason, card = str(facts.get("reason", ""))[:200], str(facts.get("card", ""))[:200]
        return str(facts["event"])[:100], UUID(facts["payment"]), Report(Outcome(facts["outcome"]), amount, reason, card=card)
    except (KeyError, TypeError, AttributeError, Invalid) as error:
        raise ValueError("the callback does not say what happened") from error


def answer_later(charge: SandboxCharge) -> None:
    """Have the wallet's answer delivered at the charge's own moment."""
    schedule("port444.payments.jobs.deliver_wallet_answer", str(charge.key), 0, schedule_type=Schedule.ONCE, next_run=charge.answers_at)
