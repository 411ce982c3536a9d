"""Compares the books with the contract and says in what they differ. It reads only; `actions.chain` writes down what it finds.

Everything is compared as of one block that is deep enough to act on. What is signed and not confirmed may have taken effect or not,
so a deal with such an operation is left for the next look, and a sum is held against a range.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, Sum

from auditlog.models import IncidentSeverity
from port444.kit.money import CENT, ZERO, usd
from port444.payments.models import (
    AccountKind,
    ChainDifference,
    EscrowKind,
    EscrowOperation,
    EscrowStatus,
    LedgerAccount,
)

from . import expected
from .client import Chain
from .contract import order_key
from .reading import Seen, State, number

DEALS_A_RUN = 200
ADDRESSES_A_RUN = 100
RECHECKED_A_RUN = 500
ROLES = {"operator": 1, "arbiter": 2}
WEI = Decimal(10) ** 18


@dataclass(frozen=True, slots=True)
class Difference:
    """Something in which books and chain do not agree; `fingerprint` names the case."""

    fingerprint: str
    kind: str
    text: str
    severity: IncidentSeverity
    facts: dict[str, Any] = field(default_factory=dict)
    loss: Decimal | None = None
    builders: tuple[UUID, ...] = ()  # whose withdrawals wait until it is gone


@dataclass(slots=True)
class Look:
    """What a look found, and what it found in order: a difference that was about that is gone."""

    found: list[Difference] = field(default_factory=list)
    agreed: list[str] = field(default_factory=list)

    def hold(self, difference: Difference, differs: bool) -> None:
        if differs:
            self.found.append(difference)
        else:
            self.agreed.append(difference.fingerprint)

    def add(self, other: Look) -> None:
        self.found += other.found
        self.agreed += other.agreed


def money(units: int) -> Decimal:
    """Units of the token as an amount; a part of a cent is rounded down."""
    return Decimal(units // 10_000) * CENT


# Operations that the contract knows and the books do not ----------------------------------------


def unknown(contract: str, seen: Iterable[Seen]) -> Look:
    """Events with an operation's key that is none of ours: a key of the platform is used by somebody else, or rows were lost."""
    look = Look()
    by_key: dict[str, Seen] = {each.key: each for each in seen if each.key and not each.is_own}
    known = _known(contract, by_key)
    for key, event in by_key.items():
        amount = _amount_of(event)
        difference = Difference(
            f"unknown:{contract.lower()}:{key}",
            "unknown_operation",
            f"The contract has carried out an operation that the books do not know: {event.name}" + (f", {usd(amount)}" if amount else ""),
            IncidentSeverity.CRITICAL,
            {"event": event.name, "key": key, "transaction": event.tx_hash, "block": event.block_number, "contract": contract},
            loss=amount or None,
        )
        look.hold(difference, key not in known)
    return look


def unknown_before(contract: str) -> Look:
    """Look again for the operations that were not known earlier: rows may have come back with a restored database."""
    look = Look()
    before = ChainDifference.objects.filter(kind="unknown_operation", gone_at=None, fingerprint__startswith=f"unknown:{contract.lower()}:")
    keys = {row.facts["key"]: row.fingerprint for row in before.order_by("-found_at")[:DEALS_A_RUN]}
    look.agreed = [keys[key] for key in _known(contract, keys)]
    return look


def _known(contract: str, keys: Iterable[str]) -> set[str]:
    return set(EscrowOperation.objects.filter(contract__iexact=contract, key__in=list(keys)).values_list("key", flat=True))


def _amount_of(event: Seen) -> Decimal:
    for name in ("amount", "additionalAmount", "gross"):
        if name in event.arguments:
            return money(event.arguments[name])
    return ZERO


# Confirmed operations whose block is gone -------------------------------------------------------


