"""Reminders of an order that waits for its client: planned when it begins to wait, sent once, or settled unsent with the reason.

The sweep takes them in batches. One transaction claims, reads, decides and tells, in as many queries for two hundred reminders as
for one; an order that somebody is acting on at that moment is passed over until a minute later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from auditlog.actions import record
from auditlog.events import Event
from port444.kit.clock import now
from port444.kit.errors import Invalid, NotAllowed, WrongState
from port444.kit.language import speaking_to
from port444.messaging.models import Message, ReadMarker
from port444.notifications.actions import Notice, notify_many
from port444.notifications.models import QuietHours
from port444.notifications.queries import quiet_hours_of
from port444.notifications.quiet import release_at
from port444.orders import emails
from port444.orders.models import AFTER, ANSWERS, DIGEST, Nudge, NudgeKind, NudgeStatus, Order, OrderStatus, Requirement, Why

from .telling import url

N = NudgeStatus
KINDS = {NudgeKind.ANSWERS_24H: "order.nudge_answers", NudgeKind.ANSWERS_72H: "order.nudge_last", NudgeKind.REVIEW_48H: "order.nudge_review"}
A_DAY, AN_HOUR, A_MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
JUST_HERE = timedelta(hours=2)
CHANGED = ["status", "why", "due_at", "settled_at", "notification"]


def plan_nudges(order: Order, entered_at: datetime) -> None:
    """Write the reminders of the state that `order` has just come into; again changes nothing. In the caller's transaction."""
    kinds = {OrderStatus.PENDING_REQUIREMENTS: ANSWERS, OrderStatus.DELIVERED: [NudgeKind.REVIEW_48H]}.get(OrderStatus(order.status), [])
    state: dict[str, Any] = {}
    if order.nudges_stopped_at is not None:
        state = {"status": N.SKIPPED, "settled_at": entered_at, "why": Why.STOPPED}
    rows = [
        Nudge(order=order, recipient=order.client, kind=kind, entered_at=entered_at, due_at=entered_at + AFTER[kind], created_at=entered_at, **state)
        for kind in kinds
    ]
    Nudge.objects.bulk_create(rows, ignore_conflicts=True)


def note_opened(order_id: UUID, *, actor: Any) -> None:
    """`actor` looks at the order: who was just here is not reminded for a while. One statement, which each look at the page costs."""
    Nudge.objects.planned().filter(order=order_id, recipient=actor).update(seen_at=now())


@transaction.atomic
def send_nudges_batch(moment: datetime, limit: int) -> int:
    """Settle up to `limit` reminders that are due: send, move on or drop each; how many were taken."""
    due = Nudge.objects.due(moment).order_by("due_at", "pk")
    nudges = list(due.select_for_update(of=("self",), no_key=True, skip_locked=True)[:limit])
    if not nudges:
        return 0
    # The client is locked as well: two workers that remind one person at once would both count from the same number.
    rows = Order.objects.with_people().select_for_update(of=("self", "client"), no_key=True, skip_locked=True)
    orders = {order.pk: order for order in rows.filter(pk__in={nudge.order_id for nudge in nudges}).order_by("pk")}
    facts = _facts(nudges, orders, moment)
    ready = []
    for nudge in nudges:
        order = orders.get(nudge.order_id)
        if order is None:
            _wait(nudge, moment + A_MINUTE, Why.IN_USE)
        elif _may_go(nudge, order, facts):
            ready.append(nudge)
    _send(_grouped(ready, orders, facts), orders, moment)
    Nudge.objects.bulk_update(nudges, CHANGED)
    return len(nudges)


@transaction.atomic
def put_off_nudge(moment: datetime) -> None:
    """Move the first of those that are due an hour on: with it the sweep failed, and the others shall not wait for it."""
    due = Nudge.objects.due(moment).order_by("due_at", "pk").select_for_update(of=("self",), no_key=True, skip_locked=True)
    nudge = due.first()
    if nudge is not None:
        _wait(nudge, moment + AN_HOUR, Why.FAILED)
        nudge.save(update_fields=["due_at", "why"])


@dataclass(slots=True)
class Facts:
    """What is known about a batch: all that the decisions need, read in a fixed number of queries."""

    moment: datetime
    quiet: Mapping[UUID, QuietHours]
    here: dict[tuple[UUID, UUID], datetime] = field(default_factory=dict)  # person and conversation: when they last read or wrote there
    overtaken: set[tuple[UUID, datetime]] = field(default_factory=set)  # order and state whose last reminder is due, or was sent
    last_sent: dict[UUID, datetime] = field(default_factory=dict)  # order: when one of its reminders was last sent
    sent_today: dict[UUID, int] = field(default_factory=lambda: defaultdict(int))
    digest_at: dict[UUID, datetime] = field(default_factory=dict)  # person: when they last had one for many orders


