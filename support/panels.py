"""The panels of a person's page: what there is of each thing, newest first.

Every panel has an address of its own, a permission, and a fixed number of questions however much there is. Its rows may come from several
tables or from both sides of a deal; each of them is asked for by an index, and the newest of all are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import UUID

from django.core.exceptions import BadRequest
from django.db import connection, models
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.urls import reverse

from amendments.models import Amendment, AmendmentStatus
from auditlog.models import LIVE as LIVE_INCIDENT
from auditlog.models import AuditLog, IncidentLog, Severity
from auditlog.search import Wanted, find_rows, own_cases, seen_by
from consultations.models import Consultation, ConsultationStatus
from port444.kit.money import ZERO
from port444.messaging.models import Conversation, Message, MessageKind
from port444.orders.models import LIVE, Dispute, Order, OrderStatus
from port444.payments.models import Credit, CreditScope, Payment, PaymentStatus, Withdrawal, WithdrawalStatus
from port444.webhooks.models import DeliveryStatus, EndpointStatus, WebhookDelivery, WebhookEndpoint

from .models import LIVE as LIVE_PLAN
from .models import Plan, SupportAction
from .people import Person
from .queues import address_of, long, order_address, order_words, plan_address

SHOWN = 8  # in the page of the person
ON_PAGE = 50  # in the page of the panel
MOST = 1000  # up to which rows are counted
START = datetime.fromtimestamp(0, UTC)
MICROSECOND = timedelta(microseconds=1)

Place = tuple[datetime, UUID]


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in one place of a table: words, perhaps with an address, a moment, an amount, or with a `tone` a state."""

    words: str = ""
    url: str = ""
    tone: str | None = None  # of a state: "", go, wait, bad
    small: str = ""
    at: datetime | None = None
    amount: Decimal | None = None

    @property
    def kind(self) -> Literal["state", "moment", "amount", "words"]:
        if self.tone is not None:
            return "state"
        return "moment" if self.at else "amount" if self.amount is not None else "words"

    @property
    def is_number(self) -> bool:
        """Whether it is the number of something, which is not broken."""
        return bool(self.url) and len(self.words) <= 9