def recheck(chain: Chain, head: int) -> Look:
    """Hold the blocks of confirmed operations that are not final against those of this node, which may be another than the worker's.

    The worker itself sends again what a reorganisation has taken away; here people hear of it, and the money in question waits. A node
    that does not know a block says nothing about it.
    """
    look = Look()
    rows = EscrowOperation.objects.filter(chain_id=chain.chain_id, final_at=None)
    confirmed = rows.filter(status=EscrowStatus.CONFIRMED).exclude(backend="ledger").exclude(block_number=None)
    waiting = list(confirmed.order_by("number")[:RECHECKED_A_RUN])
    hashes = block_hashes(chain, {op.block_number for op in waiting if op.block_number is not None and op.block_number <= head})
    for op in waiting:
        there = hashes.get(op.block_number or -1)
        if there is not None:
            look.hold(_reorganised(op), there.lower() != op.block_hash.lower())
    # What is in the books and not on the chain any more.
    again = rows.filter(applied_at__isnull=False).exclude(status=EscrowStatus.CONFIRMED).exclude(backend="ledger")
    look.found += [_reorganised(op) for op in again.order_by("number")[:RECHECKED_A_RUN]]
    look.agreed += [row.fingerprint for row in _settled_since()]
    return look


def block_hashes(chain: Chain, numbers: Iterable[int]) -> dict[int, str]:
    """The hashes of blocks as this node has them; without those that it does not have."""
    asked = sorted(set(numbers))
    blocks = chain.batch([("eth_getBlockByNumber", [hex(at), False]) for at in asked])
    return {at: block["hash"] for at, block in zip(asked, blocks, strict=True) if isinstance(block, dict)}


def _settled_since() -> list[ChainDifference]:
    before = ChainDifference.objects.filter(kind="reorganised", gone_at=None).order_by("-found_at")[:RECHECKED_A_RUN]
    numbers = {row.facts["number"]: row for row in before}
    final = EscrowOperation.objects.filter(number__in=numbers, status=EscrowStatus.CONFIRMED, final_at__isnull=False)
    return [numbers[number_] for number_ in final.values_list("number", flat=True)]


def _reorganised(op: EscrowOperation) -> Difference:
    return Difference(
        f"reorganised:{op.number}",
        "reorganised",
        f"The chain has dropped the block in which this was confirmed: {op.get_kind_display().lower()}, {usd(op.amount)}.",
        IncidentSeverity.CRITICAL,
        {"operation": op.op_id, "number": op.number, "status": op.status, "transaction": op.tx_hash, "deal": str(op.subject_id)},
        loss=op.amount,
        builders=(op.builder_id,) if op.builder_id else (),
    )


# Deals ------------------------------------------------------------------------------------------


def deals_due(contract: str, chain_id: int, after: int) -> tuple[list[UUID], int]:
    """The deals to look at now: those that differed, and the next ones that hold money, after number `after`; and where to go on."""
    opened = expected.of_contract(chain_id, contract).filter(kind=EscrowKind.OPEN, status=EscrowStatus.CONFIRMED, number__gt=after)
    holding = LedgerAccount.objects.filter(kind=AccountKind.ESCROW, subject_id=OuterRef("subject_id"), balance__gt=0)
    turn = list(opened.filter(Exists(holding)).order_by("number").values_list("subject_id", "number")[:DEALS_A_RUN])
    differed = ChainDifference.objects.filter(kind="position", gone_at=None, fingerprint__startswith=f"position:{contract.lower()}:")
    again = [UUID(row.facts["deal"]) for row in differed.order_by("-found_at")[:DEALS_A_RUN]]
    return list(dict.fromkeys([*again, *(subject for subject, _ in turn)])), turn[-1][1] if len(turn) == DEALS_A_RUN else 0


def positions(chain: Chain, contract: str, block: int, ids: Sequence[UUID]) -> Look:
    """Each deal in the books against the contract's own row."""
    look, state = Look(), State(chain, contract, block)
    due = list(expected.deals(chain.chain_id, contract, block, ids).values())
    for deal in due:
        state.ask(state.escrow, "orders", order_key(deal.id))
    for deal, row in zip(due, state.answers(), strict=True):
        look.hold(_position(contract, deal, row), _differs(deal, row))
    return look


