"""Withdrawals: earnings on their way to a builder's wallet or bank account.

Who moves one locks its owner first, then the withdrawal: so a hold, a cancellation and the sending of one withdrawal come one after
the other, and each sees what the one before has done.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.urls import reverse
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from auditlog.actions import record
from auditlog.events import Event
from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, NotAllowed, WrongState, word_constraint
from port444.kit.jobs import enqueue
from port444.kit.language import retold, speaking_to
from port444.kit.money import CURRENCY, ZERO, positive, usd
from port444.notifications.actions import notify
from port444.payments import clearing, ledger, providers
from port444.payments.models import (
    GIVEN_BACK,
    BankAccount,
    BatchStatus,
    EscrowOperation,
    PayoutAddress,
    PayoutHold,
    PayoutMethod,
    Withdrawal,
    WithdrawalStatus,
)
from port444.payments.providers import Provider, Refused, Unavailable, chain_hash

from .details import fingerprint
from .reading import unread

word_constraint("withdrawal_asked_once", Conflict(_("This form has been sent already. Look at your withdrawals."), code="sent_already"))
word_constraint("withdrawal_not_held", WrongState(_("This withdrawal is held and cannot be sent."), code="held"))

SEND = "port444.payments.jobs.send_withdrawal"
DAY = timedelta(hours=24)


@transaction.atomic
def request_withdrawal(*, actor: User, amount: Decimal, client_key: UUID, method: str = PayoutMethod.WALLET) -> Withdrawal:
    """Send `amount` of the actor's earnings to the payout address or the bank account; the fee is part of it.

    `client_key` comes with the form: pressing twice gives the same withdrawal. Raises Conflict (code `not_covered`) when less is
    ready there. While all of the actor's withdrawals are held, this one is held as well.
    """
    user = User.objects.lock(actor.pk)
    if user.is_suspended:
        raise NotAllowed(gettext("A suspended account cannot withdraw."))
    amount = positive(amount)
    known = Withdrawal.objects.filter(user=user, client_key=client_key).first()
    if known is not None:
        if (known.amount, known.method) != (amount, method):
            raise Conflict(gettext("This form has been sent already with another amount."), code="sent_already")
        return known
    moment = now()
    hold = PayoutHold.objects.standing().filter(user=user, withdrawal__isnull=True).order_by("pk").first()
    withdrawal = Withdrawal(
        user=user,
        method=method,
        amount=amount,
        fee=clearing.fee_of(method),
        client_key=client_key,
        status=WithdrawalStatus.HELD if hold else WithdrawalStatus.REQUESTED,
        requested_at=moment,
    )
    if amount < settings.LEAST_WITHDRAWAL[method]:
        raise Invalid(gettext("The least amount to withdraw is %(least)s.") % {"least": usd(settings.LEAST_WITHDRAWAL[method])}, code="amount_small")
    changed_at, hashed = _destination(withdrawal)
    withdrawal.due_at = max(moment, changed_at + timedelta(hours=settings.PAYOUT_REST_HOURS))
    _check_cover(withdrawal, moment)
    before = ledger.balance("earnings", owner=user.pk)
    ledger.post(f"withdrawal:{withdrawal.pk}", _title(withdrawal), [(ledger.earnings(user.pk), -amount), (ledger.PAYOUTS, amount)])
    withdrawal.save(force_insert=True)
    record(
        Event.WITHDRAWAL_REQUESTED,
        actor=actor,
        target=withdrawal,
        amount=amount,
        user=user.pk,
        method=method,
        fee=withdrawal.fee,
        destination=withdrawal.destination,
        payout_hash=hashed,
        balance_before=before,
    )
    enqueue("auditlog.jobs.detect")  # at once, ahead of the job that sends it
    if hold:
        record(Event.WITHDRAWAL_HELD, actor=None, target=withdrawal, amount=amount, user=user.pk, hold=hold.pk, description=hold.reason)
    else:
        _queue(withdrawal, moment)
    return withdrawal


def _destination(withdrawal: Withdrawal) -> tuple[datetime, str]:
    """Write down where it goes; gives since when that has been so, and its fingerprint."""
    if withdrawal.method == PayoutMethod.BANK:
        account = BankAccount.objects.filter(user=withdrawal.user).first()
        if account is None:
            raise Invalid(gettext("Say first to which bank account the money should go."), code="no_bank")
        if not settings.PAYOUT_DEBTOR["iban"]:
            raise Conflict(gettext("Transfers to bank accounts are not open here yet."), code="bank_closed")
        withdrawal.bank, withdrawal.bank_masked = account.details, account.masked
        number = account.details.get("iban") or f"{account.details['bic']}:{account.details['number']}"
        return account.changed_at, fingerprint(number)
    address = PayoutAddress.objects.filter(user=withdrawal.user).first()
    if address is None:
        raise Invalid(gettext("Say first where the money should go."), code="no_address")
    withdrawal.address = address.address
    return address.changed_at, fingerprint(address.address)


def _check_cover(withdrawal: Withdrawal, moment: datetime) -> None:
    found = clearing.funds(withdrawal.user_id, moment, withdrawal.address)
    most = found.most[withdrawal.method]
    if withdrawal.amount > most:
        if most == found.cleared.ready:
            said = gettext("You have %(most)s ready to withdraw, which is less than %(amount)s.")
        else:
            said = gettext("You have %(most)s ready to withdraw this way, which is less than %(amount)s.")
        said %= {"most": usd(most), "amount": usd(withdrawal.amount)}
        if found.cleared.clearing and most == found.cleared.ready:
            said = " ".join((said, gettext("%(amount)s is still clearing.") % {"amount": usd(found.cleared.clearing)}))
        raise Conflict(said, code="not_covered")
    today = Withdrawal.objects.filter(user=withdrawal.user_id, requested_at__gt=moment - DAY).exclude(status__in=GIVEN_BACK)
    taken = today.aggregate(sum=Sum("amount", default=ZERO))["sum"]
    if taken + withdrawal.amount > settings.MOST_WITHDRAWN_A_DAY:
        left = max(ZERO, settings.MOST_WITHDRAWN_A_DAY - taken)
        raise Conflict(
            gettext("%(most)s can be withdrawn within 24 hours; %(left)s of that is left.")
            % {"most": usd(settings.MOST_WITHDRAWN_A_DAY), "left": usd(left)},
            code="day_limit",
        )


def _title(withdrawal: Withdrawal) -> str:
    return "On its way to your bank account" if withdrawal.method == PayoutMethod.BANK else "On its way to your wallet"


def _queue(withdrawal: Withdrawal, moment: datetime) -> None:
    """Have it sent; what goes to a bank, or is not due yet, is found by the batch and by the sweep."""
    if withdrawal.method == PayoutMethod.WALLET and withdrawal.due_at <= moment:
        enqueue(SEND, withdrawal.pk)


def _lock(withdrawal_id: UUID) -> Withdrawal:
    """The withdrawal, its owner locked before it."""
    owner = Withdrawal.objects.values_list("user_id", flat=True).get(pk=withdrawal_id)
    user = User.objects.lock(owner)
    withdrawal = Withdrawal.objects.lock(withdrawal_id)
    withdrawal.user = user
    return withdrawal


@transaction.atomic
def begin_withdrawal(withdrawal_id: UUID) -> Withdrawal:
    """The last look before money leaves for a wallet: from here on nobody holds or cancels it. The detectors have looked before."""
    withdrawal = _lock(withdrawal_id)
    moment = now()
    waits = withdrawal.status != WithdrawalStatus.REQUESTED or withdrawal.due_at > moment or withdrawal.user.is_suspended
    if waits or withdrawal.method != PayoutMethod.WALLET or PayoutHold.objects.on(withdrawal).exists() or unread([withdrawal]):
        return withdrawal
    withdrawal.move_to(WithdrawalStatus.SENDING, sending_at=moment)
    record(
        Event.WITHDRAWAL_BEGUN, actor=None, target=withdrawal, amount=withdrawal.amount, user=withdrawal.user_id, destination=withdrawal.destination
    )
    return withdrawal


def send_withdrawal(withdrawal_id: UUID) -> Withdrawal:
    """Have the provider send a withdrawal and book it. Talks to a network: not in a transaction. Safe to repeat.

    Without an answer it stays on its way and the sweep asks again. What is held, not due, or goes to a bank is left alone.
    """
    withdrawal = begin_withdrawal(withdrawal_id)
    if withdrawal.status != WithdrawalStatus.SENDING or withdrawal.method != PayoutMethod.WALLET:
        return withdrawal
    try:
        external_id = _sender(withdrawal).payout(withdrawal)
    except Unavailable:
        return withdrawal
    except Refused as error:
        return fail_withdrawal(withdrawal_id, error.message)
    return complete_withdrawal(withdrawal_id, external_id) if external_id else withdrawal


def _sender(withdrawal: Withdrawal) -> Provider:
    """What was begun on the chain ends there, whatever the settings say by now."""
    begun = EscrowOperation.objects.filter(purpose="withdrawal", subject_id=withdrawal.pk).exists()
    return providers.named("wallet") if begun else providers.for_payouts()


@transaction.atomic
def complete_withdrawal(withdrawal_id: UUID, external_id: str, *, actor: User | None = None) -> Withdrawal:
    """The money was sent; quiet when that is known."""
    withdrawal = Withdrawal.objects.lock(withdrawal_id)
    if withdrawal.status == WithdrawalStatus.COMPLETED:
        return withdrawal
    withdrawal.move_to(WithdrawalStatus.COMPLETED, completed_at=now(), external_id=external_id)
    to_bank = withdrawal.method == PayoutMethod.BANK
    words = "Sent to the bank account" if to_bank else f"{CURRENCY} sent to the wallet"
    moves = [(ledger.PAYOUTS, -withdrawal.amount), (ledger.EXTERNAL, withdrawal.arrives), (ledger.FEES, withdrawal.fee)]
    ledger.post(f"withdrawn:{withdrawal.pk}", words, moves)
    facts: dict[str, Any] = {"fee": withdrawal.fee, "user": withdrawal.user_id}
    record(Event.WITHDRAWAL_COMPLETED, actor=actor, target=withdrawal, amount=withdrawal.amount, transaction_hash=chain_hash(external_id), **facts)
    with speaking_to(withdrawal.user):
        if to_bank:
            title = gettext("%(amount)s was sent to your bank account")
            body = gettext("It went to %(destination)s. Banks take one to three working days.")
        else:
            title, body = gettext("%(amount)s was sent to your wallet"), gettext("It went to %(destination)s.")
        notify(
            withdrawal.user,
            "withdrawal.completed",
            title=title % {"amount": usd(withdrawal.arrives)},
            body=body % {"destination": withdrawal.destination},
            url=reverse("payments:withdrawals"),
            dedupe_key=f"withdrawal.completed:{withdrawal.pk}",
        )
    return withdrawal


@transaction.atomic
def fail_withdrawal(withdrawal_id: UUID, error: str) -> Withdrawal:
    """The provider refuses to send it: the money is the builder's again, ready to withdraw. Quiet when it is not on its way."""
    withdrawal = Withdrawal.objects.lock(withdrawal_id)
    if withdrawal.status not in (WithdrawalStatus.REQUESTED, WithdrawalStatus.SENDING):
        return withdrawal
    return _fail(withdrawal, error, actor=None)


