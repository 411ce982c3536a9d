"""What waits for staff: the queues of the first page, the numbers beside the tabs, and what each of their lists shows.

A part of the console adds its queue by a line in QUEUES. A queue has one or more sources, each a table in which something waits; what they
have in common is since when it waits, until when it should be seen to, and how much money waits with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.admin.utils import quote
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import BadRequest, ValidationError
from django.db import models
from django.db.models import Count, ExpressionWrapper, F, Min, Q, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Cast, Coalesce
from django.urls import NoReverseMatch, reverse

from auditlog.models import IncidentLog, IncidentSeverity, IncidentStatus
from consultations.models import Absence, AbsenceStatus, Party
from port444.accounts.models import User
from port444.kit.money import ZERO
from port444.orders.models import WORKING, Dispute, DisputeStatus, Order, OrderStatus
from port444.payments.models import ChainDifference, EscrowOperation, EscrowStatus, Payment, Refund, RefundStatus

from .models import Plan

MOST = 1000  # up to which a queue is counted
MOST_BESIDE_TAB = 100
SHOWN = 50
START = datetime.fromtimestamp(0, UTC)
MICROSECOND = timedelta(microseconds=1)
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that waits, as its list shows it."""

    pk: Any
    label: str
    url: str
    about: str
    state: str
    since: datetime
    due: datetime
    amount: Decimal | None
    tone: str = ""  # of the state: "", go, wait, bad
    place: str = ""  # where a list goes on after it
    how: str = ""  # late, soon or good


@dataclass(frozen=True, slots=True)
class Source:
    """A table in which something waits. `waiting` gives the rows as they are at a moment, to somebody who looks; `since`, `due` and `amount`
    are expressions on them; `cases` words some rows (which have `since`, `due` and `amount` as attributes) with a fixed number of
    queries."""

    waiting: Callable[[datetime, Any], QuerySet[Any]]
    since: Any
    due: Any
    amount: Any
    cases: Callable[[Sequence[Any]], list[Case]]

    def rows(self, moment: datetime, reader: Any) -> QuerySet[Any]:
        money = ExpressionWrapper(self.amount, models.DecimalField(max_digits=14, decimal_places=2, null=True))
        found = self.waiting(moment, reader).annotate(waits_since=_moment(self.since), waits_until=_moment(self.due), waits_with=money)
        ordered: QuerySet[Any] = found.order_by("waits_until", "pk")
        return ordered


@dataclass(frozen=True, slots=True)
class Queue:
    """`soon` is how long before its end something counts as due soon. `url` names another page that lists it, `over` one that lists what
    waits no more."""

    key: str
    name: str
    icon: str
    permission: str
    sources: tuple[Source, ...]
    note: str
    soon: timedelta = 4 * HOUR
    url: str = ""
    over: str = ""

    def address(self) -> str:
        return reverse(self.url) if self.url else reverse("support:queue", args=[self.key])


@dataclass(frozen=True, slots=True)
class Heap:
    """How much waits in a queue."""

    queue: Queue
    moment: datetime
    count: int
    overdue: int
    soon: int
    oldest: datetime | None
    next_due: datetime | None
    amount: Decimal

    @property
    def number(self) -> str:
        return f"{MOST}+" if self.count >= MOST else str(self.count)

    @property
    def oldest_words(self) -> str:
        return long(self.moment - self.oldest) if self.oldest else ""

    @property
    def tone(self) -> str:
        return "bad" if self.overdue else "wait" if self.soon else ""

    @property
    def pill(self) -> str:
        if self.overdue:
            return f"{self.overdue} overdue"
        return f"Due in {long(self.next_due - self.moment)}" if self.soon and self.next_due else ""

    @property
    def note(self) -> str:
        if not self.count:
            return self.queue.note
        words = [f"{self.amount:,.2f} USDC waits with it"] if self.amount else []
        if self.next_due and not self.overdue:
            words.append(f"next due in {long(self.next_due - self.moment)}")
        said = ", ".join(words)
        return said[:1].upper() + said[1:] or self.queue.note

    @property
    def bar(self) -> tuple[int, int, int]:
        """In time, due soon and overdue, of 100."""
        if not self.count:
            return 0, 0, 0
        late, soon = round(100 * self.overdue / self.count), round(100 * self.soon / self.count)
        return max(0, 100 - late - soon), soon, late

    @property
    def bar_late_from(self) -> int:
        return 100 - self.bar[2]


def _moment(expression: Any) -> Any:
    return ExpressionWrapper(expression, models.DateTimeField())


def _after(field: Any, hours: int) -> Any:
    return _moment((F(field) if isinstance(field, str) else field) + Value(hours * HOUR, models.DurationField()))