CLIENT, BUILDER, LOCKED, SPONSORED, FUNDED, RELEASED, REFUNDED, EXPIRY, FEE_BPS, HOLD, CREATED = range(11)


def _differs(deal: expected.Deal, row: Sequence[Any]) -> bool:
    amounts = (deal.locked, deal.funded, deal.released, deal.refunded)
    return (
        tuple(money(row[place]) for place in (LOCKED, FUNDED, RELEASED, REFUNDED)) != amounts
        or row[HOLD] != deal.held
        or (row[CLIENT].lower(), row[BUILDER].lower()) != (deal.client.lower(), deal.builder.lower())
    )


def _position(contract: str, deal: expected.Deal, row: Sequence[Any]) -> Difference:
    held, short = money(row[LOCKED]), max(ZERO, deal.locked - money(row[LOCKED]))
    said = f"{usd(held)} in the contract, {usd(deal.locked)} in the books"
    if held == deal.locked:
        said = f"{usd(held)} in both, but what led there, the parties or a hold is not the same"
    return Difference(
        f"position:{contract.lower()}:{deal.id}",
        "position",
        f"A deal holds {said}.",
        IncidentSeverity.CRITICAL if short else IncidentSeverity.HIGH,
        {
            "deal": str(deal.id),
            "contract": contract,
            "chain": {"locked": str(held), "funded": str(money(row[FUNDED])), "released": str(money(row[RELEASED])), "hold": row[HOLD]},
            "books": {"locked": str(deal.locked), "funded": str(deal.funded), "released": str(deal.released), "hold": deal.held},
        },
        loss=short or None,
        builders=(deal.builder_id,) if short and deal.builder_id else (),
    )


# Sums, claims and the platform's own accounts ---------------------------------------------------


def addresses_due(contract: str, chain_id: int, after: str) -> tuple[list[str], str]:
    """The next addresses that have or had a claim, after `after`; and where to go on."""
    rows = expected.of_contract(chain_id, contract).filter(kind__in=[EscrowKind.RELEASE, EscrowKind.REFUND, EscrowKind.WITHDRAW])
    turn = list(rows.filter(address__gt=after).order_by("address").values_list("address", flat=True).distinct()[:ADDRESSES_A_RUN])
    differed = ChainDifference.objects.filter(kind="claim", gone_at=None, fingerprint__startswith=f"claim:{contract.lower()}:")
    again = [row.facts["address"] for row in differed.order_by("-found_at")[:ADDRESSES_A_RUN]]
    return [*again, *turn], turn[-1] if len(turn) == ADDRESSES_A_RUN else ""


def sums(chain: Chain, contract: str, block: int, addresses: Iterable[str]) -> Look:
    """The contract's tokens against what it owes, its totals and claims against the books."""
    look, state = Look(), State(chain, contract, block)
    platform: str = chain.address(settings.CHAIN_PLATFORM_ADDRESS)
    mine = list(dict.fromkeys([platform, chain.operator, *map(chain.address, addresses)]))
    state.ask(chain.token, "balanceOf", state.escrow.address)
    for name in ("totalLocked", "totalClaimable", "feeRecipient"):
        state.ask(state.escrow, name)
    for address in mine:
        state.ask(state.escrow, "claimable", address)
    balance, locked, claimable, recipient, *claims = state.answers()
    _look_at_balance(look, contract, balance, locked + claimable)
    wanted = expected.claims(chain.chain_id, contract, block, platform, mine)
    deals = expected.locked(chain.chain_id, contract, block)
    _look_at_sum(look, contract, "locked", "is locked for deals", money(locked), deals)
    _look_at_sum(look, contract, "claimable", "can be claimed", money(claimable), wanted.total)
    for address, found in zip(mine, claims, strict=True):
        held = wanted.of[address.lower()]
        text = f"{address} can claim {usd(money(found))} in the contract, {usd(held.amount)} in the books."
        facts = {"address": address, "contract": contract, "chain": str(money(found)), "books": str(held.amount)}
        fingerprint = f"claim:{contract.lower()}:{address.lower()}"
        look.hold(Difference(fingerprint, "claim", text, IncidentSeverity.HIGH, facts), not held.admits(money(found)))
    text = f"The contract gives its fees to {recipient}, the settings name {platform}."
    facts = {"chain": recipient, "settings": platform, "contract": contract}
    elsewhere = Difference(f"fees:{contract.lower()}", "fee_recipient", text, IncidentSeverity.CRITICAL, facts)
    look.hold(elsewhere, recipient.lower() != platform.lower())
    return look


