"""What the worker does besides sending: it compares the books with the chain, books what owners did there themselves, brings the
platform's own claims back to its float, and writes down what it sees for the pages of staff."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_noop

from auditlog.actions import DIFFERENCES, Finding, Reason, open_incident, record
from auditlog.events import Event
from auditlog.models import IncidentLog, IncidentSeverity, IncidentType
from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import Conflict, DomainError, Invalid, NotAllowed, WrongState
from port444.kit.money import usd
from port444.payments import handlers, ledger
from port444.payments.escrow import books, web3
from port444.payments.escrow.chain import expected, reconcile, snapshot
from port444.payments.escrow.chain.client import Chain, RpcError, Unreachable, WrongChain, connect
from port444.payments.escrow.chain.reading import Seen, State, deep_block, events, final_block, number
from port444.payments.escrow.chain.reconcile import Difference, Look, money
from port444.payments.escrow.chain.transfers import misfits, signing
from port444.payments.escrow.standing import Standing
from port444.payments.models import (
    FLYING,
    VOID,
    WAITING,
    AccountKind,
    ChainCursor,
    ChainDifference,
    ChainStatus,
    EscrowKind,
    EscrowOperation,
    EscrowStatus,
    PayoutHold,
    Refund,
    RefundStatus,
    WalletPayment,
    Withdrawal,
    WithdrawalStatus,
)

from .details import owners_of
from .withdrawals import complete_withdrawal, end_hold, hold_withdrawals_of, not_own

K, T = EscrowKind, EscrowStatus
log = logging.getLogger(__name__)

OVERLAP = 20  # blocks that are read again, in case a node answered before it knew all of them
BLOCKS_A_RUN = 50_000  # a worker that was away for long catches up in several runs
TREASURY = "treasury"
LEAST_REFILL = Decimal("10.00")
# A look never finds these in order by itself: they stay until a person has seen to them.
NOT_BOOKED = "not_booked"
LASTING = ("unknown_operation", NOT_BOOKED)


# Comparing --------------------------------------------------------------------------------------


def reconcile_chain(chain: Chain) -> int:
    """Compare the books with the contracts and write down what differs; how much does. Talks to a network: not in a transaction.

    `chain` may be another node than the worker's. Safe to repeat, also beside another that does the same.
    """
    block, head = deep_block(chain), number(chain.ask("eth_blockNumber"))
    note(reconcile.recheck(chain, head))
    note(misfits(chain.chain_id))
    note(signing(chain))
    settle_owners(chain, head, final_block(chain))
    for contract in contracts(chain):
        status = status_of(chain.chain_id, contract)
        note(reconcile.unknown_before(contract))
        read_to = read_events(chain, contract, block)
        if read_to >= 0:
            _compare(chain, contract, read_to, status)
    return ChainDifference.objects.filter(gone_at=None).count()


def contracts(chain: Chain) -> list[str]:
    """The contract of the settings, and those in which deals were opened before it."""
    tokens = {chain.token.address, *WalletPayment.objects.values_list("token", flat=True).distinct()}  # read for transfers
    older = ChainCursor.objects.filter(chain_id=chain.chain_id).exclude(contract__in=tokens).values_list("contract", flat=True)
    return list(dict.fromkeys([chain.escrow.address, *older]))


def status_of(chain_id: int, contract: str) -> ChainStatus:
    return ChainStatus.objects.get_or_create(chain_id=chain_id, contract=contract)[0]


def _compare(chain: Chain, contract: str, block: int, status: ChainStatus) -> None:
    ids, next_deal = reconcile.deals_due(contract, chain.chain_id, status.next_deal)
    addresses, next_address = reconcile.addresses_due(contract, chain.chain_id, status.next_address)
    note(reconcile.positions(chain, contract, block, ids))
    note(reconcile.sums(chain, contract, block, addresses))
    if contract == chain.escrow.address:
        note(reconcile.means(chain, contract, block))
        refill(chain, block)
    ChainStatus.objects.filter(pk=status.pk).update(
        next_deal=next_deal, next_address=next_address, compared_at=now(), compared_block=block, problem=""
    )


def read_events(chain: Chain, contract: str, block: int) -> int:
    """Read the contract's events up to `block` and book what owners did; -1 while there is more to read than one run does."""
    cursor, _ = ChainCursor.objects.get_or_create(
        chain_id=chain.chain_id, contract=contract, defaults={"next_block": _first_block(chain, contract, block)}
    )
    first, last = max(0, cursor.next_block - OVERLAP), min(block, cursor.next_block + BLOCKS_A_RUN)
    seen = list(events(chain, contract, first, last))
    note(reconcile.unknown(contract, seen))
    for each in [*_not_booked_before(chain, contract), *seen]:
        if each.is_own:
            book_own(chain.chain_id, contract, each)
    ChainCursor.objects.filter(pk=cursor.pk, next_block__lte=last + 1).update(next_block=last + 1, looked_at=now())
    return last if last == block else -1


