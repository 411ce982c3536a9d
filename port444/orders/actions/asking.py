"""The builder's one round of further questions in the work: the clock stands until they are answered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from auditlog.actions import record
from auditlog.events import Event
from port444.catalog.models import QuestionKind
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, WrongState
from port444.kit.language import speaking_to
from port444.orders import emails, notices
from port444.orders.models import WORKING, Order, Requirement

from .telling import post, tell
from .terms import start_clock, stop_clock

MOST_MORE = 5
LONGEST = 200


@transaction.atomic
def ask_more(order_id: UUID, *, actor: Any, questions: Sequence[str]) -> Order:
    """Ask the client for what is missing, once in an order. The clock stands until the answers are sent, or the builder goes on without.

    Raises Conflict `asked_already` the second time, WrongState while the clock stands for something else.
    """
    order = Order.objects.lock(order_id)
    order.require_builder(actor)
    order.require_undisputed()
    if order.status not in WORKING:
        raise WrongState(_("This order is %(status)s. Questions are asked in the work.") % {"status": order.status_words()})
    if order.asked_more_at is not None:
        raise Conflict(_("You have asked once already. Write a message for what is still unclear."), code="asked_already")
    if order.clock_stopped_at is not None:
        raise WrongState(_("The clock stands already, because a change waits. Settle that first."), code="clock_stands")
    asked = [text.strip() for text in questions if text.strip()]
    if not asked:
        raise Invalid(_("Write what you need to know."), code="question_label")
    if len(asked) > MOST_MORE:
        raise Invalid(_("Ask at most %(most)s questions.") % {"most": MOST_MORE}, code="too_many_questions")
    if any(len(text) > LONGEST or "\x00" in text for text in asked):
        raise Invalid(_("A question has 1 to %(most)s characters.") % {"most": LONGEST}, code="question_label")
    first = 1 + (order.requirements.order_by("-position").values_list("position", flat=True).first() or 0)
    rows = [Requirement(order=order, position=first + n, label=text, kind=QuestionKind.LONG, is_more=True) for n, text in enumerate(asked)]
    with speaking_to(order.client):
        files = _("Files that belong to it")
    rows.append(Requirement(order=order, position=first + len(asked), label=files, kind=QuestionKind.FILE, is_required=False, is_more=True))
    Requirement.objects.bulk_create(rows)
    order.asked_more_at = now()
    order.save(update_fields=["asked_more_at"])
    stop_clock(order)
    record(Event.ORDER_ASKED_MORE, actor=actor, target=order, number=order.number, questions=len(asked))
    post(order, notices.asked_more(order), notices.ASKED_MORE)
    tell(order, order.client, "order.asked_more", emails.asked_more_to_client(order, asked), "asked_more")
    return order


@transaction.atomic
def go_on_without(order_id: UUID, *, actor: Any) -> Order:
    """The builder needs the answers no more: the clock runs again, and the builder has back the time for which it stood."""
    order = Order.objects.lock(order_id)
    order.require_builder(actor)
    order.require_undisputed()
    if not order.asks_more:
        raise WrongState(_("No answers are waited for."), code="not_asked")
    close_more(order, now(), actor=actor)
    post(order, notices.went_on(order), notices.ASKED_MORE)
    return order


def close_more(order: Order, moment: datetime, *, actor: Any) -> None:
    """The round is over, under the order's lock: the clock runs again."""
    due_before = order.due_at
    order.more_closed_at = moment
    order.save(update_fields=["more_closed_at"])
    start_clock(order)
    said = {"number": order.number, "by_client": actor.pk == order.client_id}
    record(Event.ORDER_MORE_CLOSED, actor=actor, target=order, before={"due_at": due_before}, after={"due_at": order.due_at}, **said)
