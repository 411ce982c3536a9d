"""The audit log's newest seal, written on the chain: 32 bytes that nobody who can change the database can change.

A transaction of nothing from the platform's account to itself carries the seal's hash as its data. Its nonce is reserved and its
signed bytes are stored before anything is sent, as for every transaction of that account, so the account's line looks after it.
"""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import transaction

from auditlog.models import AuditAnchor, AuditSeal
from port444.kit.clock import now
from port444.payments.models import ChainAnchor, ChainSigner, EscrowAttempt

from . import engine, fees
from .client import Chain
from .engine import Round
from .fees import Fees
from .signer import OPERATOR

PLACE = "chain"
MOST_ASKED = 10  # anchors of which the chain is asked in one go


def anchor_seal(chain: Chain) -> int:
    """Bring the newest seal to the chain when AUDIT_CHAIN_HOURS have passed since the last; look after one that is on its way.

    How much moved. Safe to run again after any crash. Raises Unreachable or RpcError.
    """
    if not settings.AUDIT_CHAIN_HOURS:
        return 0
    anchor = ChainAnchor.objects.filter(chain_id=chain.chain_id, anchored_at__isnull=True).first() or _next(chain)
    return Anchoring(chain, anchor).go_on() if anchor is not None else 0


def is_on_chain(chain: Chain, seal_hash: bytes, reference: str) -> bool:
    """Whether the transaction that an `AuditAnchor` names carries this hash. Raises Unreachable or RpcError."""
    found = chain.ask("eth_getTransactionByHash", reference.rpartition(":")[2])
    return isinstance(found, dict) and found.get("blockHash") is not None and found.get("input") == "0x" + seal_hash.hex()


def _next(chain: Chain) -> ChainAnchor | None:
    seal = AuditSeal.objects.order_by("-seq").first()
    if seal is None or ChainAnchor.objects.filter(chain_id=chain.chain_id, seal=seal.seq).exists():
        return None
    recent = {"begun_at__gt": now() - timedelta(hours=settings.AUDIT_CHAIN_HOURS), "seal__lt": seal.seq}
    if any(_stands(chain, anchor) for anchor in ChainAnchor.objects.filter(chain_id=chain.chain_id, **recent).order_by("-seal")[:MOST_ASKED]):
        return None
    return ChainAnchor.objects.create(chain_id=chain.chain_id, seal=seal.seq, seal_hash="0x" + bytes(seal.hash).hex(), begun_at=now())


# What the chain was found to have, of which it is not asked again as long as the process lives.
_standing: set[tuple[int, int, str]] = set()


def _stands(chain: Chain, anchor: ChainAnchor) -> bool:
    """Whether the chain has this anchor. That the database says so is not enough: it could say so of one that was never sent."""
    key = (chain.chain_id, anchor.seal, anchor.tx_hash)
    if key not in _standing:
        hashes = AuditSeal.objects.filter(seq=anchor.seal).values_list("hash", flat=True)
        if not any(is_on_chain(chain, bytes(hash_), anchor.tx_hash) for hash_ in hashes):
            return False
        _standing.add(key)
    return True


class Anchoring(Round):
    """One go at one anchor."""

    def __init__(self, chain: Chain, anchor: ChainAnchor) -> None:
        super().__init__(chain)
        self.anchor = anchor

    def go_on(self) -> int:
        self._look()
        if self.anchor.nonce is None:
            self._reserve()
        tries = self._tries()
        if not tries:
            self._offer(self.fees)
        elif not self._note(tries):
            self._go_after(tries[-1])
        return self.moved

    def _tries(self) -> list[EscrowAttempt]:
        assert self.anchor.nonce is not None
        held = EscrowAttempt.objects.filter(chain_id=self.chain.chain_id, signer=self.anchor.signer, nonce=self.anchor.nonce, operation=None)
        return list(held.order_by("max_fee", "created_at"))

    @transaction.atomic
    def _reserve(self) -> None:
        address = self.chain.signer(OPERATOR).address
        ChainSigner.objects.get_or_create(chain_id=self.chain.chain_id, address=address)
        row = ChainSigner.objects.select_for_update(no_key=True).get(chain_id=self.chain.chain_id, address=address)
        self.anchor.signer, self.anchor.nonce = address, max(row.next_nonce, self.pending[address])
        row.next_nonce = self.anchor.nonce + 1
        row.save(update_fields=["next_nonce"])
        self.anchor.save(update_fields=["signer", "nonce"])

    def _offer(self, offer: Fees) -> None:
        """Sign for the reserved nonce, store, send. A crash in between leaves a nonce that is signed for again."""
        signer = self.chain.signer(OPERATOR)
        nonce = self.anchor.nonce
        assert nonce is not None
        if signer.address != self.anchor.signer or self._spent(signer.address) > nonce:
            self._start_over()
            return
        shape = {"from": signer.address, "to": signer.address, "data": self.anchor.seal_hash}
        gas = int(self.chain.ask("eth_estimateGas", shape, "latest"), 16) * 6 // 5 + 10_000
        engine.reached("reserved")
        signed = signer.sign(self._transaction(signer.address, self.anchor.seal_hash, nonce, gas, offer))
        attempt = self._attempt(signer, signed.hash, signed.raw, nonce, gas, offer, None)
        attempt.save(force_insert=True)
        engine.reached("signed")
        self._send([attempt])
        self.moved += 1

    def _note(self, tries: list[EscrowAttempt]) -> bool:
        """Whether its nonce is spent: on the anchor, or, when another transaction took its place in the line, to be taken anew."""
        receipts = self._receipts(attempt.tx_hash for attempt in tries)
        if not receipts:
            if self._spent(self.anchor.signer) <= tries[-1].nonce:
                return False
            if self._is_missing_for_long():
                self._start_over()
            return True
        (tx_hash, receipt), *_ = receipts.items()
        if not self._is_deep(int(receipt["blockNumber"], 16)):
            return True
        block = self.chain.ask("eth_getBlockByNumber", receipt["blockNumber"], False)
        if not isinstance(block, dict) or block["hash"] != receipt["blockHash"]:
            return True
        if not is_on_chain(self.chain, bytes.fromhex(self.anchor.seal_hash[2:]), tx_hash):
            self._start_over()
            return True
        self._finish(tx_hash)
        return True

    def _is_missing_for_long(self) -> bool:
        self.memory.missing[f"anchor:{self.anchor.pk}"] += 1
        return self.memory.missing[f"anchor:{self.anchor.pk}"] >= 3

    @transaction.atomic
    def _finish(self, tx_hash: str) -> None:
        reference = f"eip155:{self.chain.chain_id}:{tx_hash}"
        AuditAnchor.objects.get_or_create(seal_id=self.anchor.seal, place=PLACE, defaults={"reference": reference, "anchored_at": now()})
        self.anchor.tx_hash, self.anchor.anchored_at = tx_hash, now()
        self.anchor.save(update_fields=["tx_hash", "anchored_at"])
        self.moved += 1

    def _start_over(self) -> None:
        self.anchor.signer, self.anchor.nonce = "", None
        self.anchor.save(update_fields=["signer", "nonce"])

    def _go_after(self, last: EscrowAttempt) -> None:
        offer = fees.replacing(Fees(int(last.max_fee), int(last.tip)), self.fees) if self._is_stuck(last) else None
        if offer is not None:
            self._offer(offer)
        elif not self._known([last])[0]:
            self._send([last])