def _not_booked_before(chain: Chain, contract: str) -> list[Seen]:
    """What could not be booked when it was read, read again."""
    rows = ChainDifference.objects.filter(kind=NOT_BOOKED, gone_at=None, fingerprint__startswith=f"{NOT_BOOKED}:{contract.lower()}:")
    places = {(row.facts["transaction"], row.facts["place"]): row.facts["block"] for row in rows.order_by("pk")[:100]}
    found = [each for at in sorted(set(places.values())) for each in events(chain, contract, at, at)]
    return [each for each in found if (each.tx_hash, each.place) in places]


def _first_block(chain: Chain, contract: str, block: int) -> int:
    """Where the contract begins: halving the chain finds the first block with its code. The newest block when the node keeps no old state."""
    low, high = 0, max(block, 0)
    while low < high:
        middle = (low + high) // 2
        try:
            there = len(chain.ask("eth_getCode", contract, hex(middle))) > 3
        except RpcError:
            there = False
        low, high = (low, middle) if there else (middle + 1, high)
    return low


@transaction.atomic
def note(look: Look) -> None:
    """Write down differences, with an incident for each new one, and that those that were found in order are gone."""
    moment = now()
    for difference in look.found:
        row, created = ChainDifference.objects.select_for_update(no_key=True).get_or_create(
            fingerprint=difference.fingerprint,
            defaults={"kind": difference.kind, "text": difference.text[:300], "facts": difference.facts, "found_at": moment, "seen_at": moment},
        )
        again = not created and row.gone_at is not None
        if again and difference.kind in LASTING:
            continue  # a person has seen to it
        if not created:
            row.text, row.facts, row.seen_at, row.gone_at = difference.text[:300], difference.facts, moment, None
            row.found_at = moment if again else row.found_at
            row.save(update_fields=["text", "facts", "seen_at", "gone_at", "found_at"])
        if created or again:
            _raise_alarm(row, difference)
    gone = ChainDifference.objects.select_for_update(no_key=True).filter(fingerprint__in=look.agreed, gone_at=None)
    for row in gone.order_by("pk"):
        _let_go(row, Event.CHAIN_DIFFERENCE_GONE, actor=None)


def _raise_alarm(row: ChainDifference, difference: Difference) -> None:
    incident = open_incident(
        Finding(
            fingerprint=_incident_of(difference.fingerprint),
            incident_type=IncidentType.SUSPICIOUS_ACTIVITY,
            severity=difference.severity,
            confidence=100,
            description=difference.text,
            user_id=difference.builders[0] if difference.builders else None,
            potential_loss=difference.loss,
            evidence=difference.facts,
            related_users=difference.builders[1:],
            pattern=difference.kind,
            reasons=[Reason(100, difference.text, difference.fingerprint)],
            detector=DIFFERENCES,
        )
    )
    record(Event.CHAIN_DIFFERENCE_FOUND, actor=None, target=row, amount=difference.loss, description=difference.text, incident=incident.pk)
    for builder in difference.builders:
        hold_withdrawals_of(
            builder, reason=gettext_noop("We are looking into how the chain holds the money of one of your orders."), incident=incident.pk
        )


