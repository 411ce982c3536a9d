"""A dispute about an order: opened, answered, settled by both sides, or decided by support.

While one is live the order stands still: its clock, and its money in escrow. Each step locks the order first, then the dispute.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from auditlog.actions import record
from auditlog.events import Event
from port444.builders import actions as builders
from port444.catalog import actions as catalog
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, NotAllowed, TooMany, WrongState, word_constraint, words
from port444.kit.money import parse, usd
from port444.kit.sentences import say
from port444.messaging.actions import keep_upload
from port444.messaging.models import Attachment
from port444.notifications.actions import notify
from port444.orders import emails, handlers, notices
from port444.orders.models import (
    DISPUTABLE,
    REASONS_OF_BUILDER,
    REASONS_OF_CLIENT,
    CancelCause,
    Dispute,
    DisputeReason,
    DisputeStatus,
    Evidence,
    Order,
    OrderStatus,
    family,
)
from port444.payments import escrow

from .closing import at_stake, close_dispute, divide, facts, lock_with_builder, pace, sides
from .telling import deal, post
from .terms import stop_clock

S = DisputeStatus
LONGEST = 5000
MOST_OF_ORDER = 3  # each one stops the clock, so nobody may go on opening them
MOST_EVIDENCE = 20  # of one person, for one dispute

word_constraint("dispute_one_live", Conflict(_("This order is in dispute already."), code="dispute_open"))
word_constraint("dispute_opened_once", Conflict(_("This form has been sent already. Look at the order."), code="sent_already"))


@transaction.atomic
def open_dispute(
    order_id: UUID, *, actor: Any, client_key: UUID, reason: DisputeReason, claim: str, to_client: Decimal, uploads: Sequence[Any] = ()
) -> Dispute:
    """Say that something is wrong, and what of the money in escrow should go back to the client. The order stands still from now on.

    `client_key` comes with the form: pressing twice opens one. Raises WrongState when nothing is being worked on, or when money of a
    change is on its way; TooMany after three disputes about one order.
    """
    order = Order.objects.lock(order_id)
    if not order.is_builder(actor):
        order.require_client(actor)
    by_client = not order.is_builder(actor)
    sent = order.disputes.filter(client_key=client_key, opened_by=actor).first()
    if sent is not None:
        return sent
    _require_account(actor)
    _require_disputable(order)
    claim = _checked(claim, gettext("Say what is wrong."))
    if reason not in (REASONS_OF_CLIENT if by_client else REASONS_OF_BUILDER):
        raise Invalid(gettext("Choose one of the reasons."), code="reason")
    handlers.disputing(order, actor)
    amount = at_stake(order)
    to_client = _within(to_client, amount)
    moment = now()
    with words():
        dispute = Dispute.objects.create(
            order=order,
            opened_by=actor,
            by_client=by_client,
            client_key=client_key,
            reason=reason,
            claim=claim,
            amount=amount,
            to_client=to_client,
            opened_at=moment,
            answer_until=moment + timedelta(hours=settings.DISPUTE_ANSWER_HOURS),
        )
    if uploads:
        _write_evidence(dispute, actor, "", uploads)
    order.disputed_at = moment
    order.save(update_fields=["disputed_at"])
    stop_clock(order)
    escrow.current().hold(deal(order), True, f"dispute:{dispute.pk}:hold", actor=actor)
    said = {"reason": reason, "to_client": to_client, "answer_until": dispute.answer_until}
    record(Event.DISPUTE_OPENED, actor=actor, target=dispute, amount=amount, after=said, **facts(dispute))
    post(order, notices.disputed(dispute), notices.DISPUTED)
    _tell(dispute, dispute.other_side, "dispute.opened", emails.dispute_opened(dispute), "opened")
    return dispute


def _require_disputable(order: Order) -> None:
    if order.disputed_at is not None:
        raise Conflict(gettext("This order is in dispute already."), code="dispute_open")
    if order.status in (OrderStatus.PENDING_PAYMENT, OrderStatus.FUNDING, OrderStatus.PENDING_REQUIREMENTS):
        raise WrongState(gettext("The work has not begun. Either side can cancel the order instead."), code="not_begun")
    if order.status not in DISPUTABLE:
        raise WrongState(
            gettext("This order is %(status)s; nothing of it is in escrow any more.") % {"status": order.status_words()}, code="order_over"
        )
    if order.disputes.count() >= MOST_OF_ORDER:
        raise TooMany(gettext("There were three disputes about this order. Write to support instead."), code="too_many_disputes")


@transaction.atomic
def answer_dispute(dispute_id: UUID, *, actor: Any, answer: str, offer: Decimal, uploads: Sequence[Any] = ()) -> Dispute:
    """The other side's view, and what they would let go back to the client. When that is what is wanted, the dispute is settled."""
    dispute = _lock(dispute_id)
    _require_side(dispute, actor)
    if dispute.is_claimant(actor):
        raise NotAllowed(gettext("The other side answers."))
    _require_live(dispute)
    if dispute.is_answered:
        raise WrongState(gettext("You have answered already. You can change what you offer."), code="answered")
    answer = _checked(answer, gettext("Say how you see it."))
    offer = _between(dispute, _within(offer, dispute.amount), actor)
    moment = now()
    dispute.answer, dispute.offer, dispute.answered_at = answer, offer, moment
    dispute.settle_until = moment + timedelta(hours=settings.DISPUTE_SETTLE_HOURS)
    dispute.save(update_fields=["answer", "offer", "answered_at", "settle_until"])
    if uploads:
        _write_evidence(dispute, actor, "", uploads)
    before = dispute.status
    if dispute.status == S.OPEN:
        dispute.move_to(S.ANSWERED)
    said = {"status": dispute.status, "offer": offer, "settle_until": dispute.settle_until}
    record(Event.DISPUTE_ANSWERED, actor=actor, target=dispute, amount=offer, before={"status": before}, after=said, **facts(dispute))
    post(dispute.order, notices.dispute_answered(dispute), notices.ANSWERED_DISPUTE)
    if offer == dispute.to_client:
        _settle(dispute, offer, actor)
    else:
        _tell(dispute, dispute.opened_by, "dispute.answered", emails.dispute_answered(dispute), "answered")
    return dispute


