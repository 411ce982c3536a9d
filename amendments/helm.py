"""An amendment in words, for one of its two people: whose turn it is, what changes, what it costs. Pure words, no queries."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.urls import reverse

from port444.kit.money import ZERO, fee, usd
from port444.orders.helm import Helm, days_words, moment_words, span_words
from port444.orders.models import WORKING, Order, OrderStatus
from port444.payments.models import EscrowKind, EscrowOperation, EscrowStatus

from .models import OPEN, Amendment, AmendmentStatus, AmendmentType
from .terms import Terms, terms_of

if TYPE_CHECKING:
    from .queries import Preview

A = AmendmentStatus
T = AmendmentType

ICONS = {
    T.SCOPE_CHANGE: "pencil",
    T.TOP_UP: "coins",
    T.OUT_OF_SCOPE_REVISION: "undo-2",
    T.TIMELINE_EXTENSION: "calendar-clock",
    T.ADD_DELIVERABLE: "package",
}
TAGS = {
    A.PENDING: ("Waiting for an answer", ""),
    A.CHANGES_REQUESTED: ("Changes asked for", ""),
    A.APPROVED: ("To be paid", ""),
    A.PAID: ("Going into escrow", "tint"),
    A.FUNDING: ("Going into escrow", "tint"),
    A.FUNDING_FAILED: ("Not in escrow", "bad"),
    A.COMPLETED: ("In force", "ok"),
    A.REJECTED: ("Declined", "quiet"),
    A.WITHDRAWN: ("Withdrawn", "quiet"),
    A.SUPERSEDED: ("Replaced", "quiet"),
    A.EXPIRED: ("Lapsed", "quiet"),
    A.REFUNDED: ("Money returned", "quiet"),
}
OPERATIONS = {
    EscrowStatus.QUEUED: "Waits for its turn",
    EscrowStatus.SIGNED: "Being sent to the chain",
    EscrowStatus.SENT: "Sent to the chain",
    EscrowStatus.MINED: "In a block, being confirmed",
    EscrowStatus.BLOCKED: "Held up for a moment",
    EscrowStatus.CONFIRMED: "Confirmed",
    EscrowStatus.FAILED: "Not taken",
    EscrowStatus.CANCELLED: "Called off",
    EscrowStatus.NEEDS_REVIEW: "A person of our team looks at it",
}


def hours_words(hours: int = settings.AMENDMENT_HOURS) -> str:
    """How long the other side has to answer."""
    return days_words(hours // 24) if hours % 24 == 0 else f"{hours} hours"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; a list of things stands in `before` and `after` as lists."""

    name: str
    before: Any
    after: Any
    more: str = ""
    kind: str = "text"  # text, date, list


@dataclass(frozen=True, slots=True)
class Sums:
    """What it costs: for the client what they pay, for the builder what they get."""

    amount: Decimal
    fee: Decimal
    fee_percent: str
    total: Decimal
    credit: Decimal
    to_pay: Decimal
    builder_fee: Decimal
    builder_gets: Decimal


def percent(bps: int) -> str:
    return f"{bps / 100:g}%"


def sums(order: Order, amount: Decimal, client_fee: Decimal, credit: Decimal = ZERO) -> Sums:
    platform = fee(amount, order.builder_fee_bps)
    total = amount + client_fee
    return Sums(amount, client_fee, percent(settings.CLIENT_FEE_BPS), total, credit, total - credit, platform, amount - platform)


def rows(before: Preview, terms: Terms) -> list[Row]:
    """Before and after; price and date are always there, so that what stays is seen to stay."""
    found = []
    if terms.deliverables:
        count = len(terms.deliverables)
        found.append(Row("Scope", before.deliverables_before, terms.deliverables, f"{count} deliverable{'' if count == 1 else 's'} more", "list"))
    if terms.revisions:
        found.append(Row("Revisions", f"{before.revisions_before}", f"{before.revisions_after}", f"+ {terms.revisions}"))
    found.append(Row("Price", usd(before.price_before), usd(before.price_after), f"+ {usd(terms.amount)}" if terms.amount else ""))
    more = f"+ {days_words(terms.days)}" if terms.days else ""
    if before.due_before is not None:
        if before.due_after is not None:
            stood = before.due_after - before.due_before - timedelta(days=terms.days)
            # A delivered order that is taken up again gets its date from another rule than by adding days.
            if timedelta(minutes=1) <= stood and not before.reopens:
                words = f"{span_words(stood.total_seconds())} that the clock stood"
                more = f"{more} and {words}" if more else f"+ {words}"
        found.append(Row("Due", before.due_before, before.due_after, more, "date"))
    else:
        found.append(Row("Time", f"{days_words(before.days_before)} from the answers", f"{days_words(before.days_after)} from the answers", more))
    return found