def _let_go(row: ChainDifference, event: Event, *, actor: User | None, reason: str = "") -> None:
    row.gone_at = now()
    row.save(update_fields=["gone_at"])
    states: dict[str, Any] = {"before": {"gone_at": None}, "after": {"gone_at": row.gone_at}}
    record(event, actor=actor, target=row, description=reason, **states, fingerprint=row.fingerprint, text=row.text)
    if actor is None:  # what a person says is in order gives nobody a right back: that takes two, and a plan
        for hold in _holds_of(row).order_by("pk"):
            end_hold(hold.pk, actor=None, reason="Books and chain agree again.")


def _holds_of(row: ChainDifference) -> QuerySet[PayoutHold]:
    incidents = IncidentLog.objects.filter(fingerprint=_incident_of(row.fingerprint)).values("pk")
    return PayoutHold.objects.standing().filter(incident_id__in=incidents)


def _incident_of(fingerprint: str) -> str:
    return f"chain:{fingerprint}"[:200]


# What owners did themselves ---------------------------------------------------------------------


def book_own(chain_id: int, contract: str, seen: Seen) -> None:
    """Book a client's reclaim or an account's own withdrawal, once. What cannot be booked now is a difference, and is tried again."""
    try:
        if seen.name == "EscrowRefunded":
            book_reclaim(chain_id, contract, seen)
        elif seen.name == "Withdrawn":
            book_own_withdrawal(chain_id, contract, seen)
    except DomainError as refused:
        log.error("%s in %s cannot be booked: %s", seen.name, seen.tx_hash, refused)
        note(Look([_not_booked(contract, seen, str(refused))]))
    else:
        note(Look(agreed=[_not_booked(contract, seen, "").fingerprint]))


def _not_booked(contract: str, seen: Seen, why: str) -> Difference:
    facts = {"event": seen.name, "transaction": seen.tx_hash, "place": seen.place, "block": seen.block_number, "contract": contract, "why": why}
    amount = money(seen.arguments["amount"])
    text = f"What an owner took out of the contract themselves ({usd(amount)}) is not in the books: {why}"
    fingerprint = f"{NOT_BOOKED}:{contract.lower()}:{seen.tx_hash}:{seen.place}"
    return Difference(fingerprint, NOT_BOOKED, text, IncidentSeverity.HIGH, facts, loss=amount)


@transaction.atomic
def book_reclaim(chain_id: int, contract: str, seen: Seen) -> EscrowOperation:
    """The client took back on the chain what was locked. It is a refund as any other: whoever registered for it sends on what the
    client may claim now, and ends the deal because `args` says `reclaimed`."""
    deal_id = UUID(int=seen.arguments["orderId"])
    opened = expected.of_contract(chain_id, contract).filter(subject_id=deal_id, kind=K.OPEN).exclude(status__in=VOID).first()
    if opened is None:
        raise Conflict("The books know no deal with this number.", code="deal_unknown")
    handlers.lock_deal(opened.purpose, deal_id)
    op_id = f"reclaim:{seen.tx_hash}:{seen.place}"
    done = EscrowOperation.objects.filter(pk=op_id).first()
    if done is not None:
        return done
    amount, back = money(seen.arguments["amount"]), money(seen.arguments["sponsorBack"])
    standing = Standing.after(deal_id, _booked(deal_id))
    operation = _own_operation(K.REFUND, op_id, chain_id, contract, seen, amount, opened.purpose, deal_id)
    operation.client_id, operation.builder_id, operation.fee_bps = opened.client_id, opened.builder_id, opened.fee_bps
    operation.prepaid = min(standing.prepaid, back)
    operation.gift = min(standing.lent, back) - operation.prepaid
    operation.args = {"reclaimed": True, "reason": "Taken back from escrow after its end"}
    operation.save(force_insert=True)
    operation.refresh_from_db()
    _apply(operation, seen)
    record(Event.ESCROW_RECLAIMED, actor=None, target=operation, amount=amount, transaction_hash=seen.tx_hash, deal=deal_id, client=opened.client_id)
    for waiting in _waiting(deal_id):
        books.give_up(waiting.pk, "The client has taken the money back on the chain.")
    return operation


