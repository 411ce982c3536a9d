"""Page-shaped reads: the feed of an order, the lists of orders, a builder's day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Case, Count, DateTimeField, F, IntegerField, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from port444.catalog.models import ServiceStatus
from port444.kit.clock import now
from port444.kit.language import dated
from port444.kit.money import ZERO
from port444.messaging.handlers import Chip, Fact
from port444.messaging.models import Attachment, Conversation, Message, MessageKind
from port444.messaging.queries import feed_messages
from port444.orders import handlers, helm
from port444.orders.models import RUNNING, WORKING, CancelCause, Delivery, Evidence, Order, OrderStatus, Requirement, Revision, family
from port444.orders.notices import TOLD_IN_FULL
from port444.payments import escrow
from port444.payments.models import EscrowOperation, PayoutAddress

from .reviews import Exchange

S = OrderStatus
FEED = 60
PAGE = 20
QUEUE = 30
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BESIDE = 5


@dataclass(frozen=True, slots=True)
class File:
    """A file as the page links to it; without a `page` it is only handed out."""

    name: str
    size: int
    href: str
    page: str = ""
    kind: str = ""
    small: str = ""
    small_size: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing of the feed; `kind` is day, earlier, note, msg, answers, delivery or revision."""

    kind: str
    at: datetime
    person: Any = None
    mine: bool = False
    text: str = ""
    icon_name: str = ""
    number: int = 0
    files: list[File] = field(default_factory=list)
    answers: list[tuple[Requirement, list[File]]] = field(default_factory=list)
    id: str = ""


def files_of(attachments: Iterable[Attachment]) -> list[File]:
    return [File(row.name, row.size, row.href, row.page, row.kind, row.small, row.small_size) for row in attachments]


def companions(attachment: Attachment) -> list[UUID] | None:
    """The files of the delivery, the answers or the evidence that a file belongs to. Answers that are not sent yet have none."""
    if attachment.message_id is not None:
        return None
    beside = Attachment.objects.order_by("id").values_list("pk", flat=True)
    groups: tuple[QuerySet[Any], ...] = (
        Delivery.files.through.objects.filter(delivery__files=attachment),
        Requirement.files.through.objects.filter(requirement__order__requirements__files=attachment, requirement__order__started_at__isnull=False),
        Evidence.files.through.objects.filter(evidence__files=attachment),
    )
    for group in groups:
        if found := list(beside.filter(pk__in=group.values("attachment"))):
            return found
    return [attachment.pk]


def feed(order: Order, viewer: Any, requirements: list[Requirement], *, show: str = "") -> list[Item]:
    """Everything so far, oldest first, with day marks in the viewer's zone; `show` narrows it to messages or files."""
    items = [*_messages(order, viewer), *_answers(order, viewer, requirements), *_deliveries(order, viewer), *_revisions(order, viewer)]
    if show == "messages":
        items = [item for item in items if item.kind == "msg"]
    elif show == "files":
        items = [item for item in items if item.files or any(files for _, files in item.answers)]
    items.sort(key=lambda item: item.at)
    return _with_days(items, viewer)


def _messages(order: Order, viewer: Any) -> list[Item]:
    rows = feed_messages(order.conversation, subjects=[("order", one) for one in family(order)], limit=FEED)
    earlier = [Item("earlier", rows[0].created_at, id="earlier")] if len(rows) == FEED else []
    return earlier + [
        Item("note", row.created_at, text=row.words, icon_name=row.icon, id=f"m-{row.pk}")
        if row.kind == MessageKind.NOTICE
        else Item("msg", row.created_at, row.author, row.author_id == viewer.pk, row.body, files=files_of(row.attachments.all()), id=f"m-{row.pk}")
        for row in rows
        if row.kind != MessageKind.NOTICE or row.icon not in TOLD_IN_FULL
    ]