def _fail(withdrawal: Withdrawal, error: str, *, actor: User | None) -> Withdrawal:
    arrived = withdrawal.status == WithdrawalStatus.COMPLETED
    # Out of a batch of which there is no file yet, else the file would pay it all the same.
    batch = withdrawal.batch if withdrawal.batch is not None and withdrawal.batch.status != BatchStatus.MADE else None
    withdrawal.move_to(WithdrawalStatus.FAILED, failed_at=now(), error=error[:200], batch=batch)
    mine = (ledger.earnings(withdrawal.user_id), withdrawal.amount)
    if arrived:
        moves = [mine, (ledger.EXTERNAL, -withdrawal.arrives), (ledger.FEES, -withdrawal.fee)]
        ledger.post(f"bounced:{withdrawal.pk}", gettext_noop("The bank sent it back"), moves)
    else:
        ledger.post(f"returned:{withdrawal.pk}", gettext_noop("The withdrawal came back"), [mine, (ledger.PAYOUTS, -withdrawal.amount)])
    record(Event.WITHDRAWAL_FAILED, actor=actor, target=withdrawal, amount=withdrawal.amount, user=withdrawal.user_id, error=error)
    with speaking_to(withdrawal.user):
        if withdrawal.method == PayoutMethod.BANK:
            body = gettext("%(error)s The money is yours again and ready to withdraw, the fee too. Please check your bank account.")
        else:
            body = gettext("%(error)s The money is yours again and ready to withdraw, the fee too. Please check your address.")
        notify(
            withdrawal.user,
            "withdrawal.failed",
            title=gettext("The withdrawal of %(amount)s came back") % {"amount": usd(withdrawal.amount)},
            body=body % {"error": retold(error)},
            url=reverse("payments:earnings"),
            dedupe_key=f"withdrawal.failed:{withdrawal.pk}:{'bounced' if arrived else 'returned'}",
        )
    return withdrawal