@transaction.atomic
def change_figure(dispute_id: UUID, *, actor: Any, to_client: Decimal) -> Dispute:
    """Come closer: another figure than before. When it is what the other side would take, the dispute is settled."""
    dispute = _lock(dispute_id)
    _require_side(dispute, actor)
    _require_live(dispute)
    before = dispute.figure_of(actor)
    if before is None:
        raise WrongState(gettext("Answer first; your offer comes with it."), code="unanswered")
    to_client = _between(dispute, _within(to_client, dispute.amount), actor)
    if to_client == before:
        raise Invalid(gettext("That is what you have said already."), code="same_figure")
    name = "to_client" if dispute.is_claimant(actor) else "offer"
    setattr(dispute, name, to_client)
    dispute.save(update_fields=[name])
    record(Event.DISPUTE_ANSWERED, actor=actor, target=dispute, amount=to_client, before={name: before}, after={name: to_client}, **facts(dispute))
    post(dispute.order, notices.figure_changed(dispute, actor), notices.ANSWERED_DISPUTE)
    if to_client == dispute.figure_against(actor):
        _settle(dispute, to_client, actor)
    else:
        other = dispute.order.other(actor)
        _tell(dispute, other, "dispute.answered", emails.figure_changed(dispute, actor, other), f"figure:{now().timestamp():.6f}")
    return dispute