def _booked(deal_id: UUID) -> Iterable[EscrowOperation]:
    mine = EscrowOperation.objects.filter(subject_id=deal_id) | EscrowOperation.objects.filter(kind=K.MOVE, target_id=deal_id)
    return mine.filter(applied_at__isnull=False).order_by("number")


def _waiting(deal_id: UUID) -> list[EscrowOperation]:
    """What was to be taken out of a deal and is not signed."""
    out = EscrowOperation.objects.filter(subject_id=deal_id, kind__in=[K.RELEASE, K.REFUND, K.MOVE], status__in=WAITING, applied_at=None)
    return list(out.filter(attempts=None).order_by("number"))


def _own_operation(
    kind: EscrowKind, op_id: str, chain_id: int, contract: str, seen: Seen, amount: Decimal, purpose: str, subject_id: UUID
) -> EscrowOperation:
    account = seen.arguments["account" if kind == K.WITHDRAW else "client"]
    return EscrowOperation(
        op_id=op_id,
        kind=kind,
        purpose=purpose,
        subject_id=subject_id,
        amount=amount,
        backend=expected.OWNER,
        created_at=now(),
        chain_id=chain_id,
        contract=contract,
        address=account,
    )


def _apply(operation: EscrowOperation, seen: Seen, *, tell: bool = True) -> None:
    operation.tx_hash, operation.block_number, operation.block_hash = seen.tx_hash, seen.block_number, seen.block_hash
    books.apply_confirmed(operation, stamps=("tx_hash", "block_number", "block_hash"), tell=tell)


@transaction.atomic
def book_own_withdrawal(chain_id: int, contract: str, seen: Seen) -> None:
    """An account took out what it may claim: what waited to be sent to it is done by that, and the rest is booked by whose it is."""
    account, left, mark = seen.arguments["account"], money(seen.arguments["amount"]), f"own:{seen.tx_hash}:{seen.place}"
    mine = EscrowOperation.objects.select_for_update(of=("self",), no_key=True).filter(
        chain_id=chain_id, contract__iexact=contract, kind=K.WITHDRAW, address__in={account, account.lower()}
    )
    found = list(mine.order_by("number"))
    if any(operation.args.get("own") == mark or operation.pk == mark for operation in found):
        return
    for operation in found:
        if operation.status in WAITING and operation.amount <= left and not operation.attempts.exists():
            left -= operation.amount
            EscrowOperation.objects.filter(pk=operation.pk).update(args={**operation.args, "own": mark}, backend=expected.OWNER)
            books.confirm(operation.pk, tx_hash=seen.tx_hash, block_number=seen.block_number, block_hash=seen.block_hash)
    if not left:
        return
    owner = _owner_of(account)
    if owner is None and Refund.objects.filter(payment__wallet__address__in={account, account.lower()}, status=RefundStatus.REQUESTED).exists():
        raise Conflict("A refund to this address is being prepared; it will be found done.", code="refund_coming")
    operation = _own_operation(K.WITHDRAW, mark, chain_id, contract, seen, left, "own", owner or uuid5(NAMESPACE_OID, account.lower()))
    operation.builder_id = owner
    operation.save(force_insert=True)
    operation.refresh_from_db()
    _apply(operation, seen, tell=False)
    if account.lower() == settings.CHAIN_PLATFORM_ADDRESS.lower():
        _take_fees(operation)
    elif owner is not None:
        _complete_withdrawal(operation, owner)
    record(Event.ESCROW_OWN_WITHDRAWAL, actor=None, target=operation, amount=left, transaction_hash=seen.tx_hash, account=account, user=owner)


def _owner_of(account: str) -> UUID | None:
    """The builder to whom money was released at this address."""
    released = EscrowOperation.objects.filter(kind=K.RELEASE, address__in={account, account.lower()}, applied_at__isnull=False)
    if account.lower() == settings.CHAIN_PLATFORM_ADDRESS.lower():
        return None
    return released.order_by("-number").values_list("builder_id", flat=True).first()


