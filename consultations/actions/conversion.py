"""From a completed call to an order: its price comes back as a credit that counts towards work of the same builder."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from consultations import emails
from consultations.models import Consultation, ConsultationStatus
from port444.catalog.models import Package
from port444.kit.clock import now
from port444.kit.errors import Conflict, WrongState
from port444.kit.states import meet
from port444.orders.actions import place_order
from port444.orders.models import Order
from port444.payments.actions import Grant, issue_credit
from port444.payments.models import Credit, CreditSource, Invoice

ORDER = "order"


def give_credit(consultation: Consultation, moment: datetime, *, actor: Any | None) -> Credit:
    """The price of a call that took place, usable with its builder. The invoice is the chain's, so a moved call gives one, too."""
    grant = Grant(
        amount=consultation.price,
        source=CreditSource.CONSULTATION,
        label=emails.credit_label(consultation),
        source_id=consultation.chain,
        source_invoice=consultation.invoice,
        builder_id=consultation.builder_id,
        expires_at=moment + timedelta(days=settings.CREDIT_DAYS),
    )
    return issue_credit(consultation.client, grant, actor=actor)


@transaction.atomic
def convert_call(consultation_id: UUID, *, actor: Any, package_id: UUID, client_key: UUID) -> Order:
    """The client of a completed call orders a package of its builder, with the call's credit counted in.

    Raises Conflict when nothing of the credit is left, so that nobody orders at a price they have not seen.
    """
    consultation = Consultation.objects.select_related("builder__user").get(pk=consultation_id)  # completed is for ever: nothing to lock
    consultation.require_client(actor)
    if consultation.status != ConsultationStatus.COMPLETED:
        raise WrongState(_("This call is %(status)s. A call that took place can become an order.") % {"status": consultation.status_words()})
    if not Package.objects.filter(pk=package_id, service__builder=consultation.builder_id).exists():
        raise Conflict(_("This package is not of the builder you talked with."), code="other_builder")
    order = place_order(package_id, actor=actor, client_key=client_key)
    if not order.prepaid:
        raise Conflict(_("The credit of this call is used up or has ended. Order from the page of the service."), code="no_credit")
    return order


def lock_source(chain: UUID) -> Consultation:
    """What payments locks before a call's credit."""
    return meet(Consultation.objects.live(chain).select_for_update(of=("self",), no_key=True).get())


def credit_used(credit: Credit, invoice: Invoice) -> None:
    """An order has taken the credit of a call: the call has become that order."""
    if invoice.purpose == ORDER and credit.source_id is not None:
        consultation = lock_source(credit.source_id)
        consultation.converted_order_id, consultation.converted_at = invoice.subject_id, now()
        consultation.save(update_fields=["converted_order", "converted_at"])


def credit_returned(credit: Credit, invoice: Invoice) -> None:
    """That order came to nothing: the call has become none."""
    if credit.source_id is not None:
        consultation = lock_source(credit.source_id)
        if consultation.converted_order_id == invoice.subject_id:
            consultation.converted_order, consultation.converted_at = None, None
            consultation.save(update_fields=["converted_order", "converted_at"])