def _answers(order: Order, viewer: Any, requirements: list[Requirement]) -> list[Item]:
    if not requirements or order.started_at is None:
        return []
    found = []
    for more, sent_at in ((False, order.started_at), (True, order.more_closed_at)):
        rows = [row for row in requirements if row.is_more == more]
        if rows and sent_at is not None:
            answers = [(row, files_of(row.files.all())) for row in rows]
            key = "answers-more" if more else "answers"
            found.append(Item("answers", sent_at, order.client, order.client_id == viewer.pk, answers=answers, id=key))
    return found


def _deliveries(order: Order, viewer: Any) -> list[Item]:
    builder = order.builder.user
    return [
        Item(
            "delivery",
            row.delivered_at,
            builder,
            builder.pk == viewer.pk,
            row.note,
            number=row.number,
            files=files_of(row.files.all()),
            id=f"d-{row.pk}",
        )
        for row in Delivery.objects.filter(order__in=family(order)).order_by("delivered_at").prefetch_related("files")
    ]


def _revisions(order: Order, viewer: Any) -> list[Item]:
    rows = Revision.objects.filter(order__in=family(order)).select_related("delivery")
    return [
        Item("revision", row.requested_at, order.client, order.client_id == viewer.pk, row.note, number=row.delivery.number, id=f"r-{row.pk}")
        for row in rows
    ]


def _with_days(items: list[Item], viewer: Any) -> list[Item]:
    zone = ZoneInfo(viewer.time_zone)
    result: list[Item] = []
    day = None
    for item in items:
        if (on := item.at.astimezone(zone).date()) != day:
            day = on
            result.append(Item("day", item.at, text=dated(on, "D j M"), id=f"day-{on:%Y%m%d}"))
        result.append(item)
    return result


def requirements_of(order: Order) -> list[Requirement]:
    return list(order.requirements.prefetch_related("files"))


def receipts_of(order: Order) -> list[UUID]:
    """The invoices with which it was paid: its own, or those of the orders that it was made of."""
    if order.invoice_id is not None:
        return [order.invoice_id]
    made_of = [*family(order), order.split_from_id]
    while made_of[-1] is not None:
        made_of.append(Order.objects.filter(pk=made_of[-1]).values_list("split_from", flat=True).first())
    rows = Order.objects.filter(pk__in=[pk for pk in made_of if pk], invoice__isnull=False).order_by("number")
    return [pk for pk in rows.values_list("invoice", flat=True) if pk]


def state_of(order: Order, moment: datetime, reviews: Exchange | None) -> str:
    """Names what may be done with the order now; while it is the same, forms that are being filled in stay as they are."""
    return f"{order.status}.{order.revisions_used}.{int(order.is_late(moment))}.{reviews.mark if reviews else 0}.{int(order.asks_more)}"


