"""From the answers to the delivery, and back for changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import transaction
from django.utils.translation import gettext as _

from auditlog.actions import record
from auditlog.events import Event
from port444.catalog.models import QuestionKind
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, WrongState
from port444.messaging.actions import keep_upload
from port444.orders import emails, handlers, notices
from port444.orders.models import Delivery, Order, OrderStatus, Requirement, Revision

from .asking import close_more
from .nudges import plan_nudges
from .telling import post, tell
from .terms import prolong_escrow

S = OrderStatus
LONGEST_TEXT = 5000

is_link = URLValidator(schemes=["http", "https"])

Answers = Mapping[int, str]
Uploads = Mapping[int, Iterable[Any]]


@transaction.atomic
def save_answers(order_id: UUID, *, actor: Any, answers: Answers, uploads: Uploads | None = None) -> Order:
    """Keep what the client has written so far, by position of the question, also of those asked in the work. Nothing is sent and no clock
    starts."""
    order = Order.objects.lock(order_id)
    order.require_client(actor)
    _require_asking(order)
    _write_answers(order, actor, answers, uploads or {})
    return order


@transaction.atomic
def answer_requirements(order_id: UUID, *, actor: Any, answers: Answers, uploads: Uploads | None = None) -> Order:
    """Send the answers and start the clock, or let it run again. Raises Invalid while a required answer is missing."""
    order = Order.objects.lock(order_id)
    order.require_client(actor)
    _require_asking(order)
    requirements = _write_answers(order, actor, answers, uploads or {})
    missing = [row.label for row in requirements if row.is_required and not _is_answered(row)]
    if missing:
        raise Invalid(_("Still to answer: %(missing)s") % {"missing": "; ".join(missing)}, code="answer_missing")
    moment = now()
    if order.asks_more:
        close_more(order, moment, actor=actor)
        post(order, notices.answered_more(order), notices.ANSWERED)
        tell(order, order.builder.user, "order.answered_more", emails.answered_more_to_builder(order), "answered_more")
        return order
    order.read_away()
    order.move_to(S.IN_PROGRESS, started_at=moment, due_at=order.due_from(moment, order.delivery_days))
    prolong_escrow(order, actor=actor)
    record(Event.ORDER_STARTED, actor=actor, target=order, number=order.number, due_at=order.due_at)
    post(order, notices.answered(order), notices.ANSWERED)
    tell(order, order.builder.user, "order.started", emails.started_to_builder(order), "started")
    return order


def _require_asking(order: Order) -> None:
    order.require_undisputed()
    if order.asks_more:
        return
    if order.status != S.PENDING_REQUIREMENTS:
        raise WrongState(_("This order is %(status)s; its questions are closed.") % {"status": order.status_words()})


def _is_answered(row: Requirement) -> bool:
    return row.files.exists() if row.kind == QuestionKind.FILE else bool(row.answer)


def _write_answers(order: Order, actor: Any, answers: Answers, uploads: Uploads) -> list[Requirement]:
    rows = list(order.requirements.filter(is_more=order.asks_more))
    for row in rows:
        if row.position in answers:
            row.answer = _checked_answer(row, answers[row.position])
            row.save(update_fields=["answer"])
    kept = 0
    for row in rows:
        files = list(uploads.get(row.position, ()))
        if files and row.kind != QuestionKind.FILE:
            raise Invalid(_("This question takes no files."), code="answer_kind")
        kept += len(files)
        if kept > settings.UPLOAD_MAX_FILES or len(files) + (row.files.count() if files else 0) > settings.UPLOAD_MAX_FILES:
            raise Invalid(_("At most %(most)s files.") % {"most": settings.UPLOAD_MAX_FILES}, code="too_many_files")
        row.files.add(*(keep_upload(order.conversation, file, actor=actor) for file in files))
    return rows


def parse_iso(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == len("2026-12-03") else None
    except ValueError:
        return None


def _checked_answer(row: Requirement, text: str) -> str:
    text = text.strip()
    if len(text) > LONGEST_TEXT:
        raise Invalid(_("An answer has at most %(most)s characters.") % {"most": LONGEST_TEXT}, code="answer_long")
    if row.kind == QuestionKind.CHOICES:
        chosen = set(text.splitlines())
        if chosen - set(row.options):
            raise Invalid(_("Choose among the answers offered to “%(label)s”.") % {"label": row.label}, code="answer_choice")
        return "\n".join(option for option in row.options if option in chosen)
    if text and row.kind == QuestionKind.DATE and parse_iso(text) is None:
        raise Invalid(_("“%(label)s” is answered with a date, as 2026-12-03.") % {"label": row.label}, code="answer_date")
    if text and row.kind == QuestionKind.LINK:
        try:
            is_link(text)
        except ValidationError:
            raise Invalid(_("“%(label)s” is answered with a link that begins with https://.") % {"label": row.label}, code="answer_link") from None
    if text and row.kind == QuestionKind.CHOICE and text not in row.options:
        raise Invalid(_("Choose one of the answers offered to “%(label)s”.") % {"label": row.label}, code="answer_choice")
    if text and row.kind == QuestionKind.FILE:
        raise Invalid(_("This question is answered with a file."), code="answer_kind")
    return text


def _checked_note(note: str) -> str:
    note = note.strip()
    if len(note) > LONGEST_TEXT:
        raise Invalid(_("A note has at most %(most)s characters.") % {"most": LONGEST_TEXT}, code="note_long")
    return note


@transaction.atomic
def deliver(order_id: UUID, *, actor: Any, note: str, uploads: Iterable[Any] = ()) -> Delivery:
    """Hand over work: a note, files, or both. The client's time to review starts."""
    order = Order.objects.lock(order_id)
    order.require_builder(actor)
    order.require_undisputed()
    if not order.can_move_to(S.DELIVERED):
        raise WrongState(_("This order is %(status)s; there is nothing to deliver now.") % {"status": order.status_words()})
    note, files = _checked_note(note), list(uploads)
    if not note and not files:
        raise Invalid(_("Write what you hand over, or add a file."), code="delivery_empty")
    if len(files) > settings.UPLOAD_MAX_FILES:
        raise Invalid(_("At most %(most)s files.") % {"most": settings.UPLOAD_MAX_FILES}, code="too_many_files")
    handlers.delivering(order, actor)
    moment = now()
    if order.asks_more:
        close_more(order, moment, actor=actor)
    delivery = Delivery.objects.create(order=order, number=order.deliveries.count() + 1, note=note, delivered_at=moment)
    delivery.files.add(*(keep_upload(order.conversation, file, actor=actor) for file in files))
    order.move_to(S.DELIVERED, delivered_at=moment, auto_accept_at=moment + timedelta(days=settings.REVIEW_DAYS), exit_until=None)
    plan_nudges(order, moment)
    record(Event.ORDER_DELIVERED, actor=actor, target=order, number=order.number, delivery=delivery.pk, files=len(files))
    post(order, notices.delivered(order, delivery.number), notices.DELIVERED)
    tell(order, order.client, "order.delivered", emails.delivered_to_client(order), f"delivered:{delivery.number}")
    return delivery


