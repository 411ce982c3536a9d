"""From the order button to money in escrow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from auditlog.actions import record
from auditlog.events import Event
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog import actions as catalog
from port444.catalog.models import Package, Service, ServiceStatus
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, NotAllowed, word_constraint
from port444.messaging.actions import open_conversation
from port444.orders import emails, notices
from port444.orders.models import Order, OrderStatus
from port444.payments import escrow
from port444.payments.escrow import Lent
from port444.payments.models import EscrowOperation, Invoice, Payment

from .nudges import plan_nudges
from .offers import reopen_offer
from .placing import Purchase, require_builder_open, require_client_open, settle_if_covered, write_order
from .telling import deal, post, tell
from .terms import prolong_escrow

S = OrderStatus

word_constraint("order_placed_once", Conflict(_("This order was placed already. Look at your orders."), code="placed"))


@transaction.atomic
def place_order(package_id: UUID, *, actor: Any, client_key: UUID, like: UUID | None = None) -> Order:
    """Order a package: the terms are copied and an invoice waits to be paid.

    The same `client_key` again gives the order that is there. Raises NotAllowed for one's own service and Conflict when the
    package cannot be ordered now. `like` is a completed order of the same service and client, whose answers the questions begin with.
    """
    # A builder who goes away just now comes before or after: an order is never begun past a span away that nobody counted. The
    # person's own row follows, as when a call is held, so that two presses of the button come one after the other.
    Builder.objects.lock(Package.objects.values_list("service__builder_id", flat=True).get(pk=package_id))
    client = User.objects.lock(actor.pk)
    placed = Order.objects.with_people().filter(client=client, client_key=client_key).first()
    if placed is not None:
        if placed.package_id != package_id:
            raise Conflict(gettext("This order button was used for another package. Reload the page and press it again."), code="ordered_other")
        return placed
    require_client_open(client)
    package = Package.objects.select_related("service__builder__user").get(pk=package_id)
    _require_orderable(package, client)
    moment = now()
    service, builder = package.service, package.service.builder
    conversation = open_conversation(client, builder.user, actor=actor)
    with translation.override("en"):  # what was bought keeps one name, whoever buys
        tier = package.get_tier_display()
    bought = Purchase(
        service=service,
        package=package,
        title=service.title,
        name=tier,
        price=package.price,
        days=package.delivery_days,
        revisions=package.revisions,
        deliverables=package.deliverables,
        questions=service.questions,
    )
    before = _before(like, client, service) if like else None
    order = write_order(client, conversation, bought, client_key, moment, like=before)
    told: dict[str, Any] = {"again": before.number} if before else {}
    record(
        Event.ORDER_PLACED, actor=actor, target=order, amount=order.price, number=order.number, package=package.pk, builder=builder.user_id, **told
    )
    post(order, notices.placed(order), notices.PLACED)
    return settle_if_covered(order)


def _before(order_id: UUID, client: User, service: Service) -> Order:
    found = Order.objects.filter(pk=order_id, client=client, service=service, status=S.COMPLETED).first()
    if found is None:
        raise Invalid(gettext("Only a completed order of yours of the same service can be ordered again."), code="not_again")
    return found


def _require_orderable(package: Package, client: User) -> None:
    service, builder = package.service, package.service.builder
    if builder.user_id == client.pk:
        raise NotAllowed(gettext("This is your own service."), code="own_service")
    if service.status != ServiceStatus.PUBLISHED or not package.is_offered:
        raise Conflict(gettext("This package is not offered at the moment."), code="not_offered")
    require_builder_open(service, client)


def lock_for_payment(order_id: UUID) -> Order:
    """The row that payments locks before the invoice."""
    return Order.objects.lock(order_id)


def order_paid(order: Order, invoice: Invoice, payment: Payment | None) -> None:
    """The invoice is paid, by a payment or by credits alone: the price goes into escrow. In payments' transaction."""
    moment = now()
    order.move_to(S.FUNDING, paid_at=moment)
    catalog.count_order(order.service_id)
    if order.package_id is not None:
        catalog.note_sale(order.pk, package_id=order.package_id, price=order.price, moment=moment)
    paid_with = payment.pk if payment is not None else None
    record(
        Event.ORDER_PAID,
        actor=order.client,
        target=order,
        amount=order.price,
        number=order.number,
        builder_id=order.builder.user_id,
        invoice=invoice.pk,
        payment=paid_with,
    )
    lent = Lent(order.prepaid, order.credit - order.prepaid)
    order.read_away()  # days away that are planned already put the date off
    due_at = order.due_from(moment + timedelta(days=settings.REQUIREMENTS_DAYS), order.delivery_days)
    expiry = due_at + timedelta(days=settings.ESCROW_GRACE_DAYS)
    escrow.current().open(deal(order), order.price, order.builder_fee_bps, f"order:{order.pk}:open", expiry=expiry, lent=lent, actor=order.client)


def order_funded(operation: EscrowOperation) -> None:
    """The money is in escrow: the questions are asked or the clock starts. In escrow's transaction; it may have been cancelled meanwhile."""
    order = Order.objects.lock(operation.subject_id)
    if order.status != S.FUNDING:
        return
    moment = operation.applied_at or now()
    if order.requirements.exists():
        order.move_to(S.PENDING_REQUIREMENTS, requirements_until=moment + timedelta(days=settings.REQUIREMENTS_DAYS))
        plan_nudges(order, moment)
    else:
        order.read_away()
        order.move_to(S.IN_PROGRESS, started_at=moment, due_at=order.due_from(moment, order.delivery_days))
        prolong_escrow(order, actor=None)
    post(order, notices.paid(order), notices.PAID)
    tell(order, order.builder.user, "order.placed", emails.paid_to_builder(order), "paid")
    tell(order, order.client, "order.paid", emails.paid_to_client(order), "paid")


def order_unpaid(order: Order, invoice: Invoice) -> None:
    """The time to pay has passed. An order that was cancelled before stays cancelled."""
    if order.status != S.PENDING_PAYMENT:
        return
    order.move_to(S.EXPIRED, expired_at=now())
    record(Event.ORDER_EXPIRED, actor=None, target=order, number=order.number, invoice=invoice.pk)
    post(order, notices.expired(order), notices.EXPIRED)
    offer = reopen_offer(order)
    tell(order, order.client, "order.expired", emails.expired_to_client(order, offer), "expired")