def days_rule(order: Order) -> str:
    """How the days of a change are counted, in one sentence."""
    if order.status == OrderStatus.DELIVERED:
        return "Days count from the date of the order, or from the day on which the change comes into force if that is later."
    return "Days count from the date of the order, not from today. The clock stands while a request waits, and that time is added on top."


@dataclass(frozen=True, slots=True)
class Look:
    """An amendment as one reader meets it."""

    amendment: Amendment
    order: Order
    helm: Helm
    tag: str
    tag_kind: str
    icon_name: str
    mine: bool
    pays: bool
    rows: list[Row]
    sums: Sums
    left: str
    stood: str
    reopens: bool

    @property
    def status(self) -> str:
        return str(self.amendment.status)

    @property
    def needs_money(self) -> bool:
        return self.sums.total > 0

    @property
    def can_answer(self) -> bool:
        return self.status == A.PENDING and not self.mine

    @property
    def can_decline(self) -> bool:
        return self.status in (A.PENDING, A.CHANGES_REQUESTED, A.APPROVED) and not self.mine

    @property
    def can_withdraw(self) -> bool:
        return self.status in (A.PENDING, A.CHANGES_REQUESTED, A.APPROVED) and self.mine

    @property
    def can_revise(self) -> bool:
        return self.status in (A.PENDING, A.CHANGES_REQUESTED) and self.mine

    @property
    def can_pay(self) -> bool:
        return self.status == A.APPROVED and self.pays

    @property
    def can_settle(self) -> bool:
        """Escrow did not take the money: the client tries again or takes it back."""
        return self.status == A.FUNDING_FAILED and self.pays

    @property
    def on_its_way(self) -> bool:
        return self.status in (A.PAID, A.FUNDING)

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def is_past(self) -> bool:
        """What it would have changed is of no account any more."""
        return not self.is_open and self.status != A.COMPLETED

    @property
    def waits_for(self) -> str:
        """Whom the order waits for, as "because a change waits for" goes on."""
        if self.on_its_way:
            return "escrow"
        if not self.helm.wait:
            return "you"
        people = {A.PENDING: self.amendment.answerer, A.CHANGES_REQUESTED: self.amendment.proposer}
        return str(people.get(A(self.status), self.order.client).first_name)

    @property
    def after_words(self) -> str:
        if self.status == A.COMPLETED:
            return "Since then"
        if self.is_past:
            return "It would have been"
        if self.can_answer:
            return "If you approve"
        return "When in force" if self.status != A.PENDING else f"If {self.amendment.answerer.first_name} approves"


def look(amendment: Amendment, viewer: Any, moment: datetime, preview: Preview, *, credit: Decimal = ZERO) -> Look:
    """How `viewer` meets the amendment. `preview` says what it does or did; `credit` is what the client's credits would pay of it."""
    order = amendment.order
    tag, kind = TAGS[A(amendment.status)]
    invoice = amendment.invoice
    cost = sums(order, amendment.additional_amount, amendment.client_fee, invoice.credit if invoice is not None else credit)
    stopped = order.clock_stopped_at
    return Look(
        amendment=amendment,
        order=order,
        helm=steer(amendment, viewer, cost.to_pay),
        tag=tag,
        tag_kind=kind,
        icon_name=ICONS[T(amendment.amendment_type)],
        mine=viewer.pk == amendment.proposer.pk,
        pays=viewer.pk == order.client_id,
        rows=rows(preview, terms_of(amendment)),
        sums=cost,
        left=span_words((amendment.expires_at - moment).total_seconds()),
        stood=span_words((moment - stopped).total_seconds()) if stopped is not None else "",
        reopens=preview.reopens,
    )


def steer(amendment: Amendment, viewer: Any, to_pay: Decimal | None = None) -> Helm:
    """The first line about an amendment for `viewer`."""
    mine = viewer.pk == amendment.proposer.pk
    words = {
        A.PENDING: _asked if mine else _to_answer,
        A.CHANGES_REQUESTED: _to_revise if mine else _revising,
        A.APPROVED: _to_pay if viewer.pk == amendment.order.client_id else _paying,
        A.PAID: _funding,
        A.FUNDING: _funding,
        A.FUNDING_FAILED: _failed,
    }.get(A(amendment.status), _ended)
    return words(amendment, viewer, amendment.total if to_pay is None else to_pay)


