"""An amendment in words, for one of its two people: whose turn it is, what changes, what it costs. Pure words, no queries."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

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
TAGS: dict[A, tuple[str | Promise, str]] = {
    A.PENDING: (gettext_lazy("Waiting for an answer"), ""),
    A.CHANGES_REQUESTED: (gettext_lazy("Changes asked for"), ""),
    A.APPROVED: (gettext_lazy("To be paid"), ""),
    A.PAID: (gettext_lazy("Going into escrow"), "tint"),
    A.FUNDING: (gettext_lazy("Going into escrow"), "tint"),
    A.FUNDING_FAILED: (gettext_lazy("Not in escrow"), "bad"),
    A.COMPLETED: (gettext_lazy("In force"), "ok"),
    A.REJECTED: (gettext_lazy("Declined"), "quiet"),
    A.WITHDRAWN: (gettext_lazy("Withdrawn"), "quiet"),
    A.SUPERSEDED: (gettext_lazy("Replaced"), "quiet"),
    A.EXPIRED: (gettext_lazy("Lapsed"), "quiet"),
    A.REFUNDED: (gettext_lazy("Money returned"), "quiet"),
}
OPERATIONS: dict[EscrowStatus, str | Promise] = {
    EscrowStatus.QUEUED: gettext_lazy("Waits for its turn"),
    EscrowStatus.SIGNED: gettext_lazy("Being sent to the chain"),
    EscrowStatus.SENT: gettext_lazy("Sent to the chain"),
    EscrowStatus.MINED: gettext_lazy("In a block, being confirmed"),
    EscrowStatus.BLOCKED: gettext_lazy("Held up for a moment"),
    EscrowStatus.CONFIRMED: gettext_lazy("Confirmed"),
    EscrowStatus.FAILED: gettext_lazy("Not taken"),
    EscrowStatus.CANCELLED: gettext_lazy("Called off"),
    EscrowStatus.NEEDS_REVIEW: gettext_lazy("A person of our team looks at it"),
}


def tag_of(amendment: Amendment) -> tuple[str, str]:
    words, kind = TAGS[A(amendment.status)]
    return str(words), kind


def hours_words(hours: int = settings.AMENDMENT_HOURS) -> str:
    """How long the other side has to answer."""
    return days_words(hours // 24) if hours % 24 == 0 else _("%(hours)s hours") % {"hours": hours}


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
        words = ngettext("%(number)s deliverable more", "%(number)s deliverables more", count) % {"number": count}
        found.append(Row(_("Scope"), before.deliverables_before, terms.deliverables, words, "list"))
    if terms.revisions:
        found.append(Row(_("Revisions"), f"{before.revisions_before}", f"{before.revisions_after}", f"+ {terms.revisions}"))
    found.append(Row(_("Price"), usd(before.price_before), usd(before.price_after), f"+ {usd(terms.amount)}" if terms.amount else ""))
    more = f"+ {days_words(terms.days)}" if terms.days else ""
    if before.due_before is not None:
        if before.due_after is not None:
            stood = before.due_after - before.due_before - timedelta(days=terms.days)
            # A delivered order that is taken up again gets its date from another rule than by adding days.
            if timedelta(minutes=1) <= stood and not before.reopens:
                span = {"days": days_words(terms.days), "span": span_words(stood.total_seconds())}
                more = (_("+ %(days)s and %(span)s that the clock stood") if terms.days else _("+ %(span)s that the clock stood")) % span
        found.append(Row(pgettext("in a table", "Due"), before.due_before, before.due_after, more, "date"))
    else:
        spans = (_("%(days)s from the answers") % {"days": days_words(days)} for days in (before.days_before, before.days_after))
        found.append(Row(_("Time"), *spans, more))
    return found


def days_rule(order: Order) -> str:
    """How the days of a change are counted, in one sentence."""
    if order.status == OrderStatus.DELIVERED:
        return _("Days count from the date of the order, or from the day on which the change comes into force if that is later.")
    return _("Days count from the date of the order, not from today. The clock stands while a request waits, and that time is added on top.")


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
            return pgettext("a change waits for it", "escrow")
        if not self.helm.wait:
            return pgettext("a change waits for them", "you")
        people = {A.PENDING: self.amendment.answerer, A.CHANGES_REQUESTED: self.amendment.proposer}
        return str(people.get(A(self.status), self.order.client).first_name)

    @property
    def after_words(self) -> str:
        if self.status == A.COMPLETED:
            return _("Since then")
        if self.is_past:
            return _("It would have been")
        if self.can_answer:
            return _("If you approve")
        if self.status != A.PENDING:
            return _("When in force")
        return _("If %(name)s approves") % {"name": self.amendment.answerer.first_name}


def look(amendment: Amendment, viewer: Any, moment: datetime, preview: Preview, *, credit: Decimal = ZERO) -> Look:
    """How `viewer` meets the amendment. `preview` says what it does or did; `credit` is what the client's credits would pay of it."""
    order = amendment.order
    tag, kind = tag_of(amendment)
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
    """The line of an open amendment on which `who` has to act; nobody has while it is on its way into escrow."""
    mine = who is not None and who.pk == viewer.pk
    name = _("On its way") if who is None else _("Your turn") if mine else _("%(name)s’s turn") % {"name": who.first_name}
    words = _until(amendment, viewer) if until else ""
    return Helm(
        who=_("%(turn)s, the clock stands") % {"turn": name} if amendment.order.clock_stopped_at else name,
        title=title,
        why=why,
        wait=not mine,
        href="#change",
        link=link,
        icon_name=icon_name,
        until=words,
        at=amendment.expires_at if until else None,
    )