@transaction.atomic
def request_revision(order_id: UUID, *, actor: Any, note: str) -> Revision:
    """Ask for changes to what was delivered; counted against the package. Raises Conflict when none are left."""
    order = Order.objects.lock(order_id)
    order.require_client(actor)
    order.require_undisputed()
    if not order.can_move_to(S.IN_REVISION):
        raise WrongState(_("This order is %(status)s; changes can be asked for after a delivery.") % {"status": order.status_words()})
    if order.revisions_left <= 0:
        raise Conflict(_("No revisions left"), code="revisions_used_up")
    note = _checked_note(note)
    if not note:
        raise Invalid(_("Say what should be different."), code="note_missing")
    moment = now()
    delivery = order.deliveries.latest("number")
    revision = Revision.objects.create(order=order, delivery=delivery, note=note, requested_at=moment)
    assert order.due_at is not None  # by constraint
    order.read_away()
    due_at = max(order.due_at, order.due_from(moment, settings.REVISION_DAYS))
    order.move_to(S.IN_REVISION, revisions_used=order.revisions_used + 1, due_at=due_at, auto_accept_at=None)
    prolong_escrow(order, actor=actor)
    record(Event.REVISION_REQUESTED, actor=actor, target=order, number=order.number, revision=revision.pk, used=order.revisions_used)
    post(order, notices.revised(order), notices.REVISED)
    tell(order, order.builder.user, "order.revision", emails.revision_to_builder(order, note), f"revision:{order.revisions_used}")
    return revision
