"""Escrow in the contract of a chain: what is asked is written down here, and sent and confirmed by a worker of its own.

Nothing here talks to a network. Until `books.confirm` has run, nothing is booked.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import DecimalField, ExpressionWrapper, F, Func, Sum
from django.db.models.functions import Cast
from django.utils.translation import gettext as _

from auditlog.actions import record
from auditlog.events import Event
from port444.kit.clock import now
from port444.kit.errors import Conflict
from port444.kit.money import BPS, ZERO, positive
from port444.payments import ledger
from port444.payments.models import AccountKind, EscrowKind, EscrowOperation, EscrowStatus, Payment, PayoutAddress, WalletPayment
from port444.payments.models.escrow import VOID

from .asking import LONGEST_KEY, Asking, same
from .chain.contract import op_key
from .standing import FUNDING

K = EscrowKind
EXACT: DecimalField[Decimal, Decimal] = DecimalField(max_digits=20, decimal_places=2)


class Web3Escrow(Asking):
    backend = "web3"

    def _prepare(self, operation: EscrowOperation, opened: EscrowOperation | None) -> None:
        if operation.kind in FUNDING:
            _require_money(operation)
        if opened is None:
            operation.chain_id, operation.contract = settings.CHAIN_ID, settings.ESCROW_ADDRESS
            assert operation.builder_id is not None
            operation.args |= parties(operation.subject_id, operation.builder_id)
            known = operation.args
        else:
            operation.chain_id, operation.contract = opened.chain_id, opened.contract
            known = opened.args
            if operation.kind == K.OPEN:  # beside another deal
                operation.args |= {name: known[name] for name in ("client", "builder")}
        if operation.kind == K.RELEASE:
            operation.address = known["builder"]
        elif operation.kind == K.REFUND:
            operation.address = known["client"]
        operation.key = _key(operation)

    def _carry_out(self, operation: EscrowOperation, actor: Any | None) -> None:
        """The worker finds it."""
        _note_asked(operation, actor)


def _note_asked(operation: EscrowOperation, actor: Any | None = None) -> None:
    record(
        Event.ESCROW_ASKED,
        actor=actor,
        target=operation,
        amount=operation.amount,
        operation=operation.op_id,
        kind=operation.kind,
        purpose=operation.purpose,
        subject=operation.subject_id,
        address=operation.address,
    )


def _require_money(operation: EscrowOperation) -> None:
    """What the client has paid and nothing on its way will use; in the ledger the account itself sees to that."""
    waiting = EscrowOperation.objects.open().filter(client_id=operation.client_id, kind__in=FUNDING, applied_at__isnull=True)
    promised = waiting.aggregate(sum=Sum("amount", default=ZERO))["sum"]
    if operation.amount > ledger.balance(AccountKind.CLIENT, owner=operation.client_id) - promised:
        raise Conflict(_("There is not enough money for this."), code="not_covered")


def parties(deal_id: UUID, builder_id: UUID) -> dict[str, str]:
    """Who the two are on the chain: the wallet that paid and the builder's wallet, else the platform, which settles with them itself."""
    paid = WalletPayment.objects.filter(payment__invoice__deal_id=deal_id, payment__settled_at__isnull=False)
    client = paid.order_by("payment__settled_at").values_list("address", flat=True).first() or treasury()
    builder = PayoutAddress.objects.filter(user_id=builder_id).values_list("address", flat=True).first() or settings.CHAIN_PLATFORM_ADDRESS
    if builder.lower() in (client.lower(), treasury().lower()):  # no deals with oneself, and no earnings where the float's own claims lie
        builder = settings.CHAIN_PLATFORM_ADDRESS
    return {"client": client, "builder": builder}


def treasury() -> str:
    """The platform's float, from which escrow is funded."""
    if settings.CHAIN_TREASURY_ADDRESS:
        return str(settings.CHAIN_TREASURY_ADDRESS)
    if not settings.CHAIN_OPERATOR_KEY:
        raise ImproperlyConfigured("Set CHAIN_TREASURY_ADDRESS, or CHAIN_OPERATOR_KEY whose address it is.")
    return _address_of(settings.CHAIN_OPERATOR_KEY)


