"""What every action of an amendment needs: its two rows under lock, the notice in the conversation, the message to a person."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from amendments.emails import facts_for, link
from amendments.models import Amendment
from port444.kit.sentences import Said
from port444.messaging.actions import post_notice
from port444.notifications.actions import notify
from port444.orders.emails import Words
from port444.orders.models import Order
from port444.payments.escrow import Deal

ORDER = "order"


def deal(order: Order) -> Deal:
    """The order as escrow names it."""
    return Deal(ORDER, order.pk, order.client_id, order.builder.user_id)


def lock(amendment_id: UUID) -> Amendment:
    """The amendment under lock, its order before it."""
    order = Order.objects.lock(Amendment.objects.values_list("order_id", flat=True).get(pk=amendment_id))
    return lock_within(order, amendment_id)


def lock_within(order: Order, amendment_id: UUID) -> Amendment:
    """The amendment under lock, of an order that is locked already."""
    amendment = Amendment.objects.lock(amendment_id)
    amendment.order = order
    return amendment


def fresh(amendment: Amendment) -> Amendment:
    """As it is now: what escrow does at once has changed other copies of the row."""
    return Amendment.objects.with_people().get(pk=amendment.pk)


def facts(amendment: Amendment) -> dict[str, Any]:
    """For the audit log, beside what the event itself says."""
    return {
        "order": amendment.order_id,
        "number": amendment.order.number,
        "type": amendment.amendment_type,
        "version": amendment.version,
        "client": amendment.order.client_id,
        "builder": amendment.order.builder.user_id,
    }


def answer_pace(amendment: Amendment) -> dict[str, Any]:
    """For the audit log: how long the other side took to say yes."""
    if amendment.answered_at is None:
        return {}
    return {"seconds_to_answer": max(0, int((amendment.answered_at - amendment.created_at).total_seconds()))}


def post(amendment: Amendment, body: Said, icon: str) -> None:
    """A line in the conversation that both sides read."""
    post_notice(amendment.order.conversation_id, body=body, icon=icon, subject=(ORDER, amendment.order_id))


def tell(amendment: Amendment, person: Any, kind: str, words: Words, step: str = "") -> None:
    """Notify one person; each step of an amendment is told once."""
    notify(
        person,
        kind,
        title=words.title,
        body=words.body,
        url=link(amendment),
        dedupe_key=f"{kind}:{amendment.pk}:{step}:{person.pk}",
        context={"label": _("Open the order"), "facts": facts_for(amendment, person)},
    )