def _turn(amendment: Amendment, viewer: Any, who: Any | None, title: str, why: str, link: str, icon_name: str, *, until: bool = True) -> Helm:
    """The line of an open amendment on which `who` has to act; nobody has while it is on its way into escrow. `title` may name `{until}`."""
    order, zone = amendment.order, viewer.time_zone
    mine = who is not None and who.pk == viewer.pk
    name = "On its way" if who is None else "Your turn" if mine else f"{who.first_name}’s turn"
    words = moment_words(amendment.expires_at, zone) if until else ""
    return Helm(
        who=f"{name}, the clock stands" if order.clock_stopped_at else name,
        title=title.format(until=words),
        why=why,
        wait=not mine,
        href="#change",
        link=link,
        icon_name=icon_name,
        until=words,
        at=amendment.expires_at if until else None,
    )


def _lapse(amendment: Amendment) -> str:
    order = amendment.order
    if amendment.asks_for_time:
        return "the date stays where it is"
    if order.due_at is not None and order.status in WORKING:
        return "the order stays as it is, and the time that the clock stood is added to its date"
    return "the order stays as it is"


def _to_answer(amendment: Amendment, viewer: Any, to_pay: Decimal) -> Helm:
    if amendment.asks_for_time:
        words = f"{amendment.proposer.first_name} asks for {days_words(amendment.additional_days)} more, answer by {{until}}"
        why = "One press says yes or no. Without an answer the date stays where it is; until then the order does not count as late."
        return _turn(amendment, viewer, amendment.answerer, words, why, "Answer", "calendar-clock")
    why = f"Without an answer it lapses: nothing is charged, {_lapse(amendment)}."
    title = f"Answer {amendment.proposer.first_name}’s change request by {{until}}"
    return _turn(amendment, viewer, amendment.answerer, title, why, "See the change", "git-compare")


def _asked(amendment: Amendment, viewer: Any, to_pay: Decimal) -> Helm:
    what = "question for more time" if amendment.asks_for_time else "change request"
    why = f"Work may go on meanwhile. Without an answer your request lapses, and {_lapse(amendment)}."
    title = f"{amendment.answerer.first_name} answers your {what} by {{until}}"
    return _turn(amendment, viewer, amendment.answerer, title, why, "See the change", "git-compare")


def _to_revise(amendment: Amendment, viewer: Any, to_pay: Decimal) -> Helm:
    title = f"{amendment.answerer.first_name} asks for changes to your request, until {{until}}"
    why = "Send a new version, or withdraw it. Without either it lapses."
    return _turn(amendment, viewer, amendment.proposer, title, why, "See what to change", "pencil")


def _revising(amendment: Amendment, viewer: Any, to_pay: Decimal) -> Helm:
    title = f"{amendment.proposer.first_name} revises the change request by {{until}}"
    why = "You asked for changes. A new version comes to you to be approved; without one the request lapses."
    return _turn(amendment, viewer, amendment.proposer, title, why, "See the change", "git-compare")


def _to_pay(amendment: Amendment, viewer: Any, to_pay: Decimal) -> Helm:
    why = f"The change comes into force when escrow has the money. Without payment it lapses, and {_lapse(amendment)}."
    title = f"Pay {usd(to_pay)} for the change by {{until}}"
    turn = _turn(amendment, viewer, amendment.order.client, title, why, "Pay", "wallet")
    return replace(turn, href=reverse("payments:checkout", args=[amendment.invoice_id])) if amendment.invoice_id else turn


def _paying(amendment: Amendment, viewer: Any, to_pay: Decimal) -> Helm:
    client = amendment.order.client
    why = "The change comes into force when escrow has the money. Before that nothing of it is part of the order."
    return _turn(amendment, viewer, client, f"{client.first_name} pays for the change by {{until}}", why, "See the change", "git-compare")


def _funding(amendment: Amendment, viewer: Any, to_pay: Decimal) -> Helm:
    title = f"{usd(amendment.additional_amount)} is going into escrow" if amendment.additional_amount else "The change is being put into force"
    why = "Price, date and scope change when that is confirmed, in about a minute. You need to do nothing, and you may close this page."
    return _turn(amendment, viewer, None, title, why, "See how far it is", "git-compare", until=False)


def _failed(amendment: Amendment, viewer: Any, to_pay: Decimal) -> Helm:
    client = amendment.order.client
    why = "The order is as it was, and no money is lost."
    if viewer.pk == client.pk:
        why = f"{why} Try again, or {'take the money back' if amendment.additional_amount else 'give the change up'}."
        return _turn(amendment, viewer, client, "Escrow did not take the change", why, "See what you can do", "circle-alert", until=False)
    why = f"{why} {client.first_name} tries again or gives it up."
    return _turn(amendment, viewer, client, "Escrow did not take the change", why, "See the change", "circle-alert", until=False)