@transaction.atomic
def settle_dispute(dispute_id: UUID, *, actor: Any, seen: Decimal) -> Dispute:
    """Take what the other side says: the money is split so, and the order ends.

    `seen` is the figure that was on the page. Raises Conflict `figure_changed` when it is another one by now.
    """
    dispute = _lock(dispute_id)
    _require_side(dispute, actor)
    _require_live(dispute)
    figure = dispute.figure_against(actor)
    if figure is None:
        raise WrongState(gettext("There is no offer yet."), code="unanswered")
    if figure != seen:
        raise Conflict(gettext("The figure on your page is not the newest any more. Look at it again before you agree."), code="figure_changed")
    _settle(dispute, figure, actor)
    return dispute


def _settle(dispute: Dispute, to_client: Decimal, actor: Any) -> None:
    order = dispute.order
    _end_order(dispute, to_client, actor)
    close_dispute(dispute, S.SETTLED, actor=actor, event=Event.DISPUTE_SETTLED, order_goes_on=False, decided_to_client=to_client)
    post(order, notices.settled(dispute), notices.SETTLED_DISPUTE)
    for person in (order.client, order.builder.user):
        _tell(dispute, person, "dispute.settled", emails.dispute_settled(dispute, person), "settled")


@transaction.atomic
def withdraw_dispute(dispute_id: UUID, *, actor: Any) -> Dispute:
    """The claimant has no claim any more: the order goes on where it stood, and both get the time back."""
    dispute = _lock(dispute_id)
    _require_side(dispute, actor)
    if not dispute.is_claimant(actor):
        raise NotAllowed(gettext("Only who opened the dispute can withdraw it."))
    _require_live(dispute)
    close_dispute(dispute, S.WITHDRAWN, actor=actor, event=Event.DISPUTE_WITHDRAWN, order_goes_on=True)
    post(dispute.order, notices.dispute_withdrawn(dispute), notices.SETTLED_DISPUTE)
    _tell(dispute, dispute.other_side, "dispute.withdrawn", emails.dispute_withdrawn(dispute), "withdrawn")
    return dispute


@transaction.atomic
def escalate_dispute(dispute_id: UUID, *, actor: Any) -> Dispute:
    """Ask support to decide, once both sides have spoken. They can still settle it themselves."""
    dispute = _lock(dispute_id)
    _require_side(dispute, actor)
    _require_live(dispute)
    if dispute.status == S.OPEN:
        raise WrongState(gettext("%(name)s has time to answer first.") % {"name": dispute.other_side.first_name}, code="unanswered")
    _escalate(dispute, actor)
    return dispute


@transaction.atomic
def escalate_overdue(dispute_id: UUID) -> Dispute:
    """Nobody answered or settled in time; for the sweep."""
    dispute = _lock(dispute_id)
    if dispute.until is None or dispute.until > now():
        raise WrongState(gettext("This dispute has time."))
    _escalate(dispute, None)
    return dispute


def _escalate(dispute: Dispute, actor: Any | None) -> None:
    before = dispute.status
    dispute.move_to(S.ESCALATED, escalated_at=now())
    record(
        Event.DISPUTE_ESCALATED,
        actor=actor,
        target=dispute,
        amount=dispute.amount,
        before={"status": before},
        after={"status": dispute.status},
        **facts(dispute),
    )
    post(dispute.order, notices.escalated(dispute, actor), notices.ESCALATED)
    for person in (dispute.order.client, dispute.order.builder.user):
        if actor is None or person.pk != actor.pk:
            _tell(dispute, person, "dispute.escalated", emails.dispute_escalated(dispute, person), "escalated")


@transaction.atomic
def add_evidence(dispute_id: UUID, *, actor: Any, text: str, uploads: Sequence[Any] = ()) -> Evidence:
    """Words, files or both, which stay as they were written. The other side reads them, and support."""
    dispute = _lock(dispute_id)
    _require_side(dispute, actor)
    _require_live(dispute)
    text = text.replace("\r\n", "\n").strip()
    if not text and not uploads:
        raise Invalid(gettext("Write something, or add a file."), code="evidence_empty")
    evidence = _write_evidence(dispute, actor, _checked(text, "") if text else "", uploads)
    post(dispute.order, notices.evidence_added(dispute, actor), notices.EVIDENCE)
    other = dispute.order.other(actor)
    _tell(dispute, other, "dispute.evidence", emails.evidence_added(evidence, actor, other), f"evidence:{evidence.pk}")
    return evidence