def long(age: timedelta) -> str:
    """A length of time in the two units that matter."""
    minutes = max(0, int(age.total_seconds()) // 60)
    days, hours = divmod(minutes // 60, 24)
    if days:
        return f"{days} d {hours} h" if hours and days < 10 else f"{days} d"
    return f"{hours} h" if hours else f"{minutes} min"


def address_of(name: str, key: Any, record: str, pk: Any) -> str:
    """The console's own page of something, or where it has none, its record."""
    try:
        return reverse(name, args=[key])
    except NoReverseMatch:
        return reverse(f"admin:{record}_change", args=[pk])


# What waits ------------------------------------------------------------------------------------------------------------------------


def _case(row: Any, label: str, url: str, about: str, state: str, tone: str = "") -> Case:
    return Case(row.pk, label, url, about, state, row.waits_since, row.waits_until, row.waits_with, tone)


def order_address(order: Order) -> str:
    return address_of("support:order", order.number, "orders_order", order.pk)


# The words of these choices are the client's.
OF_STAFF = {OrderStatus.PENDING_REQUIREMENTS: "Waits for the client's answers", OrderStatus.PENDING_PAYMENT: "Waits for payment"}


def order_words(order: Order) -> str:
    """The state of an order as staff read it."""
    if order.disputed_at is not None:
        return "Disputed"
    return OF_STAFF.get(OrderStatus(order.status), order.get_status_display())


def _late_orders(rows: Sequence[Order]) -> list[Case]:
    return [
        _case(row, f"P4-{row.number}", order_address(row), f"{row.title}, {row.client.name} and {row.builder.user.name}", row.get_status_display())
        for row in rows
    ]


def _disputes(rows: Sequence[Dispute]) -> list[Case]:
    found = []
    for row in rows:
        about = f"P4-{row.order.number} {row.order.title}, {row.order.client.name} and {row.order.builder.user.name}"
        tone = "wait" if row.status == DisputeStatus.ESCALATED else ""
        url = address_of("support:dispute", row.number, "orders_order", row.order_id)
        found.append(_case(row, f"D-{row.number}", url, about, row.get_status_display(), tone))
    return found


def _refunds(rows: Sequence[Refund]) -> list[Case]:
    return [
        _case(
            row,
            row.payment.invoice.number or "Refund",
            reverse("admin:payments_refund_change", args=[row.pk]),
            f"Refund to {row.payment.invoice.payer.name}: {row.error or row.reason}",
            "Given up",
            "bad",
        )
        for row in rows
    ]


def _payments(rows: Sequence[Payment]) -> list[Case]:
    return [
        _case(
            row,
            row.invoice.number or "Payment",
            reverse("admin:payments_payment_change", args=[row.pk]),
            f"Payment of {row.invoice.payer.name}, neither used nor sent back",
            "Not settled",
            "bad",
        )
        for row in rows
    ]


def _operations(rows: Sequence[EscrowOperation]) -> list[Case]:
    orders = {order.pk: order for order in Order.objects.filter(pk__in=[row.subject_id for row in rows]).only("number", "title")}
    found = []
    for row in rows:
        order = orders.get(row.subject_id)
        about = f"{row.get_kind_display().capitalize()} of P4-{order.number}" if order else f"{row.get_kind_display().capitalize()}, {row.purpose}"
        words = f"{about}: {row.reason}" if row.reason else about
        review = row.status == EscrowStatus.NEEDS_REVIEW
        url = reverse("admin:payments_escrowoperation_change", args=[quote(row.pk)])
        found.append(_case(row, f"X-{row.number}", url, words, "Needs a person" if review else "Blocked", "bad" if review else "wait"))
    return found


def _differences(rows: Sequence[ChainDifference]) -> list[Case]:
    url = reverse("admin:payments_chainstatus_changelist")
    return [_case(row, "Difference", url, row.text, row.kind_words, "bad") for row in rows]


def _plans(rows: Sequence[Plan]) -> list[Case]:
    found = []
    for row in rows:
        whom = f" for {row.target_user.name}" if row.target_user else ""
        about = f"{row.get_kind_display()}{whom}, asked by {row.requester.name}"
        found.append(_case(row, str(row), plan_address(row), about, row.get_status_display(), "wait"))
    return found


def plan_address(plan: Plan) -> str:
    return address_of("support:plan", plan.number, "support_plan", plan.pk)


def _incidents(rows: Sequence[IncidentLog]) -> list[Case]:
    people = dict(User.objects.filter(pk__in=[row.user_id for row in rows if row.user_id]).values_list("pk", "name"))
    found = []
    for row in rows:
        name = people.get(row.user_id) if row.user_id else None
        about = f"{row.get_incident_type_display().replace('_', ' ').capitalize()}{f', {name}' if name else ''}: {row.description}"
        tone = "bad" if row.severity in (IncidentSeverity.CRITICAL, IncidentSeverity.HIGH) else "wait"
        state = row.get_severity_display().capitalize() + (", being looked at" if row.status == IncidentStatus.INVESTIGATING else "")
        found.append(_case(row, str(row), reverse("support:incident", args=[row.number]), about[:160], state, tone))
    return found


def _absences(rows: Sequence[Absence]) -> list[Case]:
    found = []
    for row in rows:
        call = row.consultation
        names = call.client.name, call.builder.user.name
        absent, other = names if row.party == Party.CLIENT else names[::-1]
        url = reverse("admin:consultations_absence_change", args=[row.pk])
        about = f"{other} says that {absent} did not come, {absent} says the opposite"
        found.append(_case(row, f"{call.scheduled_at:%-d %b %H:%M} UTC", url, about, row.get_status_display(), "wait"))
    return found


NO_AMOUNT = Cast(Value(None), models.DecimalField(max_digits=14, decimal_places=2, null=True))

QUEUES = (
    Queue(
        "late",
        "Late orders",
        "clock",
        "see_people",
        (
            Source(
                lambda moment, reader: Order.objects.filter(status__in=WORKING, due_at__lte=moment, clock_stopped_at=None).with_people(),
                F("due_at"),
                _after("due_at", 48),
                F("price"),
                _late_orders,
            ),
        ),
        "Nobody waits for a delivery",
        soon=24 * HOUR,
    ),
    Queue(
        "disputes",
        "Disputes",
        "gavel",
        "see_people",
        (
            Source(
                lambda moment, reader: Dispute.objects.live().select_related("order__client", "order__builder__user"),
                F("opened_at"),
                models.Case(
                    When(status=DisputeStatus.ESCALATED, then=_after(Coalesce("escalated_at", "opened_at"), 48)),
                    When(status=DisputeStatus.ANSWERED, then=Coalesce("settle_until", "answer_until")),
                    default=F("answer_until"),
                ),
                F("amount"),
                _disputes,
            ),
        ),
        "Nobody disagrees",
        soon=12 * HOUR,
        over="support:disputes",
    ),
    Queue(
        "payments",
        "Failed payments",
        "banknote-x",
        "see_people",
        (
            Source(
                lambda moment, reader: Refund.objects.filter(status=RefundStatus.FAILED).select_related("payment__invoice__payer"),
                Coalesce("failed_at", "requested_at"),
                _after(Coalesce("failed_at", "requested_at"), 24),
                F("amount"),
                _refunds,
            ),
            Source(
                lambda moment, reader: Payment.objects.unsettled().filter(succeeded_at__lte=moment - HOUR).select_related("invoice__payer"),
                F("succeeded_at"),
                _after("succeeded_at", 4),
                F("amount"),
                _payments,
            ),
        ),
        "All money is where it belongs",
    ),
    Queue(
        "escrow",
        "Blocked escrow",
        "lock",
        "see_people",
        (
            Source(
                lambda moment, reader: EscrowOperation.objects.open().filter(status__in=[EscrowStatus.BLOCKED, EscrowStatus.NEEDS_REVIEW]),
                F("created_at"),
                _after("created_at", 4),
                F("amount"),
                _operations,
            ),
            Source(
                lambda moment, reader: ChainDifference.objects.filter(gone_at=None), F("found_at"), _after("found_at", 4), NO_AMOUNT, _differences
            ),
        ),
        "Escrow does what it is asked",
        soon=2 * HOUR,
    ),
    Queue(
        "approvals",
        "Approvals",
        "stamp",
        "see_people",
        (
            Source(
                lambda moment, reader: Plan.objects.waiting().select_related("requester", "target_user"),
                F("requested_at"),
                F("expires_at"),
                F("amount"),
                _plans,
            ),
        ),
        "No plan waits for a second person",
        soon=12 * HOUR,
    ),
    Queue(
        "incidents",
        "Incidents",
        "flag",
        "see_incidents",
        (
            Source(
                lambda moment, reader: IncidentLog.objects.visible_to(reader).worth_a_look(),
                F("detected_at"),
                F("due_at"),
                F("potential_loss"),
                _incidents,
            ),
        ),
        "Nothing looks wrong",
        url="support:incidents",
    ),
    Queue(
        "no-shows",
        "No-shows",
        "video-off",
        "see_people",
        (
            Source(
                lambda moment, reader: Absence.objects.open().filter(status=AbsenceStatus.DISPUTED).select_related(
                    "consultation__client", "consultation__builder__user"
                ),
                Coalesce("disputed_at", "created_at"),
                _after(Coalesce("disputed_at", "created_at"), 48),
                F("consultation__price"),
                _absences,
            ),
        ),
        "Everybody came",
        soon=12 * HOUR,
    ),
)  # fmt: skip


# How much of it there is -------------------------------------------------------------------------------------------------------------


def queue_of(key: str) -> Queue | None:
    return next((queue for queue in QUEUES if queue.key == key), None)


def heap_of(queue: Queue, moment: datetime, reader: Any) -> Heap:
    """How much waits; a query for each source, and no more rows than `MOST` are looked at."""
    parts = []
    for source in queue.sources:
        rows = source.rows(moment, reader).select_related(None).values("waits_since", "waits_until", "waits_with")[:MOST]
        late, soon = Q(waits_until__lte=moment), Q(waits_until__gt=moment, waits_until__lte=moment + queue.soon)
        parts.append(
            rows.aggregate(
                count=Count("waits_until"),
                overdue=Count("waits_until", filter=late),
                soon=Count("waits_until", filter=soon),
                oldest=Min("waits_since"),
                next_due=Min("waits_until"),
                amount=Sum("waits_with"),
            )
        )
    count, overdue, soon_due = (sum(part[name] for part in parts) for name in ("count", "overdue", "soon"))
    oldest, next_due = (min((part[name] for part in parts if part[name]), default=None) for name in ("oldest", "next_due"))
    return Heap(queue, moment, count, overdue, soon_due, oldest, next_due, sum((part["amount"] or ZERO for part in parts), ZERO))


def cases_of(queue: Queue, moment: datetime, reader: Any, *, state: str = "", after: str = "", limit: int = SHOWN) -> list[Case]:
    """What waits in a queue, what is due first first; one more than `limit` when it goes on."""
    place = _place(after) if after else None
    found: list[Case] = []
    for number, source in enumerate(queue.sources):
        rows = source.rows(moment, reader).filter(_state(state, moment, queue.soon))
        if place is not None:
            then, of, pk = place
            behind = Q(waits_until__gt=then)
            if number > of:
                behind |= Q(waits_until=then)
            elif number == of:
                behind |= Q(waits_until=then, pk__gt=_key(source, moment, reader, pk))
            rows = rows.filter(behind)
        for case in source.cases(list(rows[: limit + 1])):
            found.append(_placed(case, number, moment, queue.soon))
    return sorted(found, key=lambda case: (case.due, case.place.split("_", 2)[1]))[: limit + 1]


def own_incidents(moment: datetime, reader: Any, limit: int) -> list[Case]:
    """What somebody has taken, weak signals as well."""
    found = []
    for source in _sources("incidents"):
        taken = replace(source, waiting=lambda moment, reader: IncidentLog.objects.visible_to(reader).live().filter(assigned_to=reader.pk))
        found += taken.cases(list(taken.rows(moment, reader)[:limit]))
    return found


class Counted(Subquery):
    """How many rows a query gives."""

    template = "(SELECT count(*) FROM (%(subquery)s) _counted)"
    output_field = models.IntegerField()


def numbers_beside(keys: Sequence[str], moment: datetime, reader: Any) -> dict[str, int]:
    """How much waits in each of these queues, in one query, counted no further than what is shown beside a tab."""
    counts = {
        f"n{place}_{number}": Counted(source.waiting(moment, reader).select_related(None).order_by().values("pk")[:MOST_BESIDE_TAB])
        for place, key in enumerate(keys)
        for number, source in enumerate(_sources(key))
    }
    if not counts:
        return {}
    # Some table has to be asked that has a row for certain; that of content types has one for every model.
    found: Any = ContentType.objects.order_by("pk").values(**counts)[:1].get()
    return {key: sum(count for name, count in found.items() if name.startswith(f"n{place}_")) for place, key in enumerate(keys)}


def _sources(key: str) -> tuple[Source, ...]:
    queue = queue_of(key)
    return queue.sources if queue else ()


def _state(state: str, moment: datetime, soon: timedelta) -> Q:
    if state == "late":
        return Q(waits_until__lte=moment)
    if state == "soon":
        return Q(waits_until__gt=moment, waits_until__lte=moment + soon)
    return Q(waits_until__gt=moment + soon) if state == "good" else Q()


def _placed(case: Case, number: int, moment: datetime, soon: timedelta) -> Case:
    how = "late" if case.due <= moment else "soon" if case.due <= moment + soon else "good"
    return replace(case, place=f"{(case.due - START) // MICROSECOND}_{number}_{case.pk}", how=how)


def _place(said: str) -> tuple[datetime, int, str]:
    """Where a list goes on, as `_placed` wrote it."""
    try:
        microseconds, number, pk = said.split("_", 2)
        return START + int(microseconds) * MICROSECOND, int(number), pk
    except (ValueError, OverflowError):
        raise BadRequest("This is not a place in the list.") from None


def _key(source: Source, moment: datetime, reader: Any, said: str) -> Any:
    try:
        return source.waiting(moment, reader).model._meta.pk.to_python(said)
    except ValidationError:
        raise BadRequest("This is not a place in the list.") from None
