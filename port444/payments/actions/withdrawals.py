"""Withdrawals: earnings on their way to a builder's wallet."""

from __future__ import annotations

import re
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from auditlog.actions import record
from auditlog.events import Event
from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, NotAllowed, word_constraint
from port444.kit.jobs import enqueue
from port444.kit.money import CURRENCY, positive, usd
from port444.notifications.actions import notify
from port444.payments import ledger, providers
from port444.payments.models import AccountKind, PayoutAddress, Withdrawal, WithdrawalStatus
from port444.payments.providers import Refused, Unavailable

word_constraint("withdrawal_asked_once", Conflict("This form has been sent already. Look at your withdrawals.", code="sent_already"))

ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


def check_address(address: str) -> str:
    """`address` without blanks around it. Raises Invalid unless it is 0x and 40 hexadecimal digits, not all zero.

    Capitals are kept as they were given; their checksum (EIP-55) is not computed here.
    """
    address = address.strip()
    if not ADDRESS.fullmatch(address):
        raise Invalid("A wallet address is 0x and 40 digits or letters from a to f.", code="address_format")
    if int(address, 16) == 0:
        raise Invalid("Nobody owns this address. Money sent there is lost.", code="address_zero")
    return address


@transaction.atomic
def change_payout_address(address: str, *, actor: User) -> PayoutAddress:
    """Say where withdrawals go from now on; those under way keep their own address."""
    User.objects.lock(actor.pk)
    address = check_address(address)
    moment = now()
    stored = PayoutAddress.objects.filter(user=actor).first()
    if stored is not None and stored.address == address:
        return stored
    before = {"address": stored.address} if stored else None
    row, _ = PayoutAddress.objects.update_or_create(user=actor, defaults={"address": address, "changed_at": moment})
    record(Event.PAYOUT_ADDRESS_CHANGED, actor=actor, target=row, before=before, after={"address": address})
    notify(
        actor,
        "payout_address.changed",
        title="Your payout address was changed",
        body=f"Withdrawals go to {address} from now on. If this was not you, change your password at once and write to us.",
        url=reverse("payments:earnings"),
        dedupe_key=f"payout_address.changed:{actor.pk}:{moment.isoformat()}",
    )
    return row


@transaction.atomic
def request_withdrawal(*, actor: User, amount: Decimal, client_key: UUID) -> Withdrawal:
    """Send `amount` of the actor's earnings to the payout address.

    `client_key` comes with the form: pressing twice gives the same withdrawal. Raises Conflict (code `not_covered`) when
    less is there.
    """
    user = User.objects.lock(actor.pk)
    if user.is_suspended:
        raise NotAllowed("A suspended account cannot withdraw.")
    amount = positive(amount)
    known = Withdrawal.objects.filter(user=user, client_key=client_key).first()
    if known is not None:
        if known.amount != amount:
            raise Conflict("This form has been sent already with another amount.", code="sent_already")
        return known
    if amount < settings.LEAST_WITHDRAWAL:
        raise Invalid(f"The least amount to withdraw is {usd(settings.LEAST_WITHDRAWAL)}.", code="amount_small")
    address = PayoutAddress.objects.filter(user=user).first()
    if address is None:
        raise Invalid("Say first where the money should go.", code="no_address")
    ready = ledger.balance(AccountKind.EARNINGS, owner=user.pk)
    if amount > ready:
        raise Conflict(f"You have {usd(ready)} ready to withdraw, which is less than {usd(amount)}.", code="not_covered")
    withdrawal = Withdrawal(user=user, amount=amount, address=address.address, client_key=client_key, requested_at=now())
    ledger.post(f"withdrawal:{withdrawal.pk}", "On its way to your wallet", [(ledger.earnings(user.pk), -amount), (ledger.PAYOUTS, amount)])
    withdrawal.save(force_insert=True)
    record(Event.WITHDRAWAL_REQUESTED, actor=actor, target=withdrawal, amount=amount, address=address.address, user=user.pk)
    enqueue("port444.payments.jobs.send_withdrawal", withdrawal.pk)
    return withdrawal


def send_withdrawal(withdrawal_id: UUID) -> Withdrawal:
    """Have the provider send a withdrawal and book it. Talks to a network: not in a transaction. Safe to repeat.

    Without an answer it stays requested and the sweep tries again.
    """
    withdrawal = Withdrawal.objects.get(pk=withdrawal_id)
    if withdrawal.status != WithdrawalStatus.REQUESTED:
        return withdrawal
    try:
        external_id = providers.for_payouts().payout(withdrawal)
    except Unavailable:
        return withdrawal
    except Refused as error:
        return fail_withdrawal(withdrawal_id, error.message)
    return complete_withdrawal(withdrawal_id, external_id)


@transaction.atomic
def complete_withdrawal(withdrawal_id: UUID, external_id: str) -> Withdrawal:
    """The provider has sent the money; quiet when that is known."""
    withdrawal = Withdrawal.objects.lock(withdrawal_id)
    if withdrawal.status == WithdrawalStatus.COMPLETED:
        return withdrawal
    withdrawal.move_to(WithdrawalStatus.COMPLETED, completed_at=now(), external_id=external_id)
    moves = [(ledger.PAYOUTS, -withdrawal.amount), (ledger.EXTERNAL, withdrawal.amount)]
    ledger.post(f"withdrawn:{withdrawal.pk}", f"{CURRENCY} sent to the wallet", moves)
    record(Event.WITHDRAWAL_COMPLETED, actor=None, target=withdrawal, amount=withdrawal.amount, user=withdrawal.user_id)
    notify(
        withdrawal.user,
        "withdrawal.completed",
        title=f"{usd(withdrawal.amount)} was sent to your wallet",
        body=f"It went to {withdrawal.address}.",
        url=reverse("payments:earnings"),
        dedupe_key=f"withdrawal.completed:{withdrawal.pk}",
    )
    return withdrawal


@transaction.atomic
def fail_withdrawal(withdrawal_id: UUID, error: str) -> Withdrawal:
    """The provider refuses to send it: the money is the builder's again, ready to withdraw."""
    withdrawal = Withdrawal.objects.lock(withdrawal_id)
    if withdrawal.status != WithdrawalStatus.REQUESTED:
        return withdrawal
    withdrawal.move_to(WithdrawalStatus.FAILED, failed_at=now(), error=error[:200])
    moves = [(ledger.earnings(withdrawal.user_id), withdrawal.amount), (ledger.PAYOUTS, -withdrawal.amount)]
    ledger.post(f"returned:{withdrawal.pk}", "The withdrawal came back", moves)
    record(Event.WITHDRAWAL_FAILED, actor=None, target=withdrawal, amount=withdrawal.amount, user=withdrawal.user_id, error=error)
    notify(
        withdrawal.user,
        "withdrawal.failed",
        title=f"The withdrawal of {usd(withdrawal.amount)} came back",
        body=f"{error} The money is yours again and ready to withdraw. Please check your address.",
        url=reverse("payments:earnings"),
        dedupe_key=f"withdrawal.failed:{withdrawal.pk}",
    )
    return withdrawal
