"""Where withdrawals go: a wallet, a bank account."""

from __future__ import annotations

import hashlib
import hmac
import re
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from auditlog.actions import record
from auditlog.events import Event
from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid
from port444.kit.language import speaking_to
from port444.notifications.actions import notify
from port444.payments.bank import Account
from port444.payments.models import BankAccount, PayoutAddress, WalletPayment
from port444.payments.providers.wallet import treasury

ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


def check_address(address: str) -> str:
    """`address` with the capitals of its checksum (EIP-55). Raises Invalid unless it is 0x and 40 hexadecimal digits, not all zero.

    Written with letters of one size it says nothing about itself and is taken; with both sizes they have to be the checksum's.
    """
    from eth_utils import is_checksum_address, to_checksum_address  # heavy, and only needed where a wallet is named

    address = address.strip()
    if not ADDRESS.fullmatch(address):
        raise Invalid(_("A wallet address is 0x and 40 digits or letters from a to f."), code="address_format")
    if int(address, 16) == 0:
        raise Invalid(_("Nobody owns this address. Money sent there is lost."), code="address_zero")
    digits = address[2:]
    if digits not in (digits.lower(), digits.upper()) and not is_checksum_address(address):
        raise Invalid(
            _("One letter or digit of this address is wrong: its capitals do not fit. Copy it from your wallet once more."), code="address_checksum"
        )
    if address.lower() in _ours():
        raise Invalid(_("This is an address of ours. Give one of your own wallet."), code="address_ours")
    checked: str = to_checksum_address(address.lower())
    return checked


def _ours() -> set[str]:
    """Addresses at which money of one person could not be told from that of all."""
    return {one.lower() for one in (settings.ESCROW_ADDRESS, settings.USDC_ADDRESS, settings.CHAIN_PLATFORM_ADDRESS, treasury()) if one}


def fingerprint(destination: str) -> str:
    """Tells whether two people are paid to one place, and not to which."""
    return hmac.new(b"payout:" + settings.SECRET_KEY.encode(), destination.lower().encode(), hashlib.sha256).hexdigest()


@transaction.atomic
def change_payout_address(address: str, *, actor: User) -> PayoutAddress:
    """Say to which wallet withdrawals go from now on; those under way keep their own address."""
    User.objects.lock(actor.pk)
    address = check_address(address)
    moment = now()
    stored = PayoutAddress.objects.filter(user=actor).first()
    if stored is not None and stored.address == address:
        return stored
    before = {"address": stored.address} if stored else None
    row, __ = PayoutAddress.objects.update_or_create(user=actor, defaults={"address": address, "changed_at": moment})
    record(Event.PAYOUT_ADDRESS_CHANGED, actor=actor, target=row, before=before, after={"address": address}, payout_hash=fingerprint(address))
    with speaking_to(actor):
        notify(
            actor,
            "payout_address.changed",
            title=_("Your payout address was changed"),
            body=_told(_("Withdrawals to your wallet go to %(address)s from now on.") % {"address": address}),
            url=reverse("payments:earnings"),
            dedupe_key=f"payout_address.changed:{actor.pk}:{moment.isoformat()}",
        )
    return row


@transaction.atomic
def change_bank_account(account: Account, *, actor: User) -> BankAccount:
    """Say to which bank account withdrawals go from now on; those under way keep their own."""
    User.objects.lock(actor.pk)
    if not settings.PAYOUT_DEBTOR["iban"]:
        raise Conflict(_("Transfers to bank accounts are not open here yet."), code="bank_closed")
    moment = now()
    stored = BankAccount.objects.filter(user=actor).first()
    if stored is not None and stored.details == account.as_dict():
        return stored
    before = {"account": stored.masked} if stored else None
    details = {"details": account.as_dict(), "masked": account.masked, "changed_at": moment}
    row, __ = BankAccount.objects.update_or_create(user=actor, defaults=details)
    hashed = fingerprint(account.iban or f"{account.bic}:{account.number}")
    record(Event.BANK_ACCOUNT_CHANGED, actor=actor, target=row, before=before, after={"account": account.masked}, payout_hash=hashed)
    with speaking_to(actor):
        notify(
            actor,
            "bank_account.changed",
            title=_("Your bank account was changed"),
            body=_told(_("Bank transfers go to %(account)s from now on.") % {"account": account.masked}),
            url=reverse("payments:earnings"),
            dedupe_key=f"bank_account.changed:{actor.pk}:{moment.isoformat()}",
        )
    return row


@transaction.atomic
def remove_bank_account(*, actor: User) -> None:
    """Forget the bank account; transfers under way keep their own. Quiet when there is none."""
    User.objects.lock(actor.pk)
    stored = BankAccount.objects.filter(user=actor).first()
    if stored is None:
        return
    record(Event.BANK_ACCOUNT_REMOVED, actor=actor, target=stored, before={"account": stored.masked})
    stored.delete()


def _told(change: str) -> str:
    hours = settings.PAYOUT_REST_HOURS
    rests = _("Money goes there after %(hours)s hours at the earliest.") % {"hours": hours} if hours else ""
    return " ".join(filter(None, (change, rests, _("If this was not you, change your password at once and write to us."))))


def owners_of(address: str) -> set[UUID]:
    """Who is paid at a wallet, or has paid from it."""
    if not address:
        return set()
    paid = WalletPayment.objects.filter(address__iexact=address).values_list("payment__invoice__payer_id", flat=True)
    return {*PayoutAddress.objects.filter(address__iexact=address).values_list("user_id", flat=True), *paid}