@transaction.atomic
def cancel_withdrawal(withdrawal_id: UUID, *, actor: User) -> Withdrawal:
    """The builder takes it back while nothing was sent."""
    withdrawal = _lock(withdrawal_id)
    if withdrawal.user_id != actor.pk:
        raise NotAllowed(gettext("This is not your withdrawal."))
    if withdrawal.status == WithdrawalStatus.HELD:
        raise WrongState(gettext("This withdrawal is held while we look at it; it cannot be cancelled meanwhile. Write to us about it."), code="held")
    if withdrawal.status in (WithdrawalStatus.SENDING, WithdrawalStatus.COMPLETED):
        raise WrongState(gettext("It is too late to cancel: the money is on its way."), code="already_sent")
    withdrawal.move_to(WithdrawalStatus.CANCELLED, cancelled_at=now())
    moves = [(ledger.earnings(withdrawal.user_id), withdrawal.amount), (ledger.PAYOUTS, -withdrawal.amount)]
    ledger.post(f"returned:{withdrawal.pk}", gettext_noop("You cancelled the withdrawal"), moves)
    record(Event.WITHDRAWAL_CANCELLED, actor=actor, target=withdrawal, amount=withdrawal.amount, user=withdrawal.user_id)
    return withdrawal


def staff_only(actor: User | None) -> None:
    if actor is not None and not actor.is_staff:
        raise NotAllowed(gettext("Only staff may do this."))