@lru_cache(maxsize=4)
def _address_of(key: str) -> str:
    from eth_account import Account  # heavy, and needed only where the address is not set

    return str(Account.from_key(key).address)


def _key(operation: EscrowOperation) -> str:
    assert operation.chain_id is not None
    return "0x" + op_key(operation.chain_id, operation.contract, operation.kind, operation.op_id).hex()


def withdraw(
    purpose: str, subject_id: UUID, address: str, amount: Decimal, key: str, *, builder_id: UUID | None = None, replaces: str = ""
) -> EscrowOperation:
    """Have the contract pay out of what `address` may claim, to that address. `builder_id` names whose claim it is, `replaces` the
    operation for which this one is asked, because that was given up."""
    return _insert(K.WITHDRAW, purpose, subject_id, address, amount, key, _instead(replaces), builder_id)


def pay(purpose: str, subject_id: UUID, address: str, amount: Decimal, key: str, *, replaces: str = "") -> EscrowOperation:
    """Pay `address` out of the platform's float."""
    return _insert(K.PAY, purpose, subject_id, address, amount, key, _instead(replaces))


def _instead(op_id: str) -> dict[str, Any]:
    return {"replaces": op_id} if op_id else {}


def in_force(operations: Iterable[EscrowOperation]) -> list[EscrowOperation]:
    """Without those in whose place another was asked for."""
    found = list(operations)
    replaced = {one.args.get("replaces") for one in found}
    return [one for one in found if one.op_id not in replaced]


def collect(payment: Payment, address: str, amount: Decimal, key: str, args: dict[str, Any]) -> EscrowOperation:
    """Take what the wallet at `address` has signed (EIP-3009, in `args`) into the platform's float."""
    return _insert(K.COLLECT, "payment", payment.pk, address, amount, key, args)


@transaction.atomic
def _insert(
    kind: EscrowKind, purpose: str, subject_id: UUID, address: str, amount: Decimal, key: str, args: dict[str, Any], builder_id: UUID | None = None
) -> EscrowOperation:
    if len(key) > LONGEST_KEY:
        raise ValueError(f"the key of an escrow operation has at most {LONGEST_KEY} characters")
    operation = EscrowOperation(
        op_id=key,
        kind=kind,
        purpose=purpose,
        subject_id=subject_id,
        builder_id=builder_id,
        amount=positive(amount),
        args=args,
        backend=Web3Escrow.backend,
        created_at=now(),
        chain_id=settings.CHAIN_ID,
        contract=settings.ESCROW_ADDRESS,
        address=address,
    )
    operation.key = _key(operation)
    known = EscrowOperation.objects.filter(op_id=key).exists()
    EscrowOperation.objects.bulk_create([operation], ignore_conflicts=True)
    stored = same(EscrowOperation.objects.get(op_id=key), operation)
    if not known:
        _note_asked(stored)
    return stored


def earned() -> Func:
    """What a release brought the builder: as `escrow.books` books it, the fee rounded down to the cent."""
    charged = Func(Cast(F("amount"), DecimalField(max_digits=30, decimal_places=6)) * F("fee_bps") / BPS, 2, function="trunc", output_field=EXACT)
    return Sum(ExpressionWrapper(F("amount") - charged - F("prepaid"), output_field=EXACT), default=ZERO)


def claims(user_id: UUID) -> dict[str, Decimal]:
    """What a builder may claim from the contract, by address: what was released to it less what was asked to be paid out.

    What the platform holds for a builder without a wallet is not among it.
    """
    releases = EscrowOperation.objects.filter(builder_id=user_id, kind=K.RELEASE, status=EscrowStatus.CONFIRMED, backend=Web3Escrow.backend)
    mine = releases.exclude(address__iexact=settings.CHAIN_PLATFORM_ADDRESS).order_by()
    found: dict[str, Decimal] = dict(mine.values_list("address").annotate(sum=earned()))
    # Only the builder's own: what went to the same wallet as a client's refund was set aside for that beside the earnings.
    withdrawals = EscrowOperation.objects.filter(builder_id=user_id, kind=K.WITHDRAW, address__in=found).exclude(status__in=VOID)
    for address, amount in withdrawals.order_by().values_list("address").annotate(sum=Sum("amount")):
        found[address] -= amount
    return {address: amount for address, amount in found.items() if amount > 0}
