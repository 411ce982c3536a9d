"""From a chosen time to a confirmed call.

Lock order: the builder, the client, then consultations by id, then claims, then the invoice. Whoever writes a claim holds the builder's row,
so two people who want one time queue up there instead of meeting in the index of the exclusion constraint, where PostgreSQL
may have to break a deadlock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from auditlog.actions import record
from auditlog.events import Event
from consultations import emails
from consultations.models import CallSettings, ClaimStatus, Consultation, ConsultationStatus, SlotClaim
from consultations.queries import call_settings, nearest, offers, open_starts
from consultations.slots import Span
from port444.accounts.models import User, check_zone
from port444.builders.models import Builder
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, NotAllowed, constraint_name, word_constraint, words
from port444.kit.ids import uuid7
from port444.kit.money import fee, usd
from port444.kit.sentences import say
from port444.messaging.actions import open_conversation, post_notice
from port444.notifications.actions import notify
from port444.payments import escrow
from port444.payments.actions import Line, open_invoice, request_refund, void_invoice
from port444.payments.models import Invoice, Payment

from .calendars import live_busy
from .follow import follow

C = ConsultationStatus
PURPOSE = "consultation"
MOST_HOLDS = 3
TAKEN = "slot_taken"

A_YEAR = timedelta(days=366)
NOT_OFFERED = _("This time is not on offer. Pick one from the list.")
GONE = _("That time was just booked by somebody else. You have not been charged. Pick another one.")

word_constraint("slot_claim_builder_free", Conflict(GONE, code=TAKEN))
word_constraint("slot_claim_client_free", Conflict(_("You have another call at that time. Pick another one."), code=TAKEN))
word_constraint("slot_claim_one_hold", Conflict(_("You are already holding a time with this builder. Please try again."), code="hold_exists"))
word_constraint("consultation_asked_once", Conflict(_("This call was asked for already. Look at your calls."), code="asked_twice"))


@dataclass(frozen=True, slots=True)
class Wish:
    """What the client asks for."""

    minutes: int
    starts_at: datetime
    client_zone: str
    notes: str
    client_key: UUID

    @property
    def ends_at(self) -> datetime:
        return self.starts_at + timedelta(minutes=self.minutes)


def hold_slot(
    builder_id: UUID,
    *,
    actor: Any,
    minutes: int,
    starts_at: datetime,
    client_zone: str,
    notes: str = "",
    client_key: UUID,
    live: Sequence[Span] | None = None,
) -> Consultation:
    """Hold a time for `actor` for settings.HOLD_MINUTES while they pay, and open its invoice.

    The same `client_key` gives the same call again. A client holds one time per builder: asking for the time that is already
    held continues that hold with the new notes, asking for another one gives the first back and voids its invoice, so that
    money that still arrives for it is sent back by payments and can never buy a second call. Raises Conflict `slot_taken` when
    somebody was first, Invalid for what is not on offer.

    The builder's calendars are asked before the transaction, so this talks to a network; a caller with a transaction of its own asks
    before that and gives their answer as `live`.
    """
    wish = Wish(minutes, starts_at, client_zone, notes, client_key)
    if live is None:
        live = ask_calendars(Builder.objects.select_related("call_settings").get(pk=builder_id), starts_at, minutes)
    return claiming(lambda: _hold(builder_id, actor, wish, live))


def ask_calendars(builder: Builder, starts_at: datetime, minutes: int, *, ignore: Span | None = None) -> list[Span]:
    """What stands in the builder's calendars around a call, but for `ignore`; nothing for a time that cannot be anyway."""
    moment = now()
    if not moment < starts_at < moment + A_YEAR:
        return []
    terms = call_settings(builder)
    gap = timedelta(minutes=terms.gap_minutes if terms else 0)
    return live_busy(builder, starts_at - gap, starts_at + timedelta(minutes=minutes) + gap, ignore)


def claiming(write: Callable[[], Consultation]) -> Consultation:
    """Run a transaction that claims time, with what the database refuses worded.

    "busy" is a deadlock that PostgreSQL broke at our cost. Nothing was written then, so one more try is safe; after that, others
    are at this time.
    """
    try:
        try:
            with words():
                return write()
        except Conflict as error:
            if error.code != "busy" or connection.in_atomic_block:
                raise
        with words():
            return write()
    except Conflict as error:
        if error.code == "busy":
            raise Conflict(GONE, code=TAKEN) from error
        raise