def not_own(actor: User | None, *people: UUID | None) -> None:
    """Nobody of the staff gives back to themselves, or decides what became of their own money."""
    if actor is not None and actor.pk in people:
        raise NotAllowed(gettext("You cannot do this for yourself."), code="own_case")


def worded(reason: str) -> str:
    reason = " ".join(reason.split())
    if not reason:
        raise Invalid(gettext("Say why; it stays in the log."), code="reason_missing")
    return reason[:300]


def stoppable(withdrawal: Withdrawal) -> bool:
    """Nothing of it has left: it waits, or stands in a batch that nobody has exported."""
    if withdrawal.status == WithdrawalStatus.SENDING and withdrawal.batch is not None:
        return bool(withdrawal.batch.status == BatchStatus.MADE)
    return withdrawal.status in (WithdrawalStatus.REQUESTED, WithdrawalStatus.HELD)


@transaction.atomic
def hold_withdrawal(
    withdrawal_id: UUID, *, actor: User | None, reason: str, incident: UUID | None = None, until: datetime | None = None
) -> PayoutHold:
    """Keep one withdrawal from being sent, for a reason that its owner reads. Again for the same incident gives the hold that stands.

    Raises WrongState (code `already_sent`) when it has left, or has ended.
    """
    staff_only(actor)
    withdrawal = _lock(withdrawal_id)
    if not stoppable(withdrawal):
        raise WrongState(
            gettext("This withdrawal is %(status)s: nothing of it can be held any more.") % {"status": withdrawal.status_words()}, code="already_sent"
        )
    hold = _make_hold(withdrawal.user, withdrawal, actor, worded(reason), incident, until)
    _keep(withdrawal, hold, actor)
    return hold


