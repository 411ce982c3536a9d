"""What a person does in the test wallet, and the whole way through it for demonstrations and tests."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from port444.accounts.models import User
from port444.kit.errors import NotAllowed
from port444.kit.jobs import enqueue
from port444.payments.models import Invoice, Payment, SandboxCharge
from port444.payments.providers import sandbox
from port444.payments.providers.sandbox import Decision, Manner

from .invoices import settle_invoice
from .payments import reach_provider, reconcile_payment, start_payment


@transaction.atomic
def answer_wallet(payment_id: UUID, *, actor: User, decision: Decision, manner: Manner = Manner.AT_ONCE) -> SandboxCharge:
    """Approve, decline or break a payment in the test wallet. The wallet's answer comes to us as a signed callback, by a job."""
    payment = Payment.objects.select_related("invoice").get(pk=payment_id)
    if payment.invoice.payer_id != actor.pk:
        raise NotAllowed(_("This is somebody else's payment."))
    charge = sandbox.answer(payment_id, decision, manner)
    if manner == Manner.LATE:
        sandbox.answer_later(charge)
    else:
        for turn in range(charge.answer_times):
            enqueue("port444.payments.jobs.deliver_wallet_answer", charge.key, turn)
    return charge


def pay_with_test_wallet(invoice_id: UUID, *, actor: User) -> Invoice:
    """Pay an invoice from start to settlement without a browser and without callbacks; for demonstrations and tests.

    Asks the provider as the reconciler does, so it takes the same steps as a payment whose callback was lost.
    """
    payment = reach_provider(start_payment(invoice_id, actor=actor).pk)
    answer_wallet(payment.pk, actor=actor, decision=Decision.APPROVE, manner=Manner.SILENT)
    reconcile_payment(payment.pk)
    return settle_invoice(invoice_id)