def _until(amendment: Amendment, viewer: Any) -> str:
    return moment_words(amendment.expires_at, viewer.time_zone)


def _lapse(amendment: Amendment) -> str:
    order = amendment.order
    if amendment.asks_for_time:
        return pgettext("and then", "the date stays where it is")
    if order.due_at is not None and order.status in WORKING:
        return pgettext("and then", "the order stays as it is, and the time that the clock stood is added to its date")
    return pgettext("and then", "the order stays as it is")


def _to_answer(amendment: Amendment, viewer: Any, to_pay: Decimal) -> Helm:
    if amendment.asks_for_time:
        days = amendment.additional_days
        words = ngettext("%(name)s asks for %(n)s day more, answer by %(until)s", "%(name)s asks for %(n)s days more, answer by %(until)s", days)
        title = words % {"name": amendment.proposer.first_name, "n": days, "until": _until(amendment, viewer)}
        why = _("One press says yes or no. Without an answer the date stays where it is; until then the order does not count as late.")
        return _turn(amendment, viewer, amendment.answerer, title, why, _("Answer"), "calendar-clock")
    why = _("Without an answer it lapses: nothing is charged, %(lapse)s.") % {"lapse": _lapse(amendment)}
    facts = {"name": amendment.proposer.first_name, "until": _until(amendment, viewer)}
    title = _("Answer %(name)s’s change request by %(until)s") % facts
    return _turn(amendment, viewer, amendment.answerer, title, why, _("See the change"), "git-compare")


def _asked(amendment: Amendment, viewer: Any, to_pay: Decimal) -> Helm:
    why = _("Work may go on meanwhile. Without an answer your request lapses, and %(lapse)s.") % {"lapse": _lapse(amendment)}
    facts = {"name": amendment.answerer.first_name, "until": _until(amendment, viewer)}
    if amendment.asks_for_time:
        title = _("%(name)s answers your question for more time by %(until)s") % facts
    else:
        title = _("%(name)s answers your change request by %(until)s") % facts
    return _turn(amendment, viewer, amendment.answerer, title, why, _("See the change"), "git-compare")


def _to_revise(amendment: Amendment, viewer: Any, to_pay: Decimal) -> Helm:
    facts = {"name": amendment.answerer.first_name, "until": _until(amendment, viewer)}
    title = _("%(name)s asks for changes to your request, until %(until)s") % facts
    why = _("Send a new version, or withdraw it. Without either it lapses.")
    return _turn(amendment, viewer, amendment.proposer, title, why, _("See what to change"), "pencil")


def _revising(amendment: Amendment, viewer: Any, to_pay: Decimal) -> Helm:
    title = _("%(name)s revises the change request by %(until)s") % {"name": amendment.proposer.first_name, "until": _until(amendment, viewer)}
    why = _("You asked for changes. A new version comes to you to be approved; without one the request lapses.")
    return _turn(amendment, viewer, amendment.proposer, title, why, _("See the change"), "git-compare")


def _to_pay(amendment: Amendment, viewer: Any, to_pay: Decimal) -> Helm:
    why = _("The change comes into force when escrow has the money. Without payment it lapses, and %(lapse)s.") % {"lapse": _lapse(amendment)}
    title = _("Pay %(amount)s for the change by %(until)s") % {"amount": usd(to_pay), "until": _until(amendment, viewer)}
    turn = _turn(amendment, viewer, amendment.order.client, title, why, _("Pay"), "wallet")
    return replace(turn, href=reverse("payments:checkout", args=[amendment.invoice_id])) if amendment.invoice_id else turn


def _paying(amendment: Amendment, viewer: Any, to_pay: Decimal) -> Helm:
    client = amendment.order.client
    why = _("The change comes into force when escrow has the money. Before that nothing of it is part of the order.")
    title = _("%(name)s pays for the change by %(until)s") % {"name": client.first_name, "until": _until(amendment, viewer)}
    return _turn(amendment, viewer, client, title, why, _("See the change"), "git-compare")


def _funding(amendment: Amendment, viewer: Any, to_pay: Decimal) -> Helm:
    amount = amendment.additional_amount
    title = _("%(amount)s is going into escrow") % {"amount": usd(amount)} if amount else _("The change is being put into force")
    why = _("Price, date and scope change when that is confirmed, in about a minute. You need to do nothing, and you may close this page.")
    return _turn(amendment, viewer, None, title, why, _("See how far it is"), "git-compare", until=False)