def _ended(amendment: Amendment, viewer: Any, to_pay: Decimal) -> Helm:
    zone, at = viewer.time_zone, amendment.completed_at or amendment.closed_at or amendment.answered_at
    day = moment_words(at, zone)
    you = viewer.pk == amendment.proposer.pk
    proposer, answerer = amendment.proposer.first_name, amendment.answerer.first_name
    title, why = {
        A.COMPLETED: ("The change is in force", f"Since {day}. Price, date and scope of the order are the new ones."),
        A.REJECTED: (f"{answerer if you else 'You'} declined the change", f"{day}. Nothing was charged, and the order is as it was."),
        A.WITHDRAWN: (f"{'You' if you else proposer} withdrew the change", f"{day}. Nothing was charged, and the order is as it was."),
        A.SUPERSEDED: ("A newer version took its place", f"{day}. What counts is the newest version."),
        A.EXPIRED: (
            "The change lapsed",
            f"{amendment.answer or 'It was not settled in time'}, {day}. Nothing was charged, and the order is as it was.",
        ),
        A.REFUNDED: ("The change is not in force", f"{day}. The money goes back to where it came from, and the order is as it was."),
    }[A(amendment.status)]
    return Helm("Done" if amendment.status == A.COMPLETED else "Ended", title, why, True)


@dataclass(frozen=True, slots=True)
class Try:
    """One operation with which escrow was asked to take the change, and the transactions that were sent for it."""

    title: str
    words: str
    kind: str  # tag
    at: datetime
    reason: str
    block: int | None
    hashes: list[tuple[str, str]]  # the hash and where it can be looked at

    @property
    def tx_hash(self) -> tuple[str, str] | None:
        return self.hashes[-1] if self.hashes else None


def attempt(operation: EscrowOperation) -> Try:
    """`operation` comes with its attempts prefetched."""
    status = EscrowStatus(operation.status)
    kind = {EscrowStatus.CONFIRMED: "ok", EscrowStatus.FAILED: "bad", EscrowStatus.CANCELLED: "quiet"}.get(status, "")
    sent = [row.tx_hash for row in operation.attempts.all()]
    if operation.tx_hash and operation.tx_hash not in sent:
        sent.append(operation.tx_hash)
    explorer = settings.CHAIN_EXPLORER_URL
    return Try(
        "Time until which escrow holds it" if operation.kind == EscrowKind.EXTEND else "Money into escrow",
        OPERATIONS[status],
        kind,
        operation.confirmed_at or operation.created_at,
        operation.reason,
        operation.block_number,
        [(tx, f"{explorer}{tx}" if explorer else "") for tx in sent],
    )


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to an amendment."""

    icon_name: str
    who: str
    text: str
    at: datetime
    quote: str = ""


def steps(amendment: Amendment, viewer: Any) -> list[Step]:
    """What happened to one version, oldest first."""

    def name(person: Any) -> str:
        return "You" if person.pk == viewer.pk else str(person.first_name)

    proposer, answerer = name(amendment.proposer), name(amendment.answerer)
    found = [Step("git-compare", proposer, "proposed it" if amendment.version == 1 else f"sent version {amendment.version}", amendment.created_at)]
    answered = amendment.answered_at
    if answered is not None and amendment.status != A.WITHDRAWN:
        if amendment.status in (A.CHANGES_REQUESTED, A.SUPERSEDED):
            found.append(Step("pencil", answerer, "asked for changes", answered, amendment.answer))
        elif amendment.status == A.REJECTED:
            found.append(Step("circle-x", answerer, "declined it", answered, amendment.answer))
        elif amendment.status != A.EXPIRED:
            found.append(Step("circle-check", answerer, "approved it", answered))
    if amendment.paid_at is not None:
        paid = amendment.invoice.total if amendment.invoice is not None else amendment.total
        words = f"paid {usd(paid)}" if paid else "paid with credit alone"
        found.append(Step("wallet", name(amendment.order.client), words, amendment.paid_at))
    closed = amendment.closed_at
    if amendment.status == A.COMPLETED and amendment.completed_at is not None:
        found.append(Step("lock", "", "It came into force", amendment.completed_at))
    elif amendment.status == A.WITHDRAWN and closed is not None:
        found.append(Step("undo-2", proposer, "withdrew it", closed))
    elif amendment.status == A.EXPIRED and closed is not None:
        found.append(Step("hourglass", "", amendment.answer or "It lapsed, as it was not settled in time", closed))
    elif amendment.status == A.REFUNDED and closed is not None:
        found.append(Step("undo-2", "", "It did not come into force, and the money was sent back", closed))
    return sorted(found, key=lambda step: step.at)