Row = tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of a panel, and where the next ones begin."""

    rows: Sequence[Row]
    older: str = ""
    goes_on: bool = False  # the search ended in time and has not seen everything


@dataclass(frozen=True, slots=True)
class Panel:
    """`sources` are the tables, each in which `at` names the moment that rows are ordered by; `word` words rows with a fixed number of
    questions. The first cell of a row is its name. `heads` ends with "USDC" where the last column is money. `is_private`: looking at it
    is recorded apart from looking at the person."""

    key: str
    name: str
    icon: str
    permission: str
    heads: tuple[str, ...]
    at: str
    sources: Callable[[Person], Sequence[QuerySet[Any]]]
    word: Callable[[Sequence[Any], Person, datetime], list[Row]]
    is_private: bool = False
    nothing: str = "None"

    def rows(self, person: Person, moment: datetime, *, limit: int = SHOWN, before: str = "") -> Rows:
        place = _place(before) if before else None
        found: list[Any] = []
        for source in self.sources(person):
            rows = source
            if place is not None:
                rows = rows.filter(Q(**{f"{self.at}__lt": place[0]}) | Q(**{self.at: place[0], "pk__lt": place[1]}))
            found += rows.order_by(f"-{self.at}", "-pk")[: limit + 1]
        newest = sorted(found, key=lambda row: (getattr(row, self.at), row.pk), reverse=True)
        shown = newest[:limit]
        older = _said(getattr(shown[-1], self.at), shown[-1].pk) if len(newest) > limit else ""
        return Rows(self.word(shown, person, moment), older)


def _place(said: str) -> Place:
    """Where a list goes on, as `_said` wrote it."""
    try:
        microseconds, pk = said.split("_", 1)
        return START + int(microseconds) * MICROSECOND, UUID(pk)
    except (ValueError, OverflowError):
        raise BadRequest("This is not a place in the list.") from None


def _said(moment: datetime, pk: Any) -> str:
    return f"{(moment - START) // MICROSECOND}_{pk}"


def number_of(count: int) -> str:
    return f"{MOST:,}+" if count > MOST else f"{count:,}"


class _Counted(Subquery):
    """How many rows a query gives."""

    template = "(SELECT count(*) FROM (%(subquery)s) _counted)"
    output_field = models.IntegerField()


AUDIT_COUNT = """
SELECT count(*) FROM (
    (SELECT 1 FROM audit_find WHERE actor_id = %(pk)s LIMIT %(most)s) UNION ALL (SELECT 1 FROM audit_find WHERE on_behalf_of = %(pk)s LIMIT %(most)s)
) found
"""


def counts_of(panels: Sequence[Panel], person: Person) -> dict[str, str]:
    """How much there is in each of these panels, in two queries, counted no further than MOST."""
    counts = {
        f"n{place}_{number}": _Counted(source.order_by().values("pk")[: MOST + 1])
        for place, panel in enumerate(panels)
        for number, source in enumerate(panel.sources(person))
    }
    model: Any = type(person.user)
    found: dict[str, int] = model.objects.filter(pk=person.pk).values(**counts).get() if counts else {}
    said = {panel.key: sum(n for name, n in found.items() if name.startswith(f"n{place}_")) for place, panel in enumerate(panels)}
    if "audit" in said:
        with connection.cursor() as cursor:
            cursor.execute(AUDIT_COUNT, {"pk": person.pk, "most": MOST + 1})
            said["audit"] = cursor.fetchone()[0]
    return {key: number_of(count) for key, count in said.items()}


def _two_sides(rows: QuerySet[Any], person: Person, prefix: str = "") -> list[QuerySet[Any]]:
    return [rows.filter(**{f"{prefix}client": person.pk}), rows.filter(**{f"{prefix}builder": person.builder_id})]


def _other(order: Any, person: Person) -> Cell:
    """The other side of an order or a call."""
    other = order.builder.user if order.client_id == person.pk else order.client
    return Cell(other.name, person_address(other.pk))


def person_address(user_id: Any) -> str:
    return reverse("support:person", args=[user_id])


# Orders ----------------------------------------------------------------------------------------------------------------------------

OVER = {OrderStatus.COMPLETED, OrderStatus.CANCELLED, OrderStatus.EXPIRED}


def state_of_order(order: Order, moment: datetime) -> Cell:
    if order.disputed_at is not None:
        return Cell("Disputed", tone="bad")
    if order.is_late(moment):
        assert order.due_at is not None
        return Cell(f"Late {long(moment - order.due_at)}", tone="bad")
    if order.status in OVER:
        return Cell(order.get_status_display(), tone="")
    return Cell(order_words(order), tone="go" if order.status in LIVE else "wait")


def _orders(rows: Sequence[Order], person: Person, moment: datetime) -> list[Row]:
    return [
        (
            Cell(f"P4-{row.number}", order_address(row)),
            Cell(row.title),
            _other(row, person),
            state_of_order(row, moment),
            Cell(at=row.due_at or row.placed_at) if row.status not in OVER else Cell(at=row.completed_at or row.cancelled_at or row.placed_at),
            Cell(amount=row.price),
        )
        for row in rows
    ]


# Money -----------------------------------------------------------------------------------------------------------------------------

PURPOSES = {"consultation": "Call"}
PAID_TONES = {PaymentStatus.SUCCEEDED: "go", PaymentStatus.FAILED: "bad", PaymentStatus.EXPIRED: "", PaymentStatus.PENDING: "wait"}
SENT_TONES = {WithdrawalStatus.HELD: "wait", WithdrawalStatus.SENDING: "go", WithdrawalStatus.FAILED: "bad", WithdrawalStatus.REQUESTED: "wait"}


def state_of_payment(row: Payment) -> Cell:
    words = row.get_status_display().capitalize()
    if row.status == PaymentStatus.SUCCEEDED and row.refunded:
        words = "Sent back" if row.refunded == row.amount else f"Paid, {row.refunded:,.2f} sent back"
    elif row.status == PaymentStatus.SUCCEEDED:
        words = "Paid" if row.settled_at else "Came, not used yet"
    return Cell(words, tone=PAID_TONES.get(PaymentStatus(row.status), "wait"), small=row.failure)


def _payments(rows: Sequence[Payment], person: Person, moment: datetime) -> list[Row]:
    deals = {row.invoice.deal_id or row.invoice.subject_id for row in rows}
    orders = {order.pk: order for order in Order.objects.filter(pk__in=deals).only("number", "title")}
    found: list[Row] = []
    for row in rows:
        order = orders.get(row.invoice.deal_id or row.invoice.subject_id)
        what = (
            Cell(f"P4-{order.number}", order_address(order), small=order.title)
            if order
            else Cell(PURPOSES.get(row.invoice.purpose, row.invoice.purpose.capitalize()))
        )
        paper = row.invoice.number or "not paid yet"
        found.append(
            (
                Cell(f"…{str(row.pk)[-6:]}", reverse("admin:payments_payment_change", args=[row.pk]), small=paper),
                what,
                Cell(row.provider),
                state_of_payment(row),
                Cell(at=row.created_at),
                Cell(amount=row.amount),
            )
        )
    return found


def _credits(rows: Sequence[Credit], person: Person, moment: datetime) -> list[Row]:
    found: list[Row] = []
    for row in rows:
        scope = {CreditScope.BUILDER: f"{row.builder} only", CreditScope.CATEGORY: f"{row.category} only"}.get(
            CreditScope(row.applicable_to), "Anything"
        )
        if row.withdrawn_at is not None:
            state = Cell("Void", tone="")
        elif not row.remaining:
            state = Cell("Used", tone="")
        elif row.is_expired(moment):
            state = Cell("Expired", tone="")
        else:
            state = Cell("Usable", tone="go")
        given = f"by {row.issued_by.name}" if row.issued_by else f"from {row.get_source_display().lower()}"
        found.append(
            (
                Cell(row.label[:1].upper() + row.label[1:], address_of("support:credit", row.pk, "payments_credit", row.pk), small=given),
                Cell(scope),
                state,
                Cell(at=row.expires_at) if row.expires_at else Cell("no end"),
                Cell(f"{row.remaining:,.2f} left"),
                Cell(amount=row.amount),
            )
        )
    return found


def _withdrawals(rows: Sequence[Withdrawal], person: Person, moment: datetime) -> list[Row]:
    return [
        (
            Cell(f"…{str(row.pk)[-6:]}", reverse("admin:payments_withdrawal_change", args=[row.pk])),
            Cell(row.destination),
            Cell(row.get_status_display().capitalize(), tone=SENT_TONES.get(WithdrawalStatus(row.status), ""), small=row.error),
            Cell(at=row.requested_at),
            Cell(amount=row.amount),
        )
        for row in rows
    ]


# What people say to each other -----------------------------------------------------------------------------------------------------


def _conversations(person: Person) -> list[QuerySet[Any]]:
    """Nothing that was written is read here."""
    last = Message.objects.filter(conversation=OuterRef("pk"), kind=MessageKind.TEXT).order_by("-created_at", "-id").values("author")[:1]
    order = Order.objects.filter(conversation=OuterRef("pk")).order_by("-placed_at", "-id").values("number")[:1]
    rows = Conversation.objects.select_related("client", "builder").annotate(last_author=Subquery(last), order_number=Subquery(order))
    return [rows.filter(client=person.pk), rows.filter(builder=person.pk)]


def _threads(rows: Sequence[Any], person: Person, moment: datetime) -> list[Row]:
    found: list[Row] = []
    for row in rows:
        other = row.other(person.user)
        if row.last_author is None:
            state = Cell("Nobody wrote yet", tone="")
        else:
            waits = other if row.last_author == person.pk else person.user
            state = Cell(f"On {waits.first_name}, {long(moment - row.last_message_at)}", tone="wait" if moment - row.last_message_at > DAY else "")
        order = Cell(f"P4-{row.order_number}", reverse("support:order", args=[row.order_number])) if row.order_number else Cell("no order")
        found.append((Cell(other.name, reverse("support:thread", args=[row.pk]), small="text hidden"), order, state, Cell(at=row.last_message_at)))
    return found


DAY = timedelta(days=1)
DISPUTE_TONES = {"open": "wait", "answered": "wait", "escalated": "bad"}


def _disputes(rows: Sequence[Dispute], person: Person, moment: datetime) -> list[Row]:
    return [
        (
            Cell(f"D-{row.number}", address_of("support:dispute", row.number, "orders_order", row.order_id)),
            Cell(f"P4-{row.order.number}", order_address(row.order), small=row.order.title),
            Cell(row.get_reason_display(), small="opened by the client" if row.by_client else "opened by the builder"),
            Cell(row.get_status_display(), tone=DISPUTE_TONES.get(row.status, "")),
            Cell(at=row.opened_at),
            Cell(amount=row.amount),
        )
        for row in rows
    ]


CALL_TONES = {ConsultationStatus.SCHEDULED: "go", ConsultationStatus.NO_SHOW: "bad", ConsultationStatus.HELD: "wait"}


def _calls(rows: Sequence[Consultation], person: Person, moment: datetime) -> list[Row]:
    return [
        (
            Cell(f"{row.duration} min", reverse("admin:consultations_consultation_change", args=[row.pk])),
            _other(row, person),
            Cell(at=row.scheduled_at),
            Cell(row.get_status_display(), tone=CALL_TONES.get(ConsultationStatus(row.status), ""), small=_absent(row)),
            Cell(amount=row.price),
        )
        for row in rows
    ]


def _absent(row: Consultation) -> str:
    return f"the {row.no_show_party} did not come" if row.no_show_party else ""


AMENDMENT_TONES = {
    AmendmentStatus.PENDING: "wait",
    AmendmentStatus.CHANGES_REQUESTED: "wait",
    AmendmentStatus.APPROVED: "wait",
    AmendmentStatus.PAID: "wait",
    AmendmentStatus.FUNDING: "go",
    AmendmentStatus.FUNDING_FAILED: "bad",
}


def _amendments(rows: Sequence[Amendment], person: Person, moment: datetime) -> list[Row]:
    return [
        (
            Cell(row.get_amendment_type_display(), reverse("admin:amendments_amendment_change", args=[row.pk]), small=f"version {row.version}"),
            Cell(f"P4-{row.order.number}", order_address(row.order)),
            Cell(row.reason, small=_days(row.additional_days)),
            Cell(row.get_status_display(), tone=AMENDMENT_TONES.get(AmendmentStatus(row.status), "")),
            Cell(at=row.created_at),
            Cell(amount=row.additional_amount),
        )
        for row in rows
    ]


def _days(count: int) -> str:
    return f"{count} day{'' if count == 1 else 's'} more" if count else ""


WEBHOOK_TONES = {EndpointStatus.ACTIVE: "go", EndpointStatus.PAUSED: "wait", EndpointStatus.DISABLED: "bad"}
DELIVERY_TONES = {DeliveryStatus.DELIVERED: "go", DeliveryStatus.FAILED: "bad"}


def _with_last(rows: QuerySet[WebhookEndpoint]) -> QuerySet[WebhookEndpoint]:
    last = WebhookDelivery.objects.filter(endpoint=OuterRef("pk")).order_by("-id")
    return rows.defer("secret").annotate(last=Subquery(last.values("pk")[:1]))


def _webhooks(rows: Sequence[Any], person: Person, moment: datetime) -> list[Row]:
    """The host alone is shown: what stands behind it in an address may let somebody in."""
    sent = WebhookDelivery.objects.defer("body").in_bulk([row.last for row in rows if row.last is not None])
    return [
        (
            Cell(urlsplit(row.url).netloc, small=row.description),
            Cell("All" if row.hears_all else ", ".join(row.events[:3]), small=f"and {len(row.events) - 3} more" if len(row.events) > 3 else ""),
            Cell(row.get_status_display(), tone=WEBHOOK_TONES.get(EndpointStatus(row.status), ""), small=_failing(row, moment)),
            *_sent(sent.get(row.last)),
            Cell(at=row.created_at),
        )
        for row in rows
    ]


def _failing(row: WebhookEndpoint, moment: datetime) -> str:
    return f"nothing taken for {long(moment - row.failing_since)}" if row.failing_since is not None else ""


def _sent(last: WebhookDelivery | None) -> tuple[Cell, Cell]:
    if last is None:
        return Cell("Nothing yet"), Cell()
    answer = f"answered {last.code}" if last.code is not None else last.error
    return Cell(last.get_status_display(), tone=DELIVERY_TONES.get(DeliveryStatus(last.status), "wait"), small=answer), Cell(
        last.event, small=f"{last.attempts} {'try' if last.attempts == 1 else 'tries'}"
    )


# What staff see and do -------------------------------------------------------------------------------------------------------------


def _incidents(rows: Sequence[IncidentLog], person: Person, moment: datetime) -> list[Row]:
    return [
        (
            Cell(str(row), reverse("support:incident", args=[row.number])),
            Cell(row.get_incident_type_display().replace("_", " ").capitalize(), small=row.description[:120]),
            Cell(f"{row.confidence} of 100"),
            Cell(row.get_status_display().replace("_", " ").capitalize(), tone="bad" if row.status in LIVE_INCIDENT else ""),
            Cell(at=row.detected_at),
            Cell(amount=row.potential_loss or ZERO),
        )
        for row in rows
    ]


def _actions(rows: Sequence[Any], person: Person, moment: datetime) -> list[Row]:
    return [_plan(row) if isinstance(row, Plan) else _action(row) for row in rows]


def _plan(row: Plan) -> Row:
    name = Cell(str(row), plan_address(row), small=row.get_kind_display())
    tone = "go" if row.status == "approved" else "wait"
    return (
        name,
        Cell(row.requester.name),
        Cell(row.reason),
        Cell(row.get_status_display(), tone=tone),
        Cell(at=row.created_at),
        Cell(amount=row.amount),
    )


def _action(row: SupportAction) -> Row:
    name = Cell(row.get_action_type_display(), plan_address(row.plan) if row.plan else "", small=row.description)
    state = Cell("Done", tone="") if row.success else Cell("Failed", tone="bad", small=row.error_message)
    return name, Cell(row.admin.name), Cell(row.reason), state, Cell(at=row.created_at), Cell(amount=row.amount)


class AuditPanel(Panel):
    """The log is searched as its page does (see `auditlog.search`)."""

    __slots__ = ()

    def rows(self, person: Person, moment: datetime, *, limit: int = SHOWN, before: str = "") -> Rows:
        found = find_rows(Wanted(who=(("actor_id", person.pk), ("on_behalf_of", person.pk))), limit=limit)
        hidden = own_cases(person.reader.pk) if person.reader is not None else frozenset()
        return Rows(self.word(seen_by(found.rows, hidden), person, moment), goes_on=found.reached is not None)


def _audit(rows: Sequence[AuditLog], person: Person, moment: datetime) -> list[Row]:
    page = reverse("support:audit")
    tones = {Severity.CRITICAL: "bad", Severity.WARNING: "wait"}
    return [
        (
            Cell(row.event_type, f"{page}?actor={person.pk}&event_type={row.event_type}"),
            Cell(row.get_severity_display(), tone=tones.get(Severity(row.severity), "")),
            Cell(row.target_type, f"{page}?about={row.target_id}" if row.target_id else ""),
            Cell(str(row.ip_address or "")),
            Cell(at=row.timestamp),
        )
        for row in rows
    ]


def _of(rows: QuerySet[Any], field: str, person: Person) -> list[QuerySet[Any]]:
    return [rows.filter(**{field: person.pk})]


def _sided(rows: QuerySet[Any], prefix: str = "") -> Callable[[Person], list[QuerySet[Any]]]:
    return partial(_two_sides, rows, prefix=prefix)


PEOPLE = ("client", "builder__user")
PANELS = (
    Panel(
        "orders",
        "Orders",
        "package",
        "see_people",
        ("Order", "Title", "With", "Status", "Due or over", "USDC"),
        "placed_at",
        lambda person: _two_sides(Order.objects.select_related(*PEOPLE), person),
        _orders,
    ),
    Panel(
        "payments",
        "Payments",
        "credit-card",
        "see_people",
        ("Payment", "For", "By", "State", "When", "USDC"),
        "created_at",
        lambda person: _of(Payment.objects.select_related("invoice"), "invoice__payer", person),
        _payments,
    ),
    Panel(
        "disputes",
        "Disputes",
        "gavel",
        "see_people",
        ("Dispute", "Order", "Claim", "State", "Opened", "USDC"),
        "opened_at",
        lambda person: _two_sides(Dispute.objects.select_related("order"), person, "order__"),
        _disputes,
    ),
    Panel(
        "threads",
        "Threads",
        "message-square",
        "see_people",
        ("With", "Order", "Waits", "Last message"),
        "last_message_at",
        _conversations,
        _threads,
        is_private=True,
    ),
    Panel(
        "credits",
        "Credits",
        "ticket",
        "see_people",
        ("Credit", "Usable for", "State", "Ends", "Left", "USDC"),
        "created_at",
        lambda person: _of(Credit.objects.select_related("builder__user", "category", "issued_by"), "user", person),
        _credits,
    ),
    Panel(
        "withdrawals",
        "Withdrawals",
        "wallet",
        "see_people",
        ("Withdrawal", "To", "State", "Asked", "USDC"),
        "requested_at",
        lambda person: _of(Withdrawal.objects.defer("bank"), "user", person),
        _withdrawals,
        is_private=True,
    ),
    Panel(
        "calls",
        "Calls",
        "video",
        "see_people",
        ("Call", "With", "When", "State", "USDC"),
        "scheduled_at",
        lambda person: _two_sides(Consultation.objects.select_related(*PEOPLE), person),
        _calls,
    ),
    Panel(
        "amendments",
        "Amendments",
        "file-diff",
        "see_people",
        ("Amendment", "Order", "Why", "State", "Proposed", "USDC"),
        "created_at",
        lambda person: _two_sides(Amendment.objects.select_related("order"), person, "order__"),
        _amendments,
    ),
    Panel(
        "webhooks",
        "Webhooks",
        "plug",
        "see_people",
        ("Where to", "Events", "State", "Last delivery", "Of", "Added"),
        "created_at",
        lambda person: [_with_last(rows) for rows in _of(WebhookEndpoint.objects.visible_to(person.user), "user", person)],
        _webhooks,
        is_private=True,
    ),
    Panel(
        "incidents",
        "Incidents",
        "flag",
        "see_incidents",
        ("Incident", "What", "Confidence", "State", "Seen", "At risk, USDC"),
        "detected_at",
        lambda person: [
            person.incidents.filter(user_id=person.pk),
            person.incidents.filter(related_users__contains=[person.pk]).exclude(user_id=person.pk),
        ],
        _incidents,
        is_private=True,
    ),
    AuditPanel(
        "audit",
        "Audit",
        "scroll-text",
        "read_audit",
        ("Event", "Severity", "About", "From", "When"),
        "timestamp",
        lambda person: [],
        _audit,
        is_private=True,
    ),
    Panel(
        "actions",
        "Support actions",
        "list-checks",
        "see_people",
        ("Action", "By", "Reason", "State", "When", "USDC"),
        "created_at",
        lambda person: [
            SupportAction.objects.filter(target_user=person.pk).select_related("admin", "plan"),
            Plan.objects.filter(target_user=person.pk, status__in=LIVE_PLAN).select_related("requester"),
        ],
        _actions,
    ),
)
BY_KEY = {panel.key: panel for panel in PANELS}