def _take_fees(operation: EscrowOperation) -> None:
    """The platform's own withdrawal: its fees leave the books. What is more is money that it had lent or keeps for others."""
    fees = min(operation.amount, ledger.balance(AccountKind.FEES))
    if fees:
        ledger.post(f"fees:{operation.op_id}", "Fees taken out on the chain", [(ledger.FEES, -fees), (ledger.EXTERNAL, fees)])


def _complete_withdrawal(operation: EscrowOperation, owner: UUID) -> None:
    """A builder's own withdrawal, as if it had been asked for here and sent."""
    user = User.objects.lock(owner)
    moment = operation.created_at
    withdrawal = Withdrawal(user=user, amount=operation.amount, address=operation.address, requested_at=moment, due_at=moment)
    withdrawal.status, withdrawal.sending_at = WithdrawalStatus.SENDING, moment
    moves = [(ledger.earnings(owner), -operation.amount), (ledger.PAYOUTS, operation.amount)]
    ledger.post(f"withdrawal:{withdrawal.pk}", "Taken from escrow on the chain", moves)
    withdrawal.save(force_insert=True)
    complete_withdrawal(withdrawal.pk, operation.op_id)


def settle_owners(chain: Chain, head: int, final: int) -> None:
    """Owners' acts whose block is final by now; one whose block is gone needs a person, because nobody can send it again."""
    rows = EscrowOperation.objects.filter(backend=expected.OWNER, chain_id=chain.chain_id, status=T.CONFIRMED, final_at=None)
    waiting = list(rows.order_by("number")[: reconcile.RECHECKED_A_RUN])
    hashes = reconcile.block_hashes(chain, {each.block_number for each in waiting if each.block_number is not None and each.block_number <= head})
    for each in waiting:
        there = hashes.get(each.block_number or -1)
        if there is None:
            continue
        with transaction.atomic():
            row = EscrowOperation.objects.lock(each.pk)
            if there.lower() != row.block_hash.lower():
                row.move_to(T.NEEDS_REVIEW, confirmed_at=None, reason="An owner did this on the chain, and a reorganisation has taken it away.")
                books.note_step(row)
            elif (row.block_number or 0) <= final:
                row.final_at = now()
                row.save(update_fields=["final_at"])


# The float --------------------------------------------------------------------------------------


def refill(chain: Chain, block: int) -> EscrowOperation | None:
    """Bring what the float itself may claim (refunds of deals that it paid in for) back to it; one operation at a time."""
    address = web3.treasury()
    subject = uuid5(NAMESPACE_OID, f"treasury:{chain.escrow.address.lower()}")
    before = expected.of_contract(chain.chain_id, chain.escrow.address).filter(purpose=TREASURY, subject_id=subject)
    if before.open().exists():
        return None
    state = State(chain, chain.escrow.address, block)
    state.ask(state.escrow, "claimable", chain.address(address))
    (units,) = state.answers()
    amount = money(units)
    if amount < LEAST_REFILL:
        return None
    return web3.withdraw(TREASURY, subject, address, amount, f"treasury:{chain.escrow.address.lower()}:{before.count() + 1}")


# What staff do ----------------------------------------------------------------------------------


def _require(actor: User, reason: str) -> str:
    if not actor.is_staff:
        raise NotAllowed("Only staff can do this.")
    if len(reason.strip()) < 10:
        raise Invalid("Say why, in ten characters or more.", code="reason_short")
    return reason.strip()[:300]


def sides_of(operation: EscrowOperation) -> set[UUID | None]:
    """Whose money an operation moves."""
    found: set[UUID | None] = {operation.client_id, operation.builder_id, *owners_of(operation.address)}
    found |= set(Withdrawal.objects.filter(pk=operation.subject_id).values_list("user_id", flat=True))
    return found | set(Refund.objects.filter(pk=operation.subject_id).values_list("payment__invoice__payer_id", flat=True))


