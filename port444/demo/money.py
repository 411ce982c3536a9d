"""What is taken out of the demo and given back."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from auditlog.actions import mark_false_positive
from auditlog.models import IncidentLog
from consultations.models import Consultation
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit import clock
from port444.kit.errors import Conflict
from port444.kit.ids import uuid7
from port444.orders.models import Order
from port444.payments.actions import (
    change_bank_account,
    export_batch,
    have_read,
    make_batch,
    request_withdrawal,
    send_refund,
    send_withdrawal,
    settle_batch,
)
from port444.payments.bank import read_account
from port444.payments.models import Refund, RefundStatus, Withdrawal

from . import cast
from .stage import DAY, HOUR

READING = 30.0  # seconds for the detectors


def send_refunds(row: Order | Consultation) -> None:
    for pk in Refund.objects.filter(payment__invoice=row.invoice, status=RefundStatus.REQUESTED).values_list("pk", flat=True):
        send_refund(pk)


def withdraw(today: datetime, builder: Builder) -> tuple[Withdrawal, Withdrawal]:
    """One transfer for the bank to carry out and one to a wallet; a third waits for the next batch."""
    with clock.at(today - 60 * DAY):
        change_bank_account(read_account(holder=builder.user.name, iban=cast.IBAN), actor=builder.user)
    with clock.at(today - 14 * DAY):
        to_bank = request_withdrawal(actor=builder.user, amount=Decimal("200.00"), client_key=uuid7(), method="bank")
    with clock.at(today - 10 * DAY):
        to_wallet = request_withdrawal(actor=builder.user, amount=Decimal("150.00"), client_key=uuid7())
    with clock.at(today - 2 * HOUR):
        request_withdrawal(actor=builder.user, amount=Decimal("120.00"), client_key=uuid7(), method="bank")
    return to_bank, to_wallet


def pay_out(today: datetime, staff: User, to_bank: Withdrawal, to_wallet: Withdrawal) -> None:
    """Both arrive, as soon as the detectors have read that they were asked for; else they wait like everybody's."""
    have_read([to_bank, to_wallet], patience=READING)
    # The log is written now, whatever the clock of the story says: what was earned weeks ago looks fresh.
    for incident in IncidentLog.objects.live().filter(
        withdrawal_id__in=Withdrawal.objects.filter(user=to_bank.user).values("pk"), detected_at__gte=today
    ):
        mark_false_positive(incident.pk, actor=staff, reason="The demo was told within a minute. All of it was earned weeks ago.")
    try:
        with clock.at(today - 14 * DAY):
            batch = make_batch(actor=staff)
            export_batch(batch.pk, actor=staff, kind="xml")
    except Conflict:
        return
    with clock.at(today - 13 * DAY):
        settle_batch(batch.pk, actor=staff)
    with clock.at(today - 10 * DAY):
        send_withdrawal(to_wallet.pk)
