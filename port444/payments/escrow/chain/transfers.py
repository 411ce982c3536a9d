"""Tokens that came to the platform's address: read from the chain, and matched with the payments that wait for them.

What a page says about a transfer is a hint at most. A transfer pays for one payment, by its sender and its exact amount; one that
fits no payment is reported and waits for a person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from auditlog.models import IncidentSeverity
from port444.kit.clock import now
from port444.kit.jobs import enqueue
from port444.kit.money import CURRENCY
from port444.payments.models import (
    VOID,
    ChainCursor,
    ChainDifference,
    ChainTransfer,
    EscrowAttempt,
    EscrowKind,
    EscrowOperation,
    PaymentStatus,
    WalletMethod,
    WalletPayment,
)

from .client import PAGE, Chain
from .contract import CENT_UNITS, from_units
from .reading import deep_block
from .reconcile import Difference, Look

TOPIC = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"  # Transfer(address,address,uint256)
DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
OVERLAP = 64  # blocks that are read again each time, for what a reorganisation has changed
REMEMBERED = timedelta(days=90)  # for so long money is looked for at an address that the platform used before
DISPUTED = timedelta(days=1)  # for so long an attempt that ran out may still be meant by a transfer
LIVE = [PaymentStatus.CREATED, PaymentStatus.PENDING]


@dataclass(frozen=True, slots=True)
class Seen:
    """One transfer as the chain has it."""

    tx_hash: str
    place: int
    sender: str
    units: int
    block_number: int
    block_hash: str


def find_transfers(chain: Chain) -> int:
    """Read what has come since the last time, up to the depth at which it counts, and match it. How many payments were found.

    Safe to run twice at once and after any crash. Raises Unreachable or RpcError.
    """
    deep = deep_block(chain)
    cursor, _ = ChainCursor.objects.get_or_create(
        chain_id=chain.chain_id, contract=chain.token.address, defaults={"next_block": max(0, deep + 1 - PAGE), "looked_at": now()}
    )
    first, found = max(0, cursor.next_block - OVERLAP), 0
    while first <= deep:
        last = min(first + PAGE - 1, deep)
        found += _store(chain, first, last, _read(chain, first, last))
        first = last + 1
    return found


def _read(chain: Chain, first: int, last: int) -> list[Seen]:
    to = ["0x" + address.removeprefix("0x").lower().rjust(64, "0") for address in _treasuries(chain)]
    asked = {"fromBlock": hex(first), "toBlock": hex(last), "address": chain.token.address, "topics": [TOPIC, None, to]}
    logs = [log for log in chain.ask("eth_getLogs", asked) if len(log["topics"]) == 3 and not log.get("removed")]
    seen, places = [], Counter[str]()
    for log in sorted(logs, key=lambda one: (int(one["blockNumber"], 16), int(one["logIndex"], 16))):
        tx_hash = log["transactionHash"].lower()
        sender, units = chain.address("0x" + log["topics"][1][-40:]), int(log["data"], 16)
        # Its place among those of its own transaction: the one in the block changes when a reorganisation moves the transaction.
        seen.append(Seen(tx_hash, places[tx_hash], sender, units, int(log["blockNumber"], 16), log["blockHash"].lower()))
        places[tx_hash] += 1
    return seen


def _treasuries(chain: Chain) -> set[str]:
    """Where wallets were told to pay to."""
    told = WalletPayment.objects.filter(chain_id=chain.chain_id, begun_at__gte=now() - REMEMBERED)
    return {chain.operator, *told.values_list("treasury", flat=True).distinct()}


@transaction.atomic
def _store(chain: Chain, first: int, last: int, seen: list[Seen]) -> int:
    cursor = ChainCursor.objects.select_for_update(no_key=True).get(chain_id=chain.chain_id, contract=chain.token.address)
    ours = {address.lower() for address in (*_treasuries(chain), chain.escrow.address, settings.CHAIN_PLATFORM_ADDRESS, "0x" + "0" * 40)}
    seen = [one for one in seen if one.units > 0 and one.sender.lower() not in ours]
    hashes = {one.tx_hash for one in seen}
    known = ChainTransfer.objects.filter(Q(tx_hash__in=hashes) | Q(block_number__range=(first, last)), chain_id=chain.chain_id)
    _compare(chain.chain_id, list(known.select_for_update(of=("self",), no_key=True)), seen)
    cursor.next_block, cursor.looked_at = max(cursor.next_block, last + 1), now()
    cursor.save(update_fields=["next_block", "looked_at"])
    return _match(chain, first, last)


def _compare(chain_id: int, known: list[ChainTransfer], seen: Iterable[Seen]) -> None:
    """Make the rows say what the chain says now. A transaction that a reorganisation has put into another block stays the same
    transfer: it paid already."""
    for one in seen:
        name = (one.tx_hash, one.place, one.sender, one.units)
        row = next((each for each in known if (each.tx_hash, each.log_index, each.sender, int(each.units)) == name), None)
        if row is None:
            row = ChainTransfer(
                chain_id=chain_id,
                tx_hash=one.tx_hash,
                log_index=one.place,
                sender=one.sender,
                units=one.units,
                block_number=one.block_number,
                block_hash=one.block_hash,
                found_at=now(),
            )
            row.save(force_insert=True)
            continue
        known.remove(row)
        if (row.block_number, row.block_hash, row.gone_at) != (one.block_number, one.block_hash, None):
            row.block_number, row.block_hash, row.gone_at = one.block_number, one.block_hash, None
            row.save(update_fields=["block_number", "block_hash", "gone_at"])
    for gone in known:
        if gone.gone_at is None:
            gone.gone_at = now()
            gone.save(update_fields=["gone_at"])


def _match(chain: Chain, first: int, last: int) -> int:
    """Give each unused transfer to the payment that waits for it; the oldest first. The cursor's row is locked.

    Those of earlier pages are not looked at again: a payment that begins now counts from the cursor on.
    """
    found = 0
    unused = unmatched(chain.chain_id).filter(block_number__range=(first, last)).order_by("block_number", "log_index")
    for transfer in unused.select_for_update(of=("self",), no_key=True):
        payment_id = _collected(transfer) or _waiting(chain, transfer)
        if payment_id is None:
            continue
        transfer.payment_id = payment_id
        transfer.save(update_fields=["payment"])
        enqueue("port444.payments.jobs.note_own_wallet", payment_id)
        found += 1
    return found


def _collected(transfer: ChainTransfer) -> Any:
    """The payment whose signature the platform itself has used in this transaction."""
    attempts = EscrowAttempt.objects.filter(tx_hash__iexact=transfer.tx_hash, operation__kind=EscrowKind.COLLECT)
    return attempts.values_list("operation__subject_id", flat=True).first()


def _waiting(chain: Chain, transfer: ChainTransfer) -> Any:
    """The payment that this sender was to pay with this amount. One whose page named this transaction comes first, then those that
    can still be paid, then the latest that ran out: its money goes back.

    Anybody can say that they pay from an address. When two people said so of this one, a person decides; nothing is guessed.
    """
    if transfer.units % CENT_UNITS:
        return None
    waiting = WalletPayment.objects.filter(
        chain_id=transfer.chain_id,
        token__iexact=chain.token.address,
        address__iexact=transfer.sender,
        method=WalletMethod.TRANSFER,
        from_block__lte=transfer.block_number,
        payment__amount=from_units(int(transfer.units)),
        payment__transfer__isnull=True,
    ).select_related("payment__invoice")
    oldest_first = sorted(waiting, key=lambda one: one.begun_at)
    if len({one.payment.invoice.payer_id for one in oldest_first if one.payment.status in LIVE or one.begun_at > now() - DISPUTED}) > 1:
        return None
    named = [one for one in oldest_first if one.tx_hash.lower() == transfer.tx_hash]
    live = [one for one in oldest_first if one.payment.status in LIVE]
    return next((one.payment_id for one in (*named, *live, *reversed(oldest_first))), None)


def unmatched(chain_id: int) -> QuerySet[ChainTransfer]:
    """Transfers of a cent or more that fit no payment and were not sent back. Less than that comes from people who hope that somebody
    copies their address."""
    back = EscrowOperation.objects.filter(purpose="transfer", subject_id=OuterRef("pk"), kind=EscrowKind.PAY).exclude(status__in=VOID)
    return ChainTransfer.objects.filter(~Exists(back), chain_id=chain_id, payment__isnull=True, gone_at__isnull=True, units__gte=CENT_UNITS)


def misfits(chain_id: int) -> Look:
    """For the comparison with the books: what came and fits nothing, and what a reorganisation took away after it had paid."""
    look = Look()
    for transfer in unmatched(chain_id).order_by("found_at")[:PAGE]:
        look.hold(_difference(transfer, "transfer", words_of(transfer), IncidentSeverity.MEDIUM), differs=True)
    gone = ChainTransfer.objects.filter(chain_id=chain_id, gone_at__isnull=False, payment__isnull=False)
    for transfer in gone.order_by("found_at")[:PAGE]:
        words = f"The transfer of {_words(transfer)} that paid for something is not on the chain any more."
        look.hold(_difference(transfer, "transfer_gone", words, IncidentSeverity.CRITICAL), differs=True)
    known = {each.fingerprint for each in look.found}
    before = ChainDifference.objects.filter(kind__in=["transfer", "transfer_gone"], gone_at=None).exclude(fingerprint__in=known)
    look.agreed += list(before.values_list("fingerprint", flat=True)[:PAGE])
    return look


def signing(chain: Chain) -> Look:
    """Whether what wallets are asked to sign is for the token of this chain; else every signature would be refused there."""
    from eth_utils import keccak, to_bytes

    look = Look()
    words = (settings.USDC_DOMAIN_NAME, settings.USDC_DOMAIN_VERSION)
    parts = [keccak(text=DOMAIN_TYPE), *(keccak(text=word) for word in words), chain.chain_id.to_bytes(32)]
    wanted = keccak(b"".join(parts) + to_bytes(hexstr=chain.token.address).rjust(32, b"\0"))
    found = chain.ask("eth_call", {"to": chain.token.address, "data": chain.token.encode_abi("DOMAIN_SEPARATOR")}, "latest")
    difference = Difference(
        f"token_domain:{chain.chain_id}:{chain.token.address.lower()}",
        "token_domain",
        f"The token does not take signatures for the name {words[0]!r} and the version {words[1]!r}: paying by signature fails.",
        IncidentSeverity.HIGH,
        {"name": words[0], "version": words[1], "token": chain.token.address},
    )
    look.hold(difference, str(found).lower() != "0x" + wanted.hex())
    return look


def _difference(transfer: ChainTransfer, kind: str, words: str, severity: IncidentSeverity) -> Difference:
    facts = {"transaction": transfer.tx_hash, "sender": transfer.sender, "units": str(transfer.units), "transfer": str(transfer.pk)}
    return Difference(f"{kind}:{transfer.pk}", kind, words, severity, facts, loss=from_units(int(transfer.units) // CENT_UNITS * CENT_UNITS))


def words_of(transfer: ChainTransfer) -> str:
    """What a person is told of a transfer that fits nothing."""
    return f"{_words(transfer)} came from {transfer.sender} and fits no payment."


def _words(transfer: ChainTransfer) -> str:
    return f"{transfer.units.scaleb(-6).normalize():f} {CURRENCY}"
