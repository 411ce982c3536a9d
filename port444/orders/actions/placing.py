"""An order comes to be: from a package, or from an offer that was accepted. Inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext as _

from port444.accounts.models import User
from port444.catalog.models import Package, QuestionKind, Service
from port444.kit.errors import Conflict, NotAllowed
from port444.kit.moments import short
from port444.kit.money import fee
from port444.messaging.models import Conversation
from port444.orders.checkout import wish_for
from port444.orders.models import Order, Requirement
from port444.payments.actions import Line, fee_line, open_invoice, settle_covered

from .telling import url


@dataclass(frozen=True, slots=True)
class Purchase:
    """What is bought. `name` is what kind of thing: the size of a package, or that it is a custom offer."""

    service: Service
    package: Package | None
    title: str
    name: str
    price: Decimal
    days: int
    revisions: int
    deliverables: Sequence[str]
    questions: Sequence[dict[str, Any]]


def require_client_open(client: User) -> None:
    if client.is_suspended or not client.is_active:
        raise NotAllowed(_("A suspended account cannot order."), code="suspended")


def require_builder_open(service: Service, client: User) -> None:
    """The builder of `service` takes orders at this moment; what `client` is told otherwise."""
    builder = service.builder
    if builder.user.is_suspended or not builder.user.is_active:
        raise Conflict(_("This builder does not take orders at the moment."), code="builder_closed")
    if not builder.takes_orders:
        back = short(builder.away_until, client.time_zone) if builder.away_until else "later"
        raise Conflict(
            _("%(name)s is away and takes no orders before coming back, %(back)s your time.") % {"name": builder.user.first_name, "back": back},
            code="builder_away",
        )


def write_order(client: User, conversation: Conversation, bought: Purchase, key: UUID, moment: datetime, *, like: Order | None = None) -> Order:
    """The order with its questions and the invoice that waits to be paid. Questions that `like` had as well begin with its answers."""
    service, builder = bought.service, bought.service.builder
    order = Order.objects.create(
        client=client,
        builder=builder,
        service=service,
        package=bought.package,
        conversation=conversation,
        client_key=key,
        title=bought.title,
        package_name=bought.name,
        deliverables=list(bought.deliverables),
        price=bought.price,
        client_fee=fee(bought.price, settings.CLIENT_FEE_BPS),
        builder_fee_bps=settings.BUILDER_FEE_BPS,
        delivery_days=bought.days,
        revisions_allowed=bought.revisions,
        placed_at=moment,
        pay_until=moment + timedelta(minutes=settings.PAYMENT_MINUTES),
    )
    order.refresh_from_db(fields=["number"])
    _copy_questions(order, bought.questions, like)
    order.invoice = open_invoice(
        purpose="order",
        subject_id=order.pk,
        deal_id=order.pk,
        payer=client,
        payee=builder.user,
        lines=_lines(order),
        return_url=url(order),
        expires_at=order.pay_until,
        actor=client,
        wish=wish_for(bought.price, service.category_id, builder.pk),
    )
    order.credit, order.prepaid = order.invoice.credit, order.invoice.prepaid
    order.save(update_fields=["invoice", "credit", "prepaid"])
    return order


def settle_if_covered(order: Order) -> Order:
    """An order of which credits pay everything is paid at once."""
    if order.invoice is None or order.invoice.total > 0:
        return order
    settle_covered(order.invoice.pk)
    return Order.objects.lock(order.pk)


def _copy_questions(order: Order, questions: Sequence[dict[str, Any]], like: Order | None) -> None:
    rows = [
        Requirement(
            order=order,
            position=position,
            label=question["label"],
            kind=question.get("kind", "text"),
            options=question.get("options", []),
            help=question.get("help", ""),
            is_required=question.get("required", True),
        )
        for position, question in enumerate(questions, 1)
    ]
    given = {(row.label, row.kind): row for row in like.requirements.prefetch_related("files")} if like and rows else {}
    for row in rows:
        before = given.get((row.label, row.kind))
        if before is not None and (row.kind != QuestionKind.CHOICE or before.answer in row.options):
            row.answer = before.answer
    Requirement.objects.bulk_create(rows)
    # The two have one conversation, so the files that were sent in it can be sent again.
    again = [
        (row, file)
        for row in rows
        if row.kind == QuestionKind.FILE and (row.label, row.kind) in given
        for file in given[row.label, row.kind].files.all()
    ]
    if again:
        through = Requirement.files.through
        through.objects.bulk_create(through(requirement_id=row.pk, attachment_id=file.pk) for row, file in again)


def _lines(order: Order) -> list[Line]:
    lines = [Line(f"{order.title}, {order.package_name}"[:200], order.price)]
    if order.client_fee:
        lines.append(fee_line(order.client_fee, order.client))
    return lines