@transaction.atomic
def _hold(builder_id: UUID, actor: Any, wish: Wish, live: Sequence[Span]) -> Consultation:
    moment = now()
    builder = Builder.objects.lock(builder_id)
    client = User.objects.lock(actor.pk)  # holds are counted over all builders
    if client.is_suspended or not client.is_active:
        raise NotAllowed(gettext("A suspended account cannot book."), code="suspended")
    asked = Consultation.objects.select_related("claim").filter(client=actor, client_key=wish.client_key).first()
    if asked is not None and (asked.status == C.EXPIRED or _ran_out(asked.claim, moment)):
        asked, wish = None, replace(wish, client_key=uuid7())  # the same form again, after its hold was given back: a new call
    if asked is not None:
        if (asked.builder_id, asked.scheduled_at, asked.duration) != (builder.pk, wish.starts_at, wish.minutes):
            raise Conflict(gettext("This form was used for another call. Reload the page and choose again."), code="asked_twice")
        return asked
    _check_input(builder, actor, wish, moment)
    claims = _stale_and_own(builder, actor, wish, moment)
    for claim in claims:
        own = claim.builder_id == builder.pk and claim.client_id == actor.pk and not _ran_out(claim, moment)
        if own and (claim.consultation.scheduled_at, claim.consultation.duration) == (wish.starts_at, wish.minutes):
            return _continue_hold(claim.consultation, wish, moment)
    offered, is_open = offers(builder, client_id=actor.pk, minutes=wish.minutes, starts_at=wish.starts_at, moment=moment, live=live)
    if not offered:
        raise Invalid(NOT_OFFERED, code="slot_not_offered")
    if not is_open:
        raise Conflict(GONE, code=TAKEN)
    for claim in claims:
        _release(claim, moment, actor=actor)
    if _live_holds(actor, moment) >= MOST_HOLDS:
        raise Conflict(
            gettext("You are holding several times already. Pay for one of them, or let it go, before you hold another."), code="too_many_holds"
        )
    return _claim(builder, actor, wish, moment)


def _ran_out(claim: SlotClaim, moment: datetime) -> bool:
    return claim.hold_expires_at is not None and claim.hold_expires_at <= moment


def _check_input(builder: Builder, actor: Any, wish: Wish, moment: datetime) -> None:
    if builder.user_id == actor.pk:
        raise NotAllowed(gettext("This is your own page. Clients book you here."), code="own_page")
    if not builder.user.is_active or builder.user.is_suspended:
        raise Invalid(gettext("This builder takes no calls at the moment."), code="no_calls")
    if builder.call_price(wish.minutes) is None:
        raise Invalid(gettext("This length is not on offer."), code="length_not_offered")
    if not moment < wish.starts_at < moment + A_YEAR:  # no horizon is that far; arithmetic beyond may overflow
        raise Invalid(NOT_OFFERED, code="slot_not_offered")
    if len(wish.notes) > 600:
        raise Invalid(gettext("Notes have at most 600 characters."), code="notes_long")
    try:
        check_zone(wish.client_zone)
    except ValidationError as error:
        raise Invalid(error.messages[0], code="zone") from None


def _stale_and_own(builder: Builder, actor: Any, wish: Wish, moment: datetime) -> list[SlotClaim]:
    """Holds to give back first, locked in order of id: those that ran out and lie in the way, and the client's own with this builder."""
    reach = CallSettings.objects.filter(builder=builder).values_list("gap_minutes", flat=True).first() or 0
    span = (wish.starts_at, wish.ends_at + timedelta(minutes=reach))
    stale = Q(claim__hold_expires_at__lte=moment, claim__busy__overlap=span) & (Q(builder=builder) | Q(client=actor))
    own = Q(builder=builder, client=actor)
    rows = Consultation.objects.filter(stale | own, status=C.HELD).order_by("pk").select_for_update(of=("self",), no_key=True)
    held = {row.pk: row for row in rows}
    claims = list(
        SlotClaim.objects.filter(consultation__in=held, status=ClaimStatus.HELD).order_by("pk").select_for_update(of=("self",), no_key=True)
    )
    for claim in claims:
        claim.consultation = held[claim.consultation_id]
    return claims


def _continue_hold(consultation: Consultation, wish: Wish, moment: datetime) -> Consultation:
    """Again for the same time: the hold stands, with what the client says now."""
    changed = consultation.client_notes != wish.notes, consultation.client_zone != wish.client_zone
    consultation.client_notes, consultation.client_zone, consultation.updated_at = wish.notes, wish.client_zone, moment
    consultation.save(update_fields=["client_notes", "client_zone", "updated_at"])
    record(Event.CALL_NOTES_CHANGED, actor=consultation.client, target=consultation, notes=changed[0], zone=changed[1])
    return consultation


