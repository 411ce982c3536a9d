"""What the contract should hold at a block, by the operations that the books count as done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Case, F, Q, Sum, Value, When
from django.db.models.functions import Floor

from port444.kit.money import ZERO, amount_field, fee
from port444.payments.models import FLYING, EscrowKind, EscrowOperation, EscrowOperationQuerySet, EscrowStatus

K = EscrowKind
OWNER = "owner"  # the backend of what a client or builder did on the chain without the platform; the worker leaves it alone
FUNDING = (K.OPEN, K.AMEND)
TOUCHING = (*FUNDING, K.RELEASE, K.REFUND, K.MOVE, K.WITHDRAW)
CHARGED = Floor(F("amount") * F("fee_bps") / 100) / 100  # as `kit.money.fee`, to the cent and down


def of_contract(chain_id: int, contract: str) -> EscrowOperationQuerySet:
    """What the worker carries out there, and what owners have done there themselves."""
    return EscrowOperation.objects.filter(backend__in=["web3", OWNER], chain_id=chain_id, contract__iexact=contract)


def done(chain_id: int, contract: str, block: int) -> EscrowOperationQuerySet:
    """What has taken effect by `block`; one that was adopted without a block counts."""
    return of_contract(chain_id, contract).filter(Q(block_number__lte=block) | Q(block_number=None), status=EscrowStatus.CONFIRMED)


def flying(chain_id: int, contract: str) -> list[EscrowOperation]:
    """What may have taken effect or not: signed, and not deep enough to be counted."""
    return list(of_contract(chain_id, contract).filter(status__in=FLYING, kind__in=TOUCHING))


@dataclass(slots=True)
class Deal:
    """Where a deal should stand."""

    id: UUID
    builder_id: UUID | None
    client: str
    builder: str
    funded: Decimal = ZERO
    released: Decimal = ZERO
    refunded: Decimal = ZERO
    held: bool = False

    @property
    def locked(self) -> Decimal:
        return self.funded - self.released - self.refunded


def deals(chain_id: int, contract: str, block: int, ids: Iterable[UUID]) -> dict[UUID, Deal]:
    """Where these deals should stand at `block`; those left out that are not open by then, or have something flying."""
    wanted = list(ids)
    touching = Q(subject_id__in=wanted) | Q(kind=K.MOVE, target_id__in=wanted)
    unsure: set[UUID | None] = set()
    for source, other in of_contract(chain_id, contract).filter(touching, status__in=FLYING).values_list("subject_id", "target_id"):
        unsure |= {source, other}
    found: dict[UUID, Deal] = {}
    for operation in done(chain_id, contract, block).filter(touching).order_by("number"):
        kind, amount, subject = operation.kind, operation.amount, operation.subject_id
        if kind == K.OPEN:
            found[subject] = Deal(subject, operation.builder_id, operation.args["client"], operation.args["builder"])
        deal = found.get(subject)
        target = found.get(operation.target_id) if operation.target_id is not None else None
        if deal is not None:
            if kind in FUNDING:
                deal.funded += amount
            elif kind == K.RELEASE:
                deal.released += amount
            elif kind == K.REFUND:
                deal.refunded += amount
            elif kind == K.HOLD:
                deal.held = bool(operation.args["on"])
            elif kind == K.MOVE:
                deal.funded -= amount
        if target is not None and kind == K.MOVE:
            target.funded += amount
    return {deal_id: deal for deal_id, deal in found.items() if deal_id in set(wanted) - unsure}


@dataclass(slots=True)
class Range:
    """An amount, and how far what is flying may take it down or up."""

    amount: Decimal = ZERO
    less: Decimal = ZERO
    more: Decimal = ZERO

    def admits(self, found: Decimal) -> bool:
        return self.amount - self.less <= found <= self.amount + self.more

    def may_move(self, amount: Decimal) -> None:
        self.more += max(ZERO, amount)
        self.less += max(ZERO, -amount)


def _sum(rows: EscrowOperationQuerySet, **sums: Any) -> dict[str, Decimal]:
    return {name: (found or ZERO).quantize(Decimal("0.01")) for name, found in rows.aggregate(**sums).items()}


def locked(chain_id: int, contract: str, block: int) -> Range:
    """What all deals together should have locked."""
    sums = _sum(
        done(chain_id, contract, block),
        into=Sum("amount", filter=Q(kind__in=FUNDING), output_field=amount_field()),
        out=Sum("amount", filter=Q(kind__in=[K.RELEASE, K.REFUND]), output_field=amount_field()),
    )
    found = Range(sums["into"] - sums["out"])
    for operation in flying(chain_id, contract):
        if operation.kind in FUNDING:
            found.may_move(operation.amount)
        elif operation.kind in (K.RELEASE, K.REFUND):
            found.may_move(-operation.amount)
    return found


def credited(operation: EscrowOperation, platform: str) -> dict[str, Decimal]:
    """What an operation adds to the claim of each address (lower case); below zero when it takes."""
    address, amount = operation.address.lower(), operation.amount
    moved: dict[str, Decimal] = {}
    if operation.kind == K.RELEASE:
        back = fee(amount, operation.fee_bps) + operation.prepaid
    elif operation.kind == K.REFUND:
        back = operation.prepaid + operation.gift
    elif operation.kind == K.WITHDRAW:
        return {address: -amount}
    else:
        return {}
    moved[address] = amount - back
    moved[platform.lower()] = moved.get(platform.lower(), ZERO) + back
    return moved


@dataclass(slots=True)
class Claims:
    """What these addresses should be able to claim, and all together."""

    of: dict[str, Range] = field(default_factory=dict)
    total: Range = field(default_factory=Range)


def claims(chain_id: int, contract: str, block: int, platform: str, addresses: Iterable[str]) -> Claims:
    """What each of `addresses` may claim, with `platform` getting the fees and what credits had lent; by address in lower case."""
    rows = done(chain_id, contract, block)
    back = Case(
        When(kind=K.RELEASE, then=CHARGED + F("prepaid")),
        When(kind=K.REFUND, then=F("prepaid") + F("gift")),
        default=Value(ZERO),
        output_field=amount_field(),
    )
    crediting = Q(kind__in=[K.RELEASE, K.REFUND])
    found = Claims()
    for spelled in addresses:
        address = spelled.lower()
        found.of[address] = Range()
        sums = _sum(
            rows.filter(address__in={spelled, address}),
            into=Sum(F("amount") - back, filter=crediting, output_field=amount_field()),
            out=Sum("amount", filter=Q(kind=K.WITHDRAW)),
        )
        found.of[address].amount = sums["into"] - sums["out"]
    sums = _sum(rows, back=Sum(back, filter=crediting), into=Sum("amount", filter=crediting), out=Sum("amount", filter=Q(kind=K.WITHDRAW)))
    if platform.lower() in found.of:
        found.of[platform.lower()].amount += sums["back"]
    found.total.amount = sums["into"] - sums["out"]
    for operation in flying(chain_id, contract):
        for address, amount in credited(operation, platform).items():
            found.total.may_move(amount)
            if address in found.of:
                found.of[address].may_move(amount)
    return found