def version_of(order: Order, viewer: Any, moment: datetime, reviews: Exchange | None, *, show: str = "") -> tuple[str, str]:
    """The state, and a mark that changes with anything that the page shows; a few small queries."""
    state = f"{state_of(order, moment, reviews)}.{handlers.marks(order)}"
    if order.is_builder(viewer) and order.is_free(moment):
        state += ".free"
    last = Message.objects.filter(subject_type="order", subject_id__in=family(order)).order_by("-created_at").values_list("pk", flat=True).first()
    today = moment.astimezone(ZoneInfo(viewer.time_zone)).date()
    facts = (state, last, today, viewer.pk, viewer.time_zone, get_language(), order.due_at, show, _on_the_way(order))
    return state, sha256("|".join(map(str, facts)).encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class Purse:
    """Where the money of an order is; `meter` are the lengths of the bar's parts out of 292."""

    locked: Decimal
    released: Decimal
    refunded: Decimal
    paid: Decimal
    meter: tuple[int, int]
    settled: bool = True  # nothing of it is on its way


def purse(order: Order) -> Purse:
    if order.paid_at is None:
        return Purse(ZERO, ZERO, ZERO, ZERO, (0, 0))
    place = escrow.current().position(escrow.Deal("order", order.pk, order.client_id, order.builder.user_id))
    whole = max(order.price, place.funded)
    lengths = (int(292 * place.locked / whole), int(292 * place.released / whole))
    return Purse(place.locked, place.released, place.refunded, order.total, lengths, place.settled)


def _on_the_way(order: Order) -> int:
    """How much escrow has still to confirm; nobody waits for that in the ledger."""
    if settings.ESCROW_BACKEND == "ledger":
        return 0
    return EscrowOperation.objects.open().filter(subject_id=order.pk).count()


# Lists

NEEDS_CLIENT = [S.PENDING_PAYMENT, S.PENDING_REQUIREMENTS, S.DELIVERED]
NEEDS_YOU = _("Needs you")
GROUPS = (NEEDS_YOU, _("Waits for others"), _("Done"))


def orders_of(user: Any, *, as_builder: bool) -> QuerySet[Order]:
    """The orders of one side: what needs the person, the nearest date first; then what runs and what is over, newest first."""
    mine = (
        Order.objects.filter(builder__user=user).exclude(status__in=[S.PENDING_PAYMENT, S.EXPIRED])
        if as_builder
        else Order.objects.filter(client=user)
    )
    owed = Q(status__in=WORKING, asked_more_at__isnull=False, more_closed_at__isnull=True)
    needs = Q(status__in=WORKING) & ~owed if as_builder else Q(status__in=NEEDS_CLIENT) | owed
    waits = [When(pk__in=ids, then=Value(0)) for ids in handlers.waiting(user)]
    group = Case(
        When(needs, disputed_at__isnull=True, then=Value(0)),
        *waits,
        When(status__in=RUNNING, then=Value(1)),
        default=Value(2),
        output_field=IntegerField(),
    )
    dates = {S.PENDING_PAYMENT: "pay_until", S.PENDING_REQUIREMENTS: "requirements_until", S.DELIVERED: "auto_accept_at"}
    own = Case(*(When(status=status, then=F(name)) for status, name in dates.items()), default=F("due_at"))
    rows = mine.annotate(group=group, turn=Case(When(group=0, then=Coalesce(own, F("placed_at"))), output_field=DateTimeField()))
    return rows.select_related("client", "builder__user", "merged_into", "split_from").order_by("group", "turn", "-number")


@dataclass(frozen=True, slots=True)
class OrderPage:
    groups: list[tuple[str, list[Order]]]
    after: str


def order_page(user: Any, *, as_builder: bool, after: str = "") -> OrderPage:
    """One page of the list, continued behind `after`."""
    rows = orders_of(user, as_builder=as_builder)
    if (cursor := _cursor(after)) is not None:
        group, number, turn = cursor
        behind = Q(group=group, number__lt=number)
        if turn is not None:
            behind = Q(group=group) & (Q(turn__gt=turn) | Q(turn=turn, number__lt=number))
        rows = rows.filter(Q(group__gt=group) | behind)
    found = list(rows[: PAGE + 1])
    shown = found[:PAGE]
    groups: list[tuple[str, list[Order]]] = []
    for row in shown:
        name = str(GROUPS[getattr(row, "group", 2)])
        if not groups or groups[-1][0] != name:
            groups.append((name, []))
        groups[-1][1].append(row)
    last: Any = shown[-1] if len(found) > PAGE else None
    if last is None:
        return OrderPage(groups, "")
    dated = f"-{(last.turn - EPOCH) // timedelta(microseconds=1)}" if last.turn is not None else ""
    return OrderPage(groups, f"{last.group}-{last.number}{dated}")


def _cursor(after: str) -> tuple[int, int, datetime | None] | None:
    """Behind which order a page goes on: its group, number and, where that orders them, its date. None for anything else."""
    parts = after.split("-")
    if not 2 <= len(parts) <= 3 or not all(part.isascii() and part.isdigit() and len(part) <= 17 for part in parts) or len(parts[1]) > 9:
        return None
    turn = EPOCH + timedelta(microseconds=int(parts[2])) if len(parts) == 3 else None
    return int(parts[0]), int(parts[1]), turn


# Beside a conversation


def _shown(user: Any) -> QuerySet[Order]:
    """What both sides may speak of: a builder does not see an order before it is paid."""
    return Order.objects.filter(Q(client=user) | (Q(builder__user=user) & ~Q(status__in=[S.PENDING_PAYMENT, S.EXPIRED])))


def _over() -> Case:
    return Case(When(status__in=[S.PENDING_PAYMENT, *RUNNING], then=Value(0)), default=Value(1), output_field=IntegerField())


def chips(conversation_ids: Sequence[UUID], user: Any) -> Mapping[UUID, Chip]:
    """For each conversation the newest order that runs, else the newest that was completed or cancelled."""
    moment = now()
    rows = _shown(user).filter(conversation__in=conversation_ids).exclude(status=S.EXPIRED).annotate(over=_over())
    newest = rows.order_by("conversation_id", "over", "-number").distinct("conversation_id")
    return {order.conversation_id: _chip(order, user, moment) for order in newest}


def _chip(order: Order, user: Any, moment: datetime) -> Chip:
    if order.status == S.COMPLETED:
        return Chip(gettext("Order %(number)s done") % {"number": order.number}, "ok", "check", past=True)
    if order.status == S.CANCELLED:
        return Chip(gettext("Order %(number)s cancelled") % {"number": order.number}, "quiet", past=True)
    late = order.is_late(moment)
    words = gettext("Order %(number)s, %(state)s") % {"number": order.number, "state": helm.brief(order, user, moment)}
    return Chip(words, "bad" if late else "tint", "alarm-clock" if late else "")


def facts(conversation: Conversation, user: Any) -> list[Fact]:
    """The orders that run between the two, and how many there were."""
    moment = now()
    rows = _shown(user).filter(conversation=conversation)
    own = rows.exclude(cancel_cause__in=[CancelCause.MERGED, CancelCause.UNDONE])
    counts = own.aggregate(all=Count("pk"), done=Count("pk", filter=Q(status=S.COMPLETED)))
    if not counts["all"]:
        return [Fact(gettext("Orders together"), gettext("none yet"))]
    running = rows.filter(status__in=[S.PENDING_PAYMENT, *RUNNING]).order_by("-number")[:BESIDE]
    found = [
        Fact(gettext("Order %(number)s") % {"number": order.number}, helm.brief(order, user, moment), reverse("orders:detail", args=[order.number]))
        for order in running
    ]
    return [
        *found,
        Fact(gettext("Orders together"), gettext("%(all)s, %(done)s completed") % counts),
    ]


# A builder's day


@dataclass(frozen=True, slots=True)
class FirstSteps:
    profile: bool
    service: bool
    hours: bool
    wallet: bool

    @property
    def all_done(self) -> bool:
        return self.profile and self.service and self.wallet


def queue(builder: Any) -> list[Order]:
    """The running orders of a builder, the nearest due first; what waits for the client comes after."""
    rows = Order.objects.filter(builder=builder).running().select_related("client", "builder__user")
    owed = Q(asked_more_at__isnull=False, more_closed_at__isnull=True)
    waits = Case(When(~owed, status__in=WORKING, disputed_at__isnull=True, then=Value(0)), default=Value(1), output_field=IntegerField())
    return list(rows.annotate(waits=waits).order_by("waits", "due_at", "number")[:QUEUE])


def first_steps(user: Any, builder: Any | None) -> FirstSteps:
    """What a new builder has done of what it takes to be found, ordered and paid."""
    if builder is None:
        return FirstSteps(profile=False, service=False, hours=False, wallet=False)
    return FirstSteps(
        profile=bool(builder.about and builder.skills),
        service=builder.services.filter(status=ServiceStatus.PUBLISHED).exists(),
        hours=builder.availability.exists(),
        wallet=PayoutAddress.objects.filter(user=user).exists(),
    )


def next_calls(builder: Any, moment: datetime) -> list[Any]:
    """The next three calls. Calls live above orders, so they are reached through the builder."""
    return list(builder.consultations.filter(status="scheduled", ends_at__gt=moment).select_related("client").order_by("scheduled_at")[:3])