@transaction.atomic
def ask_sides(dispute_id: UUID, *, actor: Any, text: str) -> Evidence:
    """Support writes to both sides; whoever calls this has checked that `actor` may."""
    dispute = _lock(dispute_id)
    _require_support(dispute, actor)
    _require_live(dispute)
    evidence = _write_evidence(dispute, actor, _checked(text, gettext("Write what you want to know.")), ())
    for person in (dispute.order.client, dispute.order.builder.user):
        _tell(dispute, person, "dispute.evidence", emails.support_asks(evidence, person), f"evidence:{evidence.pk}")
    post(dispute.order, notices.support_wrote(dispute), notices.EVIDENCE)
    return evidence


def _write_evidence(dispute: Dispute, actor: Any, text: str, uploads: Sequence[Any]) -> Evidence:
    if len(uploads) > settings.UPLOAD_MAX_FILES:
        raise Invalid(gettext("At most %(most)s files.") % {"most": settings.UPLOAD_MAX_FILES}, code="too_many_files")
    if dispute.evidence.filter(author=actor).count() >= MOST_EVIDENCE:
        raise TooMany(gettext("You have added a lot to this dispute already. Support has enough to decide."), code="too_much_evidence")
    evidence = Evidence.objects.create(dispute=dispute, author=actor, text=text, added_at=now())
    kept: list[Attachment] = [keep_upload(dispute.order.conversation, upload, actor=actor) for upload in uploads]
    evidence.files.add(*kept)
    record(Event.DISPUTE_EVIDENCE, actor=actor, target=dispute, evidence=evidence.pk, length=len(text), files=len(kept), **facts(dispute))
    return evidence


def lock_dispute(dispute_id: UUID) -> Dispute:
    """The builder, the order and the dispute under lock, as all that ends an order locks them."""
    return _lock(dispute_id)


@transaction.atomic
def decide_dispute(dispute_id: UUID, *, actor: Any, to_client: Decimal, decision: str) -> Dispute:
    """Support's decision, after both sides had their time: `to_client` goes back, the rest to the builder, and the order ends.

    Whoever calls this has checked that `actor` may. Raises WrongState when the two have settled it meanwhile.
    """
    dispute = _lock(dispute_id)
    _require_support(dispute, actor)
    if dispute.status != S.ESCALATED:
        raise WrongState(
            gettext("This dispute is %(status)s; support decides what is with support.") % {"status": dispute.status_words()}, code="not_escalated"
        )
    to_client, decision = _within(to_client, dispute.amount), _checked(decision, gettext("Both sides read why. Write it."))
    order = dispute.order
    _end_order(dispute, to_client, actor)
    stamps: dict[str, Any] = {"decided_to_client": to_client, "decision": decision, "decided_by": actor}
    close_dispute(dispute, S.DECIDED, actor=actor, event=Event.DISPUTE_DECIDED, order_goes_on=False, **stamps)
    post(order, notices.decided(dispute), notices.DECIDED)
    for person in (order.client, order.builder.user):
        _tell(dispute, person, "dispute.decided", emails.dispute_decided(dispute, person), "decided")
    return dispute


