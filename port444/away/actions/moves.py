"""What being away does to due dates, and how a client says that this does not work.

What counts is the work that is left: it is read before something about the span changes, and the same work is due again after it.
So planning, changing and coming back may follow each other in any order, and a date is later by the days away and by nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from auditlog.actions import record
from auditlog.events import Event
from port444.away import emails, notices
from port444.away.models import DueMove, MoveStatus, Span
from port444.builders.models import Builder
from port444.kit.clock import now
from port444.kit.errors import Invalid, NotAllowed, WrongState
from port444.kit.sentences import Said
from port444.messaging.actions import post_notice
from port444.notifications.actions import notify
from port444.orders.actions import prolong_escrow
from port444.orders.emails import Words
from port444.orders.models import LIVE, RUNNING, WORKING, Order, OrderStatus

M = MoveStatus
NO_TIME = timedelta(0)
LONGEST_OBJECTION = 300


@dataclass(frozen=True, slots=True)
class Held:
    """An order under lock, and the work that was left before anything changed, counted from `since`; None without a date."""

    order: Order
    since: datetime
    left: timedelta | None


def hold_orders(builder: Builder, moment: datetime) -> list[Held]:
    """All orders of `builder` that run or may begin to, locked one after the other, with the work that is left in each.

    Those without a date are locked as well: one that begins just now has read when the builder is away before this, and has its
    date here, or reads it after this.
    """
    rows = Order.objects.with_people().filter(builder=builder, status__in=[OrderStatus.PENDING_PAYMENT, *RUNNING])
    held = []
    for order in rows.select_for_update(of=("self",), no_key=True).order_by("pk"):
        order.builder = builder
        since = order.clock_stopped_at or moment
        counts = order.status in LIVE and order.due_at is not None
        held.append(Held(order, since, order.work_left(since) if counts else None))
    return held


def settle_past(held: Sequence[Held], builder: Builder, moment: datetime) -> list[Held]:
    """Before another span is written on the builder: a clock that has stood since before the end of the last one stands since that
    end. What of it lies before is in the date already, and would be forgotten with the span."""
    return [_settled(row, builder.away_until) if _stood_through(row, builder, moment) else row for row in held]


def _stood_through(row: Held, builder: Builder, moment: datetime) -> bool:
    stopped, until = row.order.clock_stopped_at, builder.away_until
    return stopped is not None and until is not None and stopped < until <= moment and row.order.status in WORKING and row.left is not None


def _settled(row: Held, until: datetime | None) -> Held:
    order, left = row.order, row.left
    assert until is not None
    assert left is not None
    order.clock_stopped_at, order.due_at = until, until + left
    order.save(update_fields=["clock_stopped_at", "due_at"])
    return Held(order, until, left)


def move_dates(span: Span, held: Iterable[Held], keep: frozenset[UUID], *, actor: Any, moment: datetime) -> list[Order]:
    """Let the same work be due again now that the span is as it is; gives the orders whose client was told.

    What is late already stays late, and an order in `keep` is worked on as if nobody were away.
    """
    moves = {move.order_id: move for move in DueMove.objects.select_for_update(of=("self",), no_key=True).filter(span=span)}
    told = []
    for row in held:
        order, before, kept = row.order, row.order.due_at, row.order.works_through
        order.works_through = span.created_at if order.pk in keep else None if order.keeps_date else kept
        if row.left is not None and row.left > NO_TIME:
            order.due_at = order.due_for(row.since, row.left)
        if (order.due_at, order.works_through) == (before, kept):
            continue
        order.save(update_fields=["due_at", "works_through"])
        if before is None or order.due_at is None or order.due_at == before:
            continue
        _note_move(span, order, before, actor)
        if order.status in WORKING:  # nobody waits for the date of what is delivered
            move = _write_move(span, order, before, moves.get(order.pk), moment)
            _tell_moved(span, move, before, moment)
            told.append(order)
        prolong_escrow(order, actor=actor)
    return told


def _note_move(span: Span, order: Order, before: datetime, actor: Any) -> None:
    record(
        Event.DUE_DATE_MOVED,
        actor=actor,
        target=order,
        number=order.number,
        span=span.pk,
        before={"due_at": before},
        after={"due_at": order.due_at},
    )


def _write_move(span: Span, order: Order, before: datetime, move: DueMove | None, moment: datetime) -> DueMove:
    """One row for an order and a span: by how much in all. A later date can be objected to anew; the earlier one settles what was said."""
    assert order.due_at is not None
    by = order.due_at - before
    if move is None:
        return DueMove.objects.create(span=span, order=order, before_at=before, moved=by, created_at=moment)
    move.order, move.moved = order, move.moved + by
    if move.moved <= NO_TIME and move.status != M.KEPT:
        order.exit_until = None
        order.save(update_fields=["exit_until"])
        move.move_to(M.KEPT, moved=move.moved, answered_at=moment)
    elif move.moved > NO_TIME and by > NO_TIME and move.status in (M.KEPT, M.STANDS):
        move.move_to(M.TOLD, moved=move.moved, objection="", objected_at=None, answered_at=None)
    else:
        move.save(update_fields=["moved"])
    return move


def _tell_moved(span: Span, move: DueMove, before: datetime, moment: datetime) -> None:
    order = move.order
    assert order.due_at is not None
    by = order.due_at - before
    over = span.cancelled_at is not None or span.returned_at is not None
    words = notices.back(span, order, by) if over else notices.both(notices.away(span), notices.moved(order, by))
    _post(order, words, notices.BACK if over else notices.AWAY)
    _tell(order, order.client, "away.moved", emails.moved(span, move, before), f"{move.pk}:{order.due_at.isoformat()}:{moment.isoformat()}")


def tell_of_absence(span: Span, orders: Iterable[Order], told: Sequence[Order]) -> None:
    """Say it once in every conversation with a running order that has not read it with a new date."""
    heard = {order.conversation_id for order in told}
    for order in orders:
        if order.status in RUNNING and order.conversation_id not in heard:
            heard.add(order.conversation_id)
            away = notices.away(span)
            _post(order, notices.both(away, notices.stays(order)) if order.status in WORKING else away, notices.AWAY)


# What the client says to it


@transaction.atomic
def object_to_move(move_id: UUID, *, actor: Any, reason: str) -> DueMove:
    """The client says that the later date does not work; once, and only while the builder is still to return."""
    move, moment = _lock_move(move_id), now()
    move.order.require_client(actor)
    reason = " ".join(reason.split())
    if not move.can_be_objected_to(moment):
        raise WrongState(_("There is nothing to object to any more."), code="move_settled")
    if not reason:
        raise Invalid(_("Say why the later date does not work."), code="reason_missing")
    if len(reason) > LONGEST_OBJECTION:
        raise Invalid(_("A reason has at most %(most)s characters.") % {"most": LONGEST_OBJECTION}, code="reason_long")
    order = move.order
    move.move_to(M.OBJECTED, objection=reason, objected_at=moment)
    record(Event.DUE_DATE_OBJECTED, actor=actor, target=order, number=order.number, span=move.span_id, reason=reason)
    _post(order, notices.objected(order), notices.OBJECTED)
    _tell(order, order.builder.user, "away.objected", emails.objected(move), f"{move.pk}:{moment.isoformat()}")
    return move


@transaction.atomic
def keep_date(move_id: UUID, *, actor: Any) -> DueMove:
    """The builder gives in: the date of before stands, and the work goes on through the days away."""
    move, moment = _answerable(move_id, actor), now()
    order, back_to = move.order, move.back_to(moment)
    if back_to <= moment:
        raise WrongState(_("The earlier date has passed already."), code="date_passed")
    before = order.due_at
    assert before is not None
    if order.builder.away_paused_at == move.span.created_at:  # another span since then is none of this
        order.works_through = move.span.created_at
    order.due_at, order.exit_until = back_to, None
    order.save(update_fields=["due_at", "works_through", "exit_until"])
    move.move_to(M.KEPT, moved=NO_TIME, answered_at=moment)
    _note_move(move.span, order, before, actor)
    record(Event.DUE_DATE_SETTLED, actor=actor, target=order, number=order.number, span=move.span_id, outcome=M.KEPT, due_at=order.due_at)
    _post(order, notices.kept(order), notices.SETTLED)
    _tell(order, order.client, "away.settled", emails.kept(move), f"{move.pk}:{moment.isoformat()}")
    return move


@transaction.atomic
def hold_to_date(move_id: UUID, *, actor: Any) -> DueMove:
    """The builder holds to the later date: the client may leave with everything for a while."""
    return _hold(_answerable(move_id, actor), actor)


@transaction.atomic
def lapse_objection(move_id: UUID) -> DueMove:
    """The builder never answered: the later date stays, and the client may leave as if they had said so. For the sweep."""
    move = _lock_move(move_id)
    if not move.waits or now() < move.answer_by:
        raise WrongState(_("There is nothing to settle here any more."), code="move_settled")
    return _hold(move, None)


def _hold(move: DueMove, actor: Any | None) -> DueMove:
    moment, order = now(), move.order
    move.move_to(M.STANDS, answered_at=moment)
    order.exit_until = moment + timedelta(hours=settings.EXIT_HOURS)
    order.save(update_fields=["exit_until"])
    record(Event.DUE_DATE_SETTLED, actor=actor, target=order, number=order.number, span=move.span_id, outcome=M.STANDS, until=order.exit_until)
    _post(order, notices.stands(order, answered=actor is not None), notices.OBJECTED)
    _tell(order, order.client, "away.settled", emails.stands(move, answered=actor is not None), f"{move.pk}:{moment.isoformat()}")
    return move


def _lock_move(move_id: UUID) -> DueMove:
    """The move with its order, both under lock, and the builder before them: who changes the span holds the builder."""
    found = DueMove.objects.select_related("span").get(pk=move_id)
    builder = Builder.objects.select_related("user").select_for_update(of=("self",), no_key=True).get(pk=found.span.builder_id)
    order = Order.objects.lock(found.order_id)
    order.builder = builder
    move = DueMove.objects.select_related("span").select_for_update(of=("self",), no_key=True).get(pk=move_id)
    move.order, move.span.builder = order, builder
    return move


def _answerable(move_id: UUID, actor: Any) -> DueMove:
    """The move whose objection the builder answers."""
    move = _lock_move(move_id)
    if move.order.is_builder(actor):
        if not move.waits:
            raise WrongState(_("There is nothing to answer here any more."), code="move_settled")
        return move
    raise NotAllowed(_("Only the builder of this order can do that."))


def _post(order: Order, body: Said, icon: str) -> None:
    post_notice(order.conversation_id, body=body, icon=icon, subject=("order", order.pk))


def _tell(order: Order, person: Any, kind: str, words: Words, step: str) -> None:
    notify(
        person,
        kind,
        title=words.title,
        body=words.body,
        url=reverse("orders:detail", args=[order.number]),
        dedupe_key=f"{kind}:{step}:{person.pk}",
        context={"label": gettext_lazy("Open the order")},
    )