def _failed(amendment: Amendment, viewer: Any, to_pay: Decimal) -> Helm:
    client = amendment.order.client
    title = _("Escrow did not take the change")
    if viewer.pk == client.pk:
        if amendment.additional_amount:
            why = _("The order is as it was, and no money is lost. Try again, or take the money back.")
        else:
            why = _("The order is as it was, and no money is lost. Try again, or give the change up.")
        return _turn(amendment, viewer, client, title, why, _("See what you can do"), "circle-alert", until=False)
    why = _("The order is as it was, and no money is lost. %(name)s tries again or gives it up.") % {"name": client.first_name}
    return _turn(amendment, viewer, client, title, why, _("See the change"), "circle-alert", until=False)


def _ended(amendment: Amendment, viewer: Any, to_pay: Decimal) -> Helm:
    day = {"day": moment_words(amendment.completed_at or amendment.closed_at or amendment.answered_at, viewer.time_zone)}
    as_it_was = _("%(day)s. Nothing was charged, and the order is as it was.") % day
    you = viewer.pk == amendment.proposer.pk
    proposer, answerer = {"name": amendment.proposer.first_name}, {"name": amendment.answerer.first_name}
    title, why = {
        A.COMPLETED: (_("The change is in force"), _("Since %(day)s. Price, date and scope of the order are the new ones.") % day),
        A.REJECTED: (_("%(name)s declined the change") % answerer if you else _("You declined the change"), as_it_was),
        A.WITHDRAWN: (_("You withdrew the change") if you else _("%(name)s withdrew the change") % proposer, as_it_was),
        A.SUPERSEDED: (_("A newer version took its place"), _("%(day)s. What counts is the newest version.") % day),
        A.EXPIRED: (
            _("The change lapsed"),
            _("%(what)s, %(day)s. Nothing was charged, and the order is as it was.")
            % (day | {"what": amendment.answer_words or _("It was not settled in time")}),
        ),
        A.REFUNDED: (
            _("The change is not in force"),
            _("%(day)s. The money goes back to where it came from, and the order is as it was.") % day,
        ),
    }[A(amendment.status)]
    return Helm(_("Done") if amendment.status == A.COMPLETED else _("Ended"), title, why, True)


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
        _("Time until which escrow holds it") if operation.kind == EscrowKind.EXTEND else _("Money into escrow"),
        str(OPERATIONS[status]),
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

    def did(icon_name: str, person: Any, at: datetime, yours: str, theirs: str, quote: str = "") -> None:
        """The two differ where a language says "you have" and "she has"."""
        you = person.pk == viewer.pk
        found.append(Step(icon_name, _("You") if you else str(person.first_name), yours if you else theirs, at, quote))

    found: list[Step] = []
    proposer, answerer, answer = amendment.proposer, amendment.answerer, amendment.answer_words
    if amendment.version == 1:
        did("git-compare", proposer, amendment.created_at, pgettext("after You", "proposed it"), _("proposed it"))
    else:
        version = {"number": amendment.version}
        yours, theirs = pgettext("after You", "sent version %(number)s") % version, _("sent version %(number)s") % version
        did("git-compare", proposer, amendment.created_at, yours, theirs)
    answered = amendment.answered_at
    if answered is not None and amendment.status != A.WITHDRAWN:
        if amendment.status in (A.CHANGES_REQUESTED, A.SUPERSEDED):
            did("pencil", answerer, answered, pgettext("after You", "asked for changes"), _("asked for changes"), answer)
        elif amendment.status == A.REJECTED:
            did("circle-x", answerer, answered, pgettext("after You", "declined it"), _("declined it"), answer)
        elif amendment.status != A.EXPIRED:
            did("circle-check", answerer, answered, pgettext("after You", "approved it"), _("approved it"))
    if amendment.paid_at is not None:
        paid = amendment.invoice.total if amendment.invoice is not None else amendment.total
        amount, payer = {"amount": usd(paid)}, amendment.order.client
        if paid:
            yours, theirs = pgettext("after You", "paid %(amount)s") % amount, pgettext("after a name", "paid %(amount)s") % amount
            did("wallet", payer, amendment.paid_at, yours, theirs)
        else:
            did("wallet", payer, amendment.paid_at, pgettext("after You", "paid with credit alone"), _("paid with credit alone"))
    closed = amendment.closed_at
    if amendment.status == A.COMPLETED and amendment.completed_at is not None:
        found.append(Step("lock", "", _("It came into force"), amendment.completed_at))
    elif amendment.status == A.WITHDRAWN and closed is not None:
        did("undo-2", proposer, closed, pgettext("after You", "withdrew it"), _("withdrew it"))
    elif amendment.status == A.EXPIRED and closed is not None:
        found.append(Step("hourglass", "", answer or _("It lapsed, as it was not settled in time"), closed))
    elif amendment.status == A.REFUNDED and closed is not None:
        found.append(Step("undo-2", "", _("It did not come into force, and the money was sent back"), closed))
    return sorted(found, key=lambda step: step.at)