def _facts(nudges: Sequence[Nudge], orders: Mapping[UUID, Order], moment: datetime) -> Facts:
    people = {nudge.recipient_id for nudge in nudges}
    talks = {order.conversation_id for order in orders.values()}
    facts = Facts(moment, quiet_hours_of(people))
    read = ReadMarker.objects.filter(conversation__in=talks, user__in=people, read_at__gt=moment - JUST_HERE)
    wrote = Message.objects.filter(conversation__in=talks, author__in=people, created_at__gt=moment - JUST_HERE)
    for person, talk, at in [
        *read.values_list("user_id", "conversation_id", "read_at"),
        *wrote.values_list("author_id", "conversation_id").annotate(at=Max("created_at")),
    ]:
        facts.here[person, talk] = max(at, facts.here.get((person, talk), at))
    last = Nudge.objects.filter(order__in=orders, kind=NudgeKind.ANSWERS_72H).filter(Q(status=N.SENT) | Q(status=N.PLANNED, due_at__lte=moment))
    facts.overtaken = set(last.values_list("order_id", "entered_at"))
    recent = Nudge.objects.filter(recipient__in=people, status=N.SENT, settled_at__gt=moment - A_DAY)
    for person, order_id, kind, sent_at in recent.values_list("recipient_id", "order_id", "notification__kind", "settled_at"):
        assert sent_at is not None  # by constraint
        facts.last_sent[order_id] = max(sent_at, facts.last_sent.get(order_id, sent_at))
        if kind == DIGEST:
            facts.digest_at[person] = max(sent_at, facts.digest_at.get(person, sent_at))
        else:
            facts.sent_today[person] += 1
    return facts


def _may_go(nudge: Nudge, order: Order, facts: Facts) -> bool:
    """Whether `nudge` is to be sent now, as far as its own order is concerned; if not, it is dropped or moved on here."""
    moment = facts.moment
    ends_at = nudge.ends_at(order)
    if not nudge.stands(order):
        _drop(nudge, moment, Why.MOVED_ON)
    elif ends_at is None or (ends_at <= moment and order.clock_stopped_at is None):
        _drop(nudge, moment, Why.OVER)
    elif nudge.kind == NudgeKind.ANSWERS_24H and (order.pk, nudge.entered_at) in facts.overtaken:
        _drop(nudge, moment, Why.NEWER)
    elif (until := _held(nudge, order, facts)) is not None:
        _wait(nudge, *until)
    else:
        return True
    return False


def _held(nudge: Nudge, order: Order, facts: Facts) -> tuple[datetime, Why] | None:
    """Until when and why `nudge` waits, the strongest reason first. The last one does not wait beyond the end that it speaks of."""
    moment, client = facts.moment, order.client
    if any(person.is_suspended or not person.is_active for person in (client, order.builder.user)):
        return moment + A_DAY, Why.CLOSED
    reasons: list[tuple[datetime, Why]] = []
    if order.clock_stopped_at is not None and not nudge.is_last:  # the days to answer do not stand, so the last one does not either
        reasons.append((moment + AN_HOUR, Why.CLOCK_STANDS))
    if nudge.kind == NudgeKind.REVIEW_48H and order.auto_accept_at is not None:
        reasons.append((order.auto_accept_at - _left_at(nudge), Why.CLOCK_STOOD))
    here = max((at for at in (nudge.seen_at, facts.here.get((client.pk, order.conversation_id))) if at is not None), default=None)
    if here is not None:
        reasons.append((here + JUST_HERE, Why.JUST_HERE))
    if order.pk in facts.last_sent:
        reasons.append((facts.last_sent[order.pk] + A_DAY, Why.ONE_A_DAY))
    reasons.append((release_at(moment, facts.quiet[client.pk], ZoneInfo(client.time_zone)), Why.QUIET))
    until, why = next(((at, why) for at, why in reasons if at > moment), (moment, Why.QUIET))
    return None if until <= moment or _too_late(nudge, order, until) else (until, why)


def _left_at(nudge: Nudge) -> timedelta:
    """How much of the time to review is left when the reminder is due."""
    return timedelta(days=settings.REVIEW_DAYS) - AFTER[NudgeKind(nudge.kind)]


def _too_late(nudge: Nudge, order: Order, until: datetime) -> bool:
    """The last reminder names the end of the order: nothing holds it back beyond that."""
    ends_at = nudge.ends_at(order)
    return nudge.is_last and ends_at is not None and until >= ends_at - AN_HOUR


def _grouped(ready: Iterable[Nudge], orders: Mapping[UUID, Order], facts: Facts) -> list[tuple[str, list[Nudge]]]:
    """A kind and a list for each message. Who has had as many as a day may bring gets the rest in one, once a day. The last ones come first."""
    alone: list[tuple[str, list[Nudge]]] = []
    rest: dict[UUID, list[Nudge]] = defaultdict(list)
    for nudge in sorted(ready, key=lambda nudge: (not nudge.is_last, nudge.due_at, nudge.pk)):
        person, digest_at = nudge.recipient_id, facts.digest_at.get(nudge.recipient_id)
        if facts.sent_today[person] < settings.NUDGES_A_DAY:
            facts.sent_today[person] += 1
            alone.append(_alone(nudge))
        elif digest_at is None:
            rest[person].append(nudge)
        elif _too_late(nudge, orders[nudge.order_id], digest_at + A_DAY):
            alone.append(_alone(nudge))
        else:
            _wait(nudge, digest_at + A_DAY, Why.ENOUGH)
    return [*alone, *((DIGEST, group) for group in rest.values())]