def _release(claim: SlotClaim, moment: datetime, *, actor: Any | None) -> None:
    """Give a held time back. A hold that its client replaces is voided with it; one that ran out stays payable until payments voids it."""
    replaced = not _ran_out(claim, moment)
    consultation = claim.consultation
    _give_back(claim, moment, actor=actor if replaced else None, replaced=replaced)
    if replaced and consultation.invoice_id is not None:
        void_invoice(consultation.invoice_id, actor=actor)


def _give_back(claim: SlotClaim, moment: datetime, *, actor: Any | None, replaced: bool = False) -> None:
    consultation = claim.consultation
    claim.move_to(ClaimStatus.RELEASED, hold_expires_at=None)
    consultation.move_to(C.EXPIRED, expired_at=moment, updated_at=moment)
    record(Event.CALL_EXPIRED, actor=actor, target=consultation, starts_at=consultation.scheduled_at, replaced=replaced)


def _live_holds(actor: Any, moment: datetime) -> int:
    return SlotClaim.objects.filter(client=actor, status=ClaimStatus.HELD, hold_expires_at__gt=moment).count()


def _claim(builder: Builder, actor: Any, wish: Wish, moment: datetime) -> Consultation:
    terms = CallSettings.objects.get(builder=builder)
    price = builder.call_price(wish.minutes)
    assert price is not None  # checked by the caller under the same lock
    until = moment + timedelta(minutes=settings.HOLD_MINUTES)
    key = uuid7()
    consultation = Consultation(
        id=key,
        chain=key,
        builder=builder,
        client=actor,
        conversation=open_conversation(actor, builder.user, actor=actor),
        client_key=wish.client_key,
        duration=wish.minutes,
        price=price,
        client_fee=fee(price, settings.CLIENT_FEE_BPS),
        builder_fee_bps=settings.BUILDER_FEE_BPS,
        scheduled_at=wish.starts_at,
        ends_at=wish.ends_at,
        client_zone=wish.client_zone,
        builder_zone=terms.time_zone,
        refund_policy=terms.refund_policy,
        free_hours=terms.free_hours,
        move_limit=terms.move_limit,
        move_hours=terms.move_hours,
        meeting_provider=terms.meeting_provider,
        client_notes=wish.notes,
        created_at=moment,
        updated_at=moment,
    )
    consultation.save(force_insert=True)
    busy = DateTimeTZRange(consultation.scheduled_at, consultation.ends_at + timedelta(minutes=terms.gap_minutes), "[)")
    SlotClaim.objects.create(consultation=consultation, builder=builder, client=actor, busy=busy, hold_expires_at=until)
    lines = [Line(say("Call with %(name)s, %(minutes)s min", name=builder.user.name, minutes=wish.minutes), price)]
    if consultation.client_fee:
        lines.append(Line(say("Service fee"), consultation.client_fee, is_fee=True))
    consultation.invoice = open_invoice(
        purpose=PURPOSE,
        subject_id=consultation.pk,
        deal_id=consultation.chain,
        payer=actor,
        payee=builder.user,
        lines=lines,
        return_url=reverse("consultations:detail", args=[consultation.pk]),
        expires_at=until,
        actor=actor,
    )
    consultation.save(update_fields=["invoice"])
    record(
        Event.CALL_HELD,
        actor=actor,
        target=consultation,
        amount=consultation.total,
        builder=builder.pk,
        starts_at=wish.starts_at,
        minutes=wish.minutes,
    )
    return consultation


def lock_for_payment(consultation_id: UUID) -> Consultation:
    """What payments locks before the invoice: the builder, then the call."""
    return Consultation.objects.lock(consultation_id)


def payment_begun(consultation: Consultation, invoice: Invoice, moment: datetime) -> datetime | None:
    """Whoever begins to pay shortly before the hold ends gets the whole time once more, so that the payment can outlive no hold. Once."""
    hold = timedelta(minutes=settings.HOLD_MINUTES)
    if consultation.status != C.HELD or invoice.expires_at is None or invoice.expires_at > invoice.opened_at + hold:
        return None
    claim = SlotClaim.objects.select_for_update(of=("self",), no_key=True).get(consultation=consultation)
    if claim.status != ClaimStatus.HELD or _ran_out(claim, moment):
        return None
    claim.hold_expires_at = moment + hold
    claim.save(update_fields=["hold_expires_at"])
    return claim.hold_expires_at


