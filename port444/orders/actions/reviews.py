"""What both sides say of each other when an order is complete: blind until both wrote or seven days have passed, then for good.

Everything here is done under the lock of the order. Sums move with the builder's row locked before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Required, TypedDict, Unpack
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from auditlog.actions import open_incident, record
from auditlog.events import Event
from auditlog.models import DetectionMethod
from port444.accounts.models import User
from port444.builders import actions as builders
from port444.catalog import actions as catalog
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, NotAllowed, WrongState
from port444.messaging.actions import MOST_REPORTS, case_of
from port444.messaging.models import ReportReason
from port444.orders import emails, notices
from port444.orders.models import BLIND, REPLY_LENGTH, Order, OrderStatus, Review, ReviewReport

from .closing import lock_with_builder, sides
from .telling import post, tell

S = OrderStatus


class Opinion(TypedDict, total=False):
    """What is said: one to five stars, and of the two questions those that a client answers. `private_note` is for the other side alone."""

    stars: Required[int]
    as_described: int | None
    communication: int | None
    text: str
    private_note: str


@transaction.atomic
def leave_review(order_id: UUID, *, actor: Any, **said: Unpack[Opinion]) -> Review:
    """One side's word on a completed order. The second one shows both; the first waits for it, for seven days from the order's end."""
    order, written, moment = _open(order_id, actor)
    if _own(written, actor) is not None:
        raise Conflict(_("You have reviewed this order already."), code="reviewed")
    assert order.completed_at is not None
    other = order.other(actor)
    review = Review.objects.create(
        order=order,
        by_client=actor.pk == order.client_id,
        builder=order.builder,
        service_id=order.service_id,
        author=actor,
        about=other,
        created_at=moment,
        shown_at=moment if written else order.completed_at + BLIND,
        **_checked(order, actor, said),
    )
    event = Event.ORDER_REVIEWED if review.by_client else Event.CLIENT_REVIEWED
    record(event, actor=actor, target=order, stars=review.stars, **sides(order))
    if written:
        for one in written:
            one.shown_at = moment
        _show(order, [*written, review], moment, actor)
    else:
        post(order, notices.reviewed(order, actor), notices.REVIEWED)
        tell(order, other, "order.reviewed", emails.review_waits(order, other, review.shown_at), "reviewed")
    return review


@transaction.atomic
def change_review(order_id: UUID, *, actor: Any, **said: Unpack[Opinion]) -> Review:
    """Say it otherwise, as long as it is not shown."""
    order, written, __ = _open(order_id, actor)
    review = _own(written, actor)
    if review is None:
        raise WrongState(_("You have not written a review of this order yet."), code="not_reviewed")
    before = review.stars
    for name, value in _checked(order, actor, said).items():
        setattr(review, name, value)
    review.save(update_fields=["stars", "as_described", "communication", "text", "private_note"])
    record(Event.REVIEW_CHANGED, actor=actor, target=order, before={"stars": before}, after={"stars": review.stars}, **sides(order))
    return review


@transaction.atomic
def publish_reviews(order_id: UUID) -> Order:
    """Count a review that the clock has shown, and tell both; for the sweep. Raises WrongState when that was done meanwhile."""
    order, moment = lock_with_builder(order_id), now()
    shown = list(Review.objects.uncounted(moment).filter(order=order).select_related("author"))
    if not shown:
        raise WrongState(_("The reviews of this order are counted already."))
    _show(order, shown, moment, None)
    return order


@transaction.atomic
def reply_to_review(review_id: UUID, *, actor: Any, text: str) -> Review:
    """The public answer of who was reviewed: one, which can be changed for a day."""
    order = Order.objects.lock(Review.objects.values_list("order_id", flat=True).get(pk=review_id))
    review = Review.objects.select_related("author").get(pk=review_id)
    moment, text = now(), text.strip()
    if actor.pk != review.about_id:
        raise NotAllowed(_("Only who was reviewed can reply."))
    if not review.is_shown(moment):
        raise WrongState(_("This review is not shown yet."))
    if not review.may_reply(moment):
        raise WrongState(_("A reply can be changed for %(hours)s hours. It stands now.") % {"hours": settings.REPLY_HOURS}, code="reply_stands")
    if not 0 < len(text) <= REPLY_LENGTH:
        raise Invalid(_("A reply has 1 to %(most)s characters.") % {"most": REPLY_LENGTH}, code="reply_length")
    is_first = review.replied_at is None
    review.reply, review.replied_at = text, review.replied_at or moment
    review.save(update_fields=["reply", "replied_at"])
    record(Event.REVIEW_REPLIED, actor=actor, target=order, review=review.pk, again=not is_first)
    if is_first:
        post(order, notices.replied(order, actor), notices.REVIEWED)
        tell(order, review.author, "order.review_replied", emails.review_replied(order, review.author), f"replied:{review.pk}")
    return review


@transaction.atomic
def report_review(review_id: UUID, *, actor: User, reason: ReportReason, text: str = "") -> ReviewReport:
    """Bring a review before support, once for each who does. Its author is not told. The word of several is one case.

    The same report again gives the first one. Raises NotAllowed, and Conflict for other words or too many in a day.
    """
    User.objects.lock(actor.pk)
    moment = now()
    review = Review.objects.readable_by(actor, moment).select_related("author").filter(pk=review_id).first()
    if review is None or review.author_id == actor.pk:
        raise NotAllowed(_("This review cannot be reported by you."))
    text = text.replace("\r\n", "\n").strip()
    first = ReviewReport.objects.filter(review=review, reporter=actor).first()
    if first is not None:
        if (first.reason, first.text) == (reason, text):
            return first
        raise Conflict(_("You have reported this review already. Support looks at it."), code="reported")
    if ReviewReport.objects.filter(reporter=actor, created_at__gt=moment - timedelta(days=1)).count() >= MOST_REPORTS:
        raise Conflict(_("You have reported many reviews today. Write to support about the rest."), code="too_many_reports")
    report = ReviewReport.objects.create(review=review, reporter=actor, reason=reason, text=text, created_at=moment)
    record(Event.REVIEW_REPORTED, actor=actor, target=review, reason=reason, report=report.pk)
    words = list(review.reports.order_by("-pk")[:20])
    with translation.override("en"):
        said = f"A review by {review.author.name} was reported: {reason.label}"
    case = case_of(words, f"review:{review.pk}", review.author_id, said, "reported review", review=str(review.pk), order=str(review.order_id))
    open_incident(case, actor=actor, method=DetectionMethod.USER_REPORT)
    return report


def _open(order_id: UUID, actor: Any) -> tuple[Order, list[Review], datetime]:
    """The order, locked, and what was written about it, while reviews of it can still be written."""
    order, moment = lock_with_builder(order_id), now()
    if not order.is_builder(actor):
        order.require_client(actor)
    if order.status != S.COMPLETED or order.completed_at is None:
        raise WrongState(_("A review is written when the order is complete."))
    written = list(Review.objects.filter(order=order).select_related("author"))
    if any(review.is_shown(moment) for review in written):
        raise WrongState(_("The reviews of this order are shown and stand as they are."), code="reviews_shown")
    if moment >= order.completed_at + BLIND:
        raise WrongState(
            _("Reviews are written within %(days)s days after the end of an order.") % {"days": settings.REVIEWS_BLIND_DAYS},
            code="reviews_closed",
        )
    return order, written, moment


def _own(written: Sequence[Review], actor: Any) -> Review | None:
    return next((review for review in written if review.author_id == actor.pk), None)


def _checked(order: Order, actor: Any, said: Opinion) -> dict[str, Any]:
    questions = {"as_described": said.get("as_described"), "communication": said.get("communication")}
    if any(given is not None and given not in range(1, 6) for given in (said["stars"], *questions.values())):
        raise Invalid(_("Give one to five stars."), code="stars")
    if actor.pk != order.client_id and any(given is not None for given in questions.values()):
        raise Invalid(_("The two questions are for clients."), code="questions")
    text, private_note = said.get("text", "").strip(), said.get("private_note", "").strip()
    if len(text) > 2000 or len(private_note) > 1000:
        raise Invalid(_("A review has at most 2000 characters, a private note 1000."), code="review_long")
    return {"stars": said["stars"], **questions, "text": text, "private_note": private_note}


def _show(order: Order, reviews: Sequence[Review], moment: datetime, actor: Any | None) -> None:
    """Count what is shown from now on, once, and tell both."""
    for review in reviews:
        review.counted_at = moment
        review.save(update_fields=["shown_at", "counted_at"])
        if review.by_client:
            builders.count_review(review.builder_id, review.stars)
            catalog.count_review(review.service_id, review.stars)
    record(Event.REVIEWS_SHOWN, actor=actor, target=order, reviews=len(reviews), **sides(order))
    post(order, notices.reviews_shown(order, reviews), notices.REVIEWED)
    for person in (order.client, order.builder.user):
        tell(order, person, "order.reviews_shown", emails.reviews_shown(order, person, reviews), "reviews_shown")