@transaction.atomic
def hold_withdrawals_of(
    user_id: UUID, *, reason: str, incident: UUID | None = None, actor: User | None = None, until: datetime | None = None
) -> PayoutHold:
    """Keep all of a person's withdrawals that have not left, and those asked for while this stands. Again for the same incident gives
    the hold that stands."""
    staff_only(actor)
    user = User.objects.lock(user_id)
    hold = _make_hold(user, None, actor, worded(reason), incident, until)
    for withdrawal in (
        Withdrawal.objects.filter(user=user, status__in=[WithdrawalStatus.REQUESTED, WithdrawalStatus.SENDING])
        .order_by("pk")
        .select_for_update(of=("self",), no_key=True)
    ):
        withdrawal.user = user
        if stoppable(withdrawal):
            _keep(withdrawal, hold, actor)
    return hold


def _make_hold(
    user: User, withdrawal: Withdrawal | None, actor: User | None, reason: str, incident: UUID | None, until: datetime | None
) -> PayoutHold:
    """The standing hold for this incident: a new one, or the one that is there, which now ends no sooner than `until`. The owner is locked."""
    same = PayoutHold.objects.standing().filter(user=user, withdrawal=withdrawal, incident_id=incident).first()
    if same is not None:
        _lengthen(same, actor, until)
        return same
    hold = PayoutHold.objects.create(user=user, withdrawal=withdrawal, made_by=actor, reason=reason, incident_id=incident, until=until, made_at=now())
    if withdrawal is None:
        record(Event.PAYOUTS_HELD, actor=actor, target=user, description=reason, hold=hold.pk, incident=incident)
    else:
        record(
            Event.WITHDRAWAL_HELD,
            actor=actor,
            target=withdrawal,
            amount=withdrawal.amount,
            description=reason,
            before={"status": withdrawal.status},
            after={"status": WithdrawalStatus.HELD},
            user=user.pk,
            hold=hold.pk,
            incident=incident,
        )
    return hold


def _lengthen(hold: PayoutHold, actor: User | None, until: datetime | None) -> None:
    """A person has a hold that ends by itself end later. The platform does not: what it holds by itself ends when it was to end."""
    if actor is None or hold.until is None or (until is not None and until <= hold.until):
        return
    before, hold.until = hold.until, until
    hold.save(update_fields=["until"])
    event, target = (Event.PAYOUTS_HELD, hold.user) if hold.withdrawal is None else (Event.WITHDRAWAL_HELD, hold.withdrawal)
    states: dict[str, Any] = {"before": {"until": before}, "after": {"until": until}}
    record(event, actor=actor, target=target, description=hold.reason, hold=hold.pk, incident=hold.incident_id, **states)


def _keep(withdrawal: Withdrawal, hold: PayoutHold, actor: User | None) -> None:
    if withdrawal.status == WithdrawalStatus.HELD:
        return
    withdrawal.move_to(WithdrawalStatus.HELD, batch=None, sending_at=None)
    if hold.withdrawal_id is None:  # one hold, many withdrawals
        facts: dict[str, Any] = {"user": withdrawal.user_id, "hold": hold.pk, "incident": hold.incident_id}
        record(Event.WITHDRAWAL_HELD, actor=actor, target=withdrawal, amount=withdrawal.amount, description=hold.reason, **facts)
    with speaking_to(withdrawal.user):
        notify(
            withdrawal.user,
            "withdrawal.held",
            title=gettext("Your withdrawal of %(amount)s is held") % {"amount": usd(withdrawal.amount)},
            body=gettext("%(reason)s Nothing is lost: it goes on, or the money becomes yours to withdraw again.") % {"reason": hold.reason},
            url=reverse("payments:withdrawals"),
            dedupe_key=f"withdrawal.held:{withdrawal.pk}:{hold.pk}",
        )