def _end_order(dispute: Dispute, to_client: Decimal, actor: Any) -> None:
    """Split what is in escrow and end the order: cancelled when all of it goes back, completed when anything goes to the builder."""
    order = dispute.order
    handlers.ending(order, actor)
    why = say("%(dispute)s about order %(number)s", dispute=str(dispute), number=order.number)
    divide(order, dispute.amount, to_client, source=dispute.pk, name="dispute", why=why, actor=actor, ruling=True)
    if to_client < dispute.amount:
        order.move_to(OrderStatus.COMPLETED, completed_at=now(), accepted_by_client=False)
        builders.count_completed(order.builder_id, on_time=None)
        said = {"by_itself": False, "dispute": dispute.number, **sides(order), **pace(order)}
        record(Event.ORDER_COMPLETED, actor=actor, target=order, amount=order.price, **said)
    else:
        for one in family(order):
            catalog.forget_sale(one)
        order.move_to(OrderStatus.CANCELLED, cancelled_at=now(), cancelled_by=None, cancel_cause=CancelCause.DISPUTE)
        said = {"cause": CancelCause.DISPUTE, "dispute": dispute.number, "before_work": False, **sides(order)}
        record(Event.ORDER_CANCELLED, actor=actor, target=order, **said)


def _lock(dispute_id: UUID) -> Dispute:
    order = lock_with_builder(Dispute.objects.values_list("order_id", flat=True).get(pk=dispute_id))
    dispute = Dispute.objects.lock(dispute_id)
    dispute.order = order
    return dispute


def _require_side(dispute: Dispute, actor: Any) -> None:
    dispute.require_party(actor)
    _require_account(actor)


def _require_support(dispute: Dispute, actor: Any) -> None:
    """A side of it who is one of the staff is a side of it here."""
    if not actor.is_staff:
        raise NotAllowed(gettext("Only support can do that."))
    if actor.pk in (dispute.order.client_id, dispute.order.builder.user_id):
        raise NotAllowed(gettext("You cannot decide what is about yourself, nor write about it as support."), code="own_case")


def _require_account(actor: Any) -> None:
    if actor.is_suspended:
        raise NotAllowed(gettext("A suspended account cannot do that. Write to support."), code="suspended")


def _require_live(dispute: Dispute) -> None:
    if not dispute.is_live:
        raise WrongState(gettext("This dispute is %(status)s already.") % {"status": dispute.status_words()}, code="dispute_over")


def _within(amount: Decimal, most: Decimal) -> Decimal:
    amount = parse(amount)
    if amount > most:
        raise Invalid(gettext("%(most)s is in escrow; not more than that can go back.") % {"most": usd(most)}, code="figure_range")
    return amount


def _between(dispute: Dispute, figure: Decimal, actor: Any) -> Decimal:
    """`figure` as long as it is no better for the other side than what they ask for; then the claim can simply be accepted."""
    against = dispute.figure_against(actor)
    if against is None:
        return figure
    client = actor.pk == dispute.order.client_id
    if (figure < against) if client else (figure > against):
        other = dispute.order.other(actor).first_name
        raise Invalid(
            gettext("%(other)s would settle for %(against)s back to %(client)s: accept that instead.")
            % {"other": other, "against": usd(against), "client": dispute.order.client.first_name},
            code="figure_past",
        )
    return figure


def _checked(text: str, missing: str) -> str:
    text = text.replace("\r\n", "\n").strip()
    if not text:
        raise Invalid(missing, code="text_missing")
    if len(text) > LONGEST:
        raise Invalid(gettext("At most %(most)s characters.") % {"most": LONGEST}, code="text_long")
    if "\x00" in text:
        raise Invalid(gettext("The text has a character that cannot be stored."), code="text_null")
    return text


def url(dispute: Dispute) -> str:
    return reverse("orders:dispute", args=[dispute.number])


def _tell(dispute: Dispute, person: Any, kind: str, said: emails.Words, step: str) -> None:
    """Notify one person; each step of a dispute is told once."""
    notify(
        person,
        kind,
        title=said.title,
        body=said.body,
        url=url(dispute),
        dedupe_key=f"dispute:{dispute.pk}:{step}:{person.pk}",
        context={"label": _("Open the dispute"), "facts": emails.facts_of_dispute(dispute, person)},
    )