def call_paid(consultation: Consultation, invoice: Invoice, payment: Payment | None) -> None:
    """The invoice is paid: confirm the call. When its hold is gone, try for the time again; if that fails, give the money back.

    A call whose start has passed by now is not confirmed, held or not: nobody could have come to it.
    """
    if consultation.status not in (C.HELD, C.EXPIRED):
        return
    assert payment is not None  # no credit pays for calls
    moment = now()
    if not _secure(consultation, moment):
        _refund_late(consultation, payment, moment)
        return
    builder, client = consultation.builder, consultation.client
    consultation.move_to(C.SCHEDULED, paid_at=moment, expired_at=None, meeting_url=builder.meeting_url, updated_at=moment)
    expiry = consultation.ends_at + timedelta(days=settings.ESCROW_GRACE_DAYS)
    key = f"call:{consultation.chain}:open"
    escrow.current().open(consultation.deal, consultation.price, consultation.builder_fee_bps, key, expiry=expiry, actor=client)
    record(Event.CALL_SCHEDULED, actor=client, target=consultation, amount=consultation.price, starts_at=consultation.scheduled_at)
    follow(consultation, moment)
    post_notice(consultation.conversation_id, body=emails.scheduled_notice(consultation), icon="calendar-check", subject=consultation.subject)
    for reader in (client, builder.user):
        said = emails.scheduled(consultation, reader)
        notify(
            reader,
            "call_scheduled",
            title=said.title,
            body=said.body,
            url=consultation.url,
            dedupe_key=f"call_scheduled:{consultation.pk}:{reader.pk}",
            context=emails.context(consultation, reader),
            moment=moment,
        )


def _secure(consultation: Consultation, moment: datetime) -> bool:
    """Make the claim firm; False when the time is gone."""
    claim = SlotClaim.objects.select_for_update(of=("self",), no_key=True).get(consultation=consultation)
    builder = consultation.builder
    if consultation.scheduled_at <= moment or not builder.user.is_active or builder.user.is_suspended:
        if claim.status == ClaimStatus.HELD:
            claim.consultation = consultation
            _give_back(claim, moment, actor=None)
        return False
    if claim.status == ClaimStatus.HELD:
        claim.move_to(ClaimStatus.CONFIRMED, hold_expires_at=None)
        return True
    # The hold is gone, so the time is asked for again; notice was kept when the client asked first.
    _, is_open = offers(
        builder,
        client_id=consultation.client_id,
        minutes=consultation.duration,
        starts_at=consultation.scheduled_at,
        moment=moment,
        ignoring=consultation.pk,
        notice=False,
    )
    if not is_open or not clear_stale(builder, consultation.client_id, claim.busy, moment):
        return False
    try:
        with transaction.atomic():
            claim.move_to(ClaimStatus.CONFIRMED, hold_expires_at=None)
    except IntegrityError as error:
        if constraint_name(error) not in ("slot_claim_builder_free", "slot_claim_client_free"):
            raise
        return False
    return True


def clear_stale(builder: Builder, client_id: UUID, busy: Any, moment: datetime) -> bool:
    """Give back the holds that ran out and lie in the way of `busy`; False when one of them is just being paid.

    The client's stale holds with other builders are not under this builder's lock. Whoever has one locked may be paying for it
    and wait for the books that this transaction has moved already, so it is not waited for: that one was first.
    """
    over = Consultation.objects.filter(
        Q(builder=builder) | Q(client=client_id), status=C.HELD, claim__hold_expires_at__lte=moment, claim__busy__overlap=busy
    )
    in_the_way = over.count()
    found = list(over.order_by("pk").select_for_update(of=("self",), no_key=True, skip_locked=True))
    if len(found) < in_the_way:
        return False
    for stale in found:
        claim = SlotClaim.objects.select_for_update(of=("self",), no_key=True).get(consultation=stale)
        claim.consultation = stale
        _release(claim, moment, actor=None)
    return True


def _refund_late(consultation: Consultation, payment: Payment, moment: datetime) -> None:
    client = consultation.client
    request_refund(
        payment,
        payment.amount,
        reason=say("The time was gone when the payment arrived"),
        dedupe_key=f"call:{consultation.pk}:late:{payment.pk}",
        actor=None,
        fee=consultation.client_fee,
    )
    starts = open_starts(consultation.builder, client_id=client.pk, minutes=consultation.duration, moment=moment)
    said = emails.late(consultation, usd(payment.amount), nearest(starts, consultation.scheduled_at))
    notify(
        client,
        "call_late",
        title=said.title,
        body=said.body,
        url=reverse("consultations:book", args=[consultation.builder.slug]),
        dedupe_key=f"call_late:{payment.pk}",
        context={"label": _("Pick another time")},
        moment=moment,
    )


def call_unpaid(consultation: Consultation, invoice: Invoice) -> None:
    """The time to pay is over and the provider knows of no payment: give the time back. Again changes nothing."""
    if consultation.status != C.HELD:
        return
    moment = now()
    claim = SlotClaim.objects.select_for_update(of=("self",), no_key=True).get(consultation=consultation)
    claim.consultation = consultation
    _give_back(claim, moment, actor=None)