def _look_at_balance(look: Look, contract: str, balance: int, owed: int) -> None:
    text = f"The contract holds {usd(money(balance))} and owes {usd(money(owed))}."
    facts = {"contract": contract, "balance": str(balance), "owed": str(owed)}
    loss = money(max(0, owed - balance))
    short = Difference(f"short:{contract.lower()}", "short", text, IncidentSeverity.CRITICAL, facts, loss=loss or None)
    look.hold(short, balance < owed)


def _look_at_sum(look: Look, contract: str, kind: str, words: str, found: Decimal, held: expected.Range) -> None:
    text = f"In the contract {usd(found)} {words}, in the books {usd(held.amount)}."
    facts = {"contract": contract, "chain": str(found), "books": str(held.amount)}
    difference = Difference(f"total:{kind}:{contract.lower()}", "total", text, IncidentSeverity.HIGH, facts)
    look.hold(difference, not held.admits(found))


def means(chain: Chain, contract: str, block: int) -> Look:
    """Whether the platform's accounts have what the next operations need: tokens, the contract's allowance, gas money, their role."""
    look, state = Look(), State(chain, contract, block)
    operator: str = chain.operator
    accounts = {role: chain.signer(role).address for role in ROLES if getattr(settings, f"CHAIN_{role.upper()}_KEY")}
    state.ask(chain.token, "balanceOf", operator)
    state.ask(chain.token, "allowance", operator, state.escrow.address)
    for address in accounts.values():
        state.ask(state.escrow, "roles", address)
    tokens, allowance, *roles = state.answers()
    due = waiting_sum(chain.chain_id, contract)
    needed = max(due, settings.CHAIN_LOW_FLOAT)
    facts = {"operator": operator, "waiting": str(due), "least": str(settings.CHAIN_LOW_FLOAT)}
    for kind, found, words in (("float", tokens, "The platform's account holds"), ("allowance", allowance, "The contract may still take")):
        text = f"{words} {usd(money(found))}; {usd(due)} waits to be paid and {usd(settings.CHAIN_LOW_FLOAT)} is the least."
        severity = IncidentSeverity.HIGH if money(found) < due else IncidentSeverity.MEDIUM
        low = Difference(f"low:{kind}:{operator.lower()}:{contract.lower()}", kind, text, severity, {**facts, "found": str(money(found))})
        look.hold(low, money(found) < needed)
    for (role, address), held in zip(accounts.items(), roles, strict=True):
        wei = number(chain.ask("eth_getBalance", address, "latest"))
        text = f"The {role}'s account has {wei / WEI:.4f} for gas; {settings.CHAIN_LOW_GAS} is the least."
        dry = Difference(f"low:gas:{address.lower()}", "gas", text, IncidentSeverity.HIGH, {"role": role, "address": address, "wei": str(wei)})
        look.hold(dry, wei < settings.CHAIN_LOW_GAS * WEI)
        text = f"The account that signs as {role} ({address}) does not have that role in the contract."
        barred = Difference(f"role:{role}:{contract.lower()}", "role", text, IncidentSeverity.CRITICAL, {"role": role, "address": address})
        look.hold(barred, not held & ROLES[role])
    return look


def waiting_sum(chain_id: int, contract: str) -> Decimal:
    """What the operations on their way will take from the float."""
    rows = expected.of_contract(chain_id, contract).open().filter(kind__in=[EscrowKind.OPEN, EscrowKind.AMEND, EscrowKind.PAY], applied_at=None)
    found: Decimal = rows.aggregate(sum=Sum("amount", default=ZERO))["sum"]
    return found