@transaction.atomic
def release_withdrawal(withdrawal_id: UUID, *, actor: User, reason: str) -> Withdrawal:
    """Staff let one withdrawal go on: every hold on it ends. Refused while all of the person's withdrawals are held."""
    staff_only(actor)
    reason = worded(reason)
    withdrawal = _lock(withdrawal_id)
    not_own(actor, withdrawal.user_id)
    if withdrawal.status != WithdrawalStatus.HELD:
        raise WrongState(gettext("This withdrawal is %(status)s and not held.") % {"status": withdrawal.status_words()}, code="not_held")
    holds = list(PayoutHold.objects.on(withdrawal).order_by("pk"))
    if any(hold.withdrawal_id is None for hold in holds):
        raise Conflict(gettext("All withdrawals of this person are held. End that hold instead."), code="person_held")
    for hold in holds:
        _end(hold, actor, reason)
    _let_go(withdrawal.user, now(), actor, reason)
    return Withdrawal.objects.get(pk=withdrawal_id)


@transaction.atomic
def end_hold(hold_id: UUID, *, actor: User | None, reason: str) -> PayoutHold:
    """End a hold; what nothing else holds goes on. Quiet when it has ended."""
    staff_only(actor)
    reason = worded(reason)
    user = User.objects.lock(PayoutHold.objects.values_list("user_id", flat=True).get(pk=hold_id))
    not_own(actor, user.pk)
    hold = PayoutHold.objects.get(pk=hold_id)
    if hold.ended_at is None:
        _end(hold, actor, reason)
        _let_go(user, now(), actor, reason)
    return hold


def _end(hold: PayoutHold, actor: User | None, reason: str) -> None:
    hold.ended_at, hold.ended_by, hold.end_reason = now(), actor, reason
    hold.save(update_fields=["ended_at", "ended_by", "end_reason"])
    if hold.withdrawal is None:
        record(Event.PAYOUTS_RELEASED, actor=actor, target=hold.user, description=reason, hold=hold.pk, incident=hold.incident_id)
        return
    facts: dict[str, Any] = {"user": hold.user_id, "hold": hold.pk, "incident": hold.incident_id}
    record(Event.WITHDRAWAL_RELEASED, actor=actor, target=hold.withdrawal, amount=hold.withdrawal.amount, description=reason, **facts)


def _let_go(user: User, moment: datetime, actor: User | None, reason: str) -> None:
    """What nothing holds any more goes on. The owner is locked."""
    for withdrawal in Withdrawal.objects.filter(user=user, status=WithdrawalStatus.HELD).order_by("pk").select_for_update(of=("self",), no_key=True):
        if PayoutHold.objects.on(withdrawal).exists():
            continue
        withdrawal.move_to(WithdrawalStatus.REQUESTED)
        record(Event.WITHDRAWAL_RESUMED, actor=actor, target=withdrawal, amount=withdrawal.amount, description=reason, user=user.pk)
        _queue(withdrawal, moment)
        with speaking_to(user):
            notify(
                user,
                "withdrawal.released",
                title=gettext("Your withdrawal of %(amount)s goes on") % {"amount": usd(withdrawal.amount)},
                body=gettext("It is not held any more."),
                url=reverse("payments:withdrawals"),
                dedupe_key=f"withdrawal.released:{withdrawal.pk}:{moment.isoformat()}",
            )


@transaction.atomic
def give_back_withdrawal(withdrawal_id: UUID, *, actor: User, reason: str) -> Withdrawal:
    """Staff give the money back to the builder: of one that waits or is held, and of one that the bank refused or sent back.

    Refused for what was sent to a wallet, which nobody can call back.
    """
    staff_only(actor)
    reason = worded(reason)
    withdrawal = _lock(withdrawal_id)
    not_own(actor, withdrawal.user_id)
    to_bank = withdrawal.method == PayoutMethod.BANK and withdrawal.status in (WithdrawalStatus.SENDING, WithdrawalStatus.COMPLETED)
    if not stoppable(withdrawal) and not to_bank:
        raise WrongState(
            gettext("This withdrawal is %(status)s: there is nothing to give back.") % {"status": withdrawal.status_words()}, code="already_sent"
        )
    for hold in PayoutHold.objects.standing().filter(withdrawal=withdrawal):
        _end(hold, actor, reason)
    return _fail(withdrawal, reason, actor=actor)