@transaction.atomic
def retry_operation(op_id: str, *, actor: User, reason: str) -> EscrowOperation:
    """Have the worker look at an operation again at once; one that needed a person goes back into the queue."""
    reason = _require(actor, reason)
    operation = EscrowOperation.objects.lock(op_id)
    not_own(actor, *sides_of(operation))
    if operation.status not in (*WAITING, T.NEEDS_REVIEW) or operation.backend == expected.OWNER:
        raise WrongState(f"This operation is {operation.status_words()} and is not tried again.", code="not_waiting")
    if operation.status == T.NEEDS_REVIEW:
        operation.move_to(T.QUEUED, reason="")
    operation.tries, operation.next_try_at = 0, now()
    operation.save(update_fields=["tries", "next_try_at"])
    _log(Event.ESCROW_RETRIED, operation, actor, reason)
    return operation


@transaction.atomic
def give_up_operation(op_id: str, *, actor: User, reason: str) -> EscrowOperation:
    """Give an operation up for good: nothing has moved and nothing will, and whoever asked for it is told.

    Refused while a transaction that was signed for it may still take effect.
    """
    reason = _require(actor, reason)
    before = EscrowOperation.objects.get(pk=op_id)
    not_own(actor, *sides_of(before))
    if before.status in FLYING or (before.status != T.NEEDS_REVIEW and before.attempts.exists()):
        raise WrongState("A transaction was signed for this and may still take effect.", code="escrow_under_way")
    operation = books.give_up(op_id, f"Given up by staff: {reason}")
    _log(Event.ESCROW_GIVEN_UP, operation, actor, reason)
    return operation


@transaction.atomic
def cancel_operation(op_id: str, *, actor: User, reason: str) -> EscrowOperation:
    """Take an operation back for which nothing was signed, as if it had not been asked for."""
    reason = _require(actor, reason)
    not_own(actor, *sides_of(EscrowOperation.objects.get(pk=op_id)))
    operation = books.cancel(op_id)
    _log(Event.ESCROW_CANCELLED, operation, actor, reason)
    return operation


def _log(event: Event, operation: EscrowOperation, actor: User, reason: str) -> None:
    facts: dict[str, Any] = {"operation": operation.op_id, "kind": operation.kind, "subject": operation.subject_id}
    record(event, actor=actor, target=operation, amount=operation.amount, description=reason, **facts)


@transaction.atomic
def settle_difference(difference_id: int, *, actor: User, reason: str) -> ChainDifference:
    """A person has seen to a difference. What is still not right is found again by the next look, but for what only a person can judge.
    Withdrawals that it keeps stay held."""
    reason = _require(actor, reason)
    row = ChainDifference.objects.select_for_update(no_key=True).get(pk=difference_id)
    if row.gone_at is not None:
        raise WrongState("This difference is gone already.", code="difference_gone")
    not_own(actor, *_holds_of(row).values_list("user_id", flat=True))
    _let_go(row, Event.CHAIN_DIFFERENCE_SETTLED, actor=actor, reason=reason)
    return row


# What the pages of staff show -------------------------------------------------------------------


def take_snapshot(chain: Chain) -> ChainStatus:
    """Write down what the chain says of the platform's accounts and contract. Talks to a network: not in a transaction."""
    facts = snapshot.look(chain)
    row = status_of(chain.chain_id, chain.escrow.address)
    ChainStatus.objects.filter(pk=row.pk).update(facts=facts, taken_at=now(), problem="", failed_at=None)
    return row


def audit(chain: Chain) -> int:
    """`reconcile_chain` through the node that settings name for it, which may be another than the worker's."""
    try:
        return reconcile_chain(connect(settings.CHAIN_AUDIT_RPC_URL))
    except (Unreachable, RpcError, WrongChain) as error:
        log.error("the books cannot be compared with the chain: %s", error)
        raise Unreachable(f"the node to compare with: {error}") from error


def note_problem(problem: str) -> None:
    """The chain could not be asked; what was seen before stays, with its age."""
    row = status_of(settings.CHAIN_ID, settings.ESCROW_ADDRESS)
    ChainStatus.objects.filter(pk=row.pk).update(problem=problem[:300], failed_at=now())
