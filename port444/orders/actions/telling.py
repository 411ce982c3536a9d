"""What every action of an order says and to whom: the notice in the conversation, the message to a person."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from port444.kit.sentences import Said
from port444.messaging.actions import post_notice
from port444.notifications.actions import notify
from port444.orders.emails import Words, facts_for
from port444.orders.models import Order
from port444.payments.escrow import Deal


def url(order: Order) -> str:
    return reverse("orders:detail", args=[order.number])


def deal(order: Order) -> Deal:
    """The order as escrow names it."""
    return Deal("order", order.pk, order.client_id, order.builder.user_id)


def post(order: Order, body: str | Said, icon: str) -> None:
    """A line in the conversation that both sides read."""
    post_notice(order.conversation_id, body=body, icon=icon, subject=("order", order.pk))


def tell(order: Order, person: Any, kind: str, words: Words, step: str) -> None:
    """Notify one person; `step` names the event within the order, so that each is told once."""
    notify(
        person,
        kind,
        title=words.title,
        body=words.body,
        url=url(order),
        dedupe_key=f"order:{order.pk}:{step}:{person.pk}",
        context={"label": _("Open the order"), "facts": facts_for(order, person)},
    )