def _alone(nudge: Nudge) -> tuple[str, list[Nudge]]:
    return KINDS[NudgeKind(nudge.kind)], [nudge]


def _send(groups: Sequence[tuple[str, list[Nudge]]], orders: Mapping[UUID, Order], moment: datetime) -> None:
    """One message for each group. The rows are written by the caller."""
    if not groups:
        return
    asked = {nudge.order_id for _, group in groups for nudge in group if nudge.kind in ANSWERS}
    questions: dict[UUID, list[Requirement]] = defaultdict(list)
    if asked:
        files = Requirement.files.through.objects.filter(requirement=OuterRef("pk"))
        for row in Requirement.objects.filter(order__in=asked).annotate(has_files=Exists(files)).order_by("order_id", "position"):
            questions[row.order_id].append(row)
    notices = [_notice(kind, group, orders, questions, moment) for kind, group in groups]
    for (__, group), notification in zip(groups, notify_many(notices, moment=moment), strict=True):
        for nudge in group:
            nudge.notification = notification
            nudge.turn_to(N.SENT, settled_at=moment, why="")


def _notice(kind: str, group: Sequence[Nudge], orders: Mapping[UUID, Order], questions: Mapping[UUID, list[Requirement]], moment: datetime) -> Notice:
    first = group[0]
    order, client = orders[first.order_id], orders[first.order_id].client
    lines = [emails.Reminded(NudgeKind(nudge.kind), orders[nudge.order_id], questions.get(nudge.order_id, [])) for nudge in group]
    if len(group) == 1:
        words = emails.reminder(lines[0], moment)
        label = gettext_lazy("Review the delivery") if first.kind == NudgeKind.REVIEW_48H else gettext_lazy("Answer the questions")
        context: dict[str, Any] = {"label": label, "facts": emails.facts_for(order, client)}
        return Notice(client, kind, words.title, words.body, url(order), f"nudge:{first.pk}", context)
    words = emails.reminders(lines, moment)
    with speaking_to(client):
        links = [(_("Order %(number)s") % {"number": line.order.number}, url(line.order)) for line in lines[: emails.MOST_LISTED]]
    context = {
        "label": gettext_lazy("Open your orders"),
        "links": links,
    }
    return Notice(client, kind, words.title, words.body, f"{reverse('orders:list')}?as=client", f"nudges:{first.pk}", context)


def _drop(nudge: Nudge, moment: datetime, why: Why) -> None:
    nudge.turn_to(N.SKIPPED, settled_at=moment, why=why)


def _wait(nudge: Nudge, until: datetime, why: Why) -> None:
    nudge.due_at, nudge.why = until, why


@transaction.atomic
def send_nudge_now(nudge_id: UUID, *, actor: Any, reason: str) -> Nudge:
    """Staff send one reminder before its time. E-mail and SMS still keep to the quiet hours of who gets it."""
    order = Order.objects.lock(Nudge.objects.values_list("order_id", flat=True).get(pk=nudge_id))
    nudge = Nudge.objects.select_for_update(of=("self",), no_key=True).get(pk=nudge_id)
    reason = _checked(actor, reason)
    if nudge.status != N.PLANNED:
        raise WrongState(_("This reminder is %(status)s already.") % {"status": nudge.status_words()})
    if not nudge.stands(order):
        raise WrongState(
            _("Order %(number)s is %(status)s; there is nothing to be reminded of.") % {"number": order.number, "status": order.status_words()}
        )
    moment = now()
    _send([_alone(nudge)], {order.pk: order}, moment)
    nudge.save(update_fields=CHANGED)
    record(Event.NUDGE_SENT_BY_HAND, actor=actor, target=order, description=reason, number=order.number, nudge=nudge.pk, kind=nudge.kind)
    return nudge


@transaction.atomic
def stop_nudges(order_id: UUID, *, actor: Any, reason: str) -> Order:
    """Staff stop the reminders of one order, those to come as well; what is planned stays in the log with the reason."""
    order = Order.objects.lock(order_id)
    reason = _checked(actor, reason)
    if order.nudges_stopped_at is not None:
        raise WrongState(_("The reminders of this order are stopped already."))
    moment = now()
    planned = list(Nudge.objects.planned().filter(order=order).select_for_update(of=("self",), no_key=True).order_by("pk"))
    for nudge in planned:
        _drop(nudge, moment, Why.STOPPED)
    Nudge.objects.bulk_update(planned, CHANGED)
    order.nudges_stopped_at = moment
    order.save(update_fields=["nudges_stopped_at"])
    before, after = {"stopped_at": None, "planned": len(planned)}, {"stopped_at": moment, "planned": 0}
    record(Event.NUDGES_STOPPED, actor=actor, target=order, description=reason, before=before, after=after, number=order.number)
    return order


def _checked(actor: Any, reason: str) -> str:
    if not actor.is_staff:
        raise NotAllowed(_("Only support can do that."))
    reason = reason.strip()
    if not reason:
        raise Invalid(_("Say why."), code="reason_missing")
    return reason
