"""Carries operations to the chain and the chain's answers to the books.

What it holds to:

1. The contract takes an operation's key once, so sending at least once is safe.
2. Nonce, signed bytes and hash are stored before anything is sent: whoever starts again after a crash sends the same bytes.
3. The signer's row is locked while a nonce is taken, and no network is talked to meanwhile.
4. All attempts of an operation keep their nonce until that nonce is spent.
5. Confirmed is our own event with our own arguments, deep enough, in a block that the chain still has.

Every step can be done again, by this process or another, without doing harm; `reached` names the points between them.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from port444.kit.clock import now
from port444.kit.errors import WrongState
from port444.payments.escrow import books
from port444.payments.models import (
    FLYING,
    VOID,
    WAITING,
    ChainNonce,
    ChainSigner,
    EscrowAttempt,
    EscrowKind,
    EscrowOperation,
    EscrowStatus,
)

from . import fees, search
from .calls import Call, call_of, proven, refusal
from .client import Chain, Request, RpcError, Unreachable
from .fees import Fees
from .rules import rules_of
from .signer import OPERATOR, Signer

T = EscrowStatus
log = logging.getLogger(__name__)

LOOKED_AT = 500  # operations on their way, or not final yet, looked at in one round
GAPS = 100  # nonces looked at below the highest that is on its way
MISSES = 3  # rounds in which something has to be missing before that counts: one node may lag behind another
LAGGING = 60  # the same for a node whose chain ends before the block that is looked for
MOST_NONCES = 5  # that one operation may spend on transactions that revert
FIRST_WAIT, LONGEST_WAIT = 2, 300  # seconds between two looks at what is blocked


def reached(point: str) -> None:
    """Tests stop the worker here as a crash would."""


@dataclass(slots=True)
class Memory:
    """What a worker remembers between rounds. Losing it costs a few rounds and nothing else."""

    missing: Counter[str] = field(default_factory=Counter)
    doubted: Counter[str] = field(default_factory=Counter)
    too_cheap: set[str] = field(default_factory=set)
    accounts: set[str] = field(default_factory=set)  # that have their row


_memories: WeakKeyDictionary[Chain, Memory] = WeakKeyDictionary()


def tick(chain: Chain) -> int:
    """Do once what is due. Gives how much moved. Raises Unreachable or WrongChain, with nothing lost."""
    return Round(chain).run()


def step(chain: Chain, op_id: str) -> int:
    """The same for one operation."""
    return Round(chain, op_id).run()


class Round:
    """One go at everything that is due, with the chain as it was when the round began."""

    def __init__(self, chain: Chain, only: str = "") -> None:
        self.chain, self.only = chain, only
        self.memory = _memories.setdefault(chain, Memory())
        self.rules = rules_of(chain.chain_id)
        self.moved = 0

    def run(self) -> int:
        self.chain.check()
        self._look()
        self._watch_confirmed()
        self._poll(list(self._operations().filter(status__in=FLYING).order_by("number")[:LOOKED_AT]))
        self._send(self._unsent())
        in_line = self._operations().filter(status__in=[T.SIGNED, T.SENT]).count()
        self._begin(list(self._heads()[: max(self.rules.line - in_line, 0)]))
        self._fill_gaps()
        return self.moved

    # What the chain is like

    def _look(self) -> None:
        signers = list(ChainSigner.objects.filter(chain_id=self.chain.chain_id).values_list("address", flat=True))
        self.memory.accounts = set(signers)
        if self.chain.operator not in signers:
            signers.append(self.chain.operator)
        asked: list[Request] = [("eth_getBlockByNumber", [tag, False]) for tag in ("latest", "safe", "finalized")]
        asked.append(("eth_maxPriorityFeePerGas", []))
        for address in signers:
            asked += [("eth_getTransactionCount", [address, tag]) for tag in ("latest", "pending")]
        latest, safe, final, tip, *counts = self.chain.batch(asked)
        if not isinstance(latest, dict):
            raise Unreachable(f"the node has no latest block: {latest}")
        self.number = int(latest["number"], 16)
        self.safe, self.final = (_number(block, self.number - 64) for block in (safe, final))
        self.fees = fees.suggested(latest, tip)
        self.spent: dict[str, int] = {}
        self.pending: dict[str, int] = {}
        for address, mined, waiting in zip(signers, counts[::2], counts[1::2], strict=True):
            if isinstance(mined, RpcError):
                raise Unreachable(f"the node does not count transactions: {mined}")
            self.spent[address] = int(mined, 16)
            self.pending[address] = max(self.spent[address], 0 if isinstance(waiting, RpcError) else int(waiting, 16))

    def _spent(self, address: str) -> int:
        """The first nonce of an account that is not in a block."""
        if address not in self.spent:
            self.spent[address] = int(self.chain.ask("eth_getTransactionCount", address, "latest"), 16)
            self.pending[address] = max(self.spent[address], int(self.chain.ask("eth_getTransactionCount", address, "pending"), 16))
        return self.spent[address]

    def _is_deep(self, block: int) -> bool:
        if self.rules.confirmations:
            return self.number - block + 1 >= self.rules.confirmations
        return block <= self.safe

    # What the books ask for

    def _operations(self) -> QuerySet[EscrowOperation]:
        mine = EscrowOperation.objects.filter(backend="web3", chain_id=self.chain.chain_id)
        return mine.filter(pk=self.only) if self.only else mine

    def _heads(self) -> QuerySet[EscrowOperation]:
        """What is due and has nothing before it in the queue of any deal it touches."""
        same = Q(subject_id=OuterRef("subject_id")) | Q(target_id=OuterRef("subject_id"))
        same |= Q(subject_id=OuterRef("target_id")) | Q(target_id=OuterRef("target_id"))
        earlier = EscrowOperation.objects.open().filter(same, number__lt=OuterRef("number"))
        # Later ones fly before it only when a reorganisation has put it back; filling the account's line sends it.
        flying = EscrowOperation.objects.filter(subject_id=OuterRef("subject_id"), status__in=FLYING)
        due = self._operations().filter(~Exists(earlier), ~Exists(flying), status__in=WAITING, next_try_at__lte=now())
        return due.order_by("number")

    def _unsent(self) -> list[EscrowAttempt]:
        due = self._operations().filter(status=T.SIGNED, next_try_at__lte=now()).order_by("number")[:LOOKED_AT]
        found = _attempts(list(due))
        return [tries[-1] for tries in found.values() if tries]

    # On their way: poll, send again, offer more

    def _poll(self, operations: Sequence[EscrowOperation]) -> None:
        attempts = _attempts(operations)
        hashes = {op.pk: _hashes(op, attempts[op.pk]) for op in operations}
        receipts = self._receipts({each for some in hashes.values() for each in some})
        mined: list[tuple[EscrowOperation, dict[str, Any]]] = []
        pending: list[EscrowOperation] = []
        for op in operations:
            receipt = _result(op, attempts[op.pk], receipts)
            if receipt is None:
                if op.status == T.MINED:
                    log.warning("escrow operation %s: its block is gone", op.pk)
                    self._move(op, [T.MINED], T.SENT if attempts[op.pk] else T.QUEUED, block_number=None, block_hash="", tx_hash="")
                if op.status == T.SENT:
                    pending.append(op)
            elif self._note_mined(op, receipt):
                self.memory.missing.pop(op.pk, None)
                mined.append((op, receipt))
        self._confirm(mined, attempts)
        self._push(pending, attempts)

    def _receipts(self, hashes: Iterable[str]) -> dict[str, dict[str, Any]]:
        asked = sorted(hashes)
        answers = self.chain.batch([("eth_getTransactionReceipt", [each]) for each in asked])
        # A node that answers for another transaction than was asked for is not believed.
        return {each: found for each, found in zip(asked, answers, strict=True) if isinstance(found, dict) and found.get("transactionHash") == each}

    def _note_mined(self, op: EscrowOperation, receipt: dict[str, Any]) -> bool:
        stamps = _stamps(receipt)
        if op.status == T.MINED:
            if (op.tx_hash, op.block_hash) == (stamps["tx_hash"], stamps["block_hash"]):
                return True
            return self._stamp(op, [T.MINED], **stamps)
        done = self._move(op, [T.SIGNED, T.SENT], T.MINED, **stamps)
        reached("mined")
        return done

    def _confirm(self, mined: Sequence[tuple[EscrowOperation, dict[str, Any]]], attempts: dict[str, list[EscrowAttempt]]) -> None:
        deep = [(op, receipt) for op, receipt in mined if self._is_deep(int(receipt["blockNumber"], 16)) and op.next_try_at <= now()]
        numbers = sorted({receipt["blockNumber"] for _, receipt in deep}, key=lambda number: int(number, 16))
        blocks = dict(zip(numbers, self.chain.batch([("eth_getBlockByNumber", [number, False]) for number in numbers]), strict=True))
        for op, receipt in deep:
            block = blocks[receipt["blockNumber"]]
            if not isinstance(block, dict) or block["hash"] != receipt["blockHash"]:
                continue  # another node's chain, or a reorganisation that has just begun: next round
            if int(receipt["status"], 16) == 1:
                self._book(op, receipt)
            else:
                self._ask_about(op, self._reverted)

    def _book(self, op: EscrowOperation, receipt: dict[str, Any]) -> None:
        if not proven(self.chain, op, call_of(self.chain, op), receipt["logs"]):
            self._review(op, [T.MINED], "The transaction is on the chain without the event that it should have left.")
            return
        reached("confirming")
        try:
            books.confirm(op.pk, **_stamps(receipt))
        except WrongState as refused:
            if refused.code != "escrow_order":
                self._postpone(op, f"The books refuse it: {refused}")
                log.exception("escrow operation %s is confirmed and cannot be booked", op.pk)
            return
        except Exception:  # whatever an app above does wrong must not keep the others' money waiting
            self._postpone(op, "It is on the chain, and booking it failed.")
            log.exception("escrow operation %s is confirmed and cannot be booked", op.pk)
            return
        self.moved += 1
        reached("confirmed")

    def _ask_about(self, op: EscrowOperation, question: Callable[[EscrowOperation], None]) -> None:
        """What the node refuses to say of one operation must not stop the others."""
        try:
            question(op)
        except RpcError as error:
            self._postpone(op, f"The node does not answer: {error.message}")

    def _reverted(self, op: EscrowOperation) -> None:
        """It is in a block and did nothing: what the chain says now decides."""
        call = call_of(self.chain, op)
        if self._used(call):
            self._adopt(op, call)
        elif op.attempts.values("signer", "nonce").distinct().count() >= MOST_NONCES:
            self._review(op, [T.MINED], f"The chain has turned it down {MOST_NONCES} times.")
        else:
            log.warning("escrow operation %s reverted on the chain", op.pk)
            words = "The chain turned it down; judged again."
            self._move(op, [T.MINED], T.QUEUED, words, block_number=None, block_hash="", tx_hash="", next_try_at=now())

    def _push(self, operations: Sequence[EscrowOperation], attempts: dict[str, list[EscrowAttempt]]) -> None:
        """What is sent and in no block."""
        waiting: list[EscrowAttempt] = []
        for op in operations:
            if not attempts[op.pk]:
                self._move(op, [T.SENT], T.QUEUED)
                continue
            last = attempts[op.pk][-1]
            if self._spent(last.signer) > last.nonce:
                if self._is_missing(op):
                    self._ask_about(op, self._nonce_taken)
            else:
                self.memory.missing.pop(op.pk, None)
                waiting.append(last)
        again: list[EscrowAttempt] = []
        long_ago = now() - timedelta(seconds=self.rules.resend_seconds)
        for attempt, known in zip(waiting, self._known(waiting), strict=True):
            assert attempt.operation is not None
            if self._is_stuck(attempt) and self._replace(attempt.operation, attempts[attempt.operation.pk]):
                continue
            if not known and (attempt.sent_at is None or attempt.sent_at <= long_ago):
                again.append(attempt)
        self._send(again)

    def _known(self, attempts: Sequence[EscrowAttempt]) -> list[bool]:
        found = self.chain.batch([("eth_getTransactionByHash", [attempt.tx_hash]) for attempt in attempts])
        return [isinstance(each, dict) for each in found]

    def _is_missing(self, op: EscrowOperation, rounds: int = MISSES) -> bool:
        self.memory.missing[op.pk] += 1
        if self.memory.missing[op.pk] < rounds:
            return False
        del self.memory.missing[op.pk]
        return True

    def _nonce_taken(self, op: EscrowOperation) -> None:
        call = call_of(self.chain, op)
        if self._used(call):
            self._adopt(op, call)
            return
        log.error("escrow operation %s: its nonce was spent by a transaction that is not ours; is the key used elsewhere?", op.pk)
        words = "Another transaction took its place in the account's line; sent with a new one."
        self._move(op, [T.SENT], T.QUEUED, words, next_try_at=now())

    def _is_stuck(self, attempt: EscrowAttempt) -> bool:
        if attempt.tx_hash in self.memory.too_cheap:
            return True
        if now() - attempt.created_at < timedelta(seconds=self.rules.bump_seconds):
            return False
        # Behind another of ours only what offers too little can be the matter.
        return attempt.nonce == self._spent(attempt.signer) or attempt.max_fee < self.fees.most

    def _replace(self, op: EscrowOperation, attempts: Sequence[EscrowAttempt]) -> bool:
        last = attempts[-1]
        self.memory.too_cheap.discard(last.tx_hash)
        offer = fees.replacing(Fees(int(last.max_fee), int(last.tip)), self.fees)
        many = len([each for each in attempts if each.nonce == last.nonce]) >= fees.MANY_BUMPS
        if offer is None:
            log.error("escrow operation %s is stuck, and more for its gas than CHAIN_MAX_FEE_GWEI is not offered", op.pk)
            self._stamp(op, [T.SENT], reason="Waiting in the chain's line; its fee is as high as it may be.")
            return False
        if many:
            log.error("escrow operation %s is stuck after %d offers", op.pk, len(attempts))
        call = call_of(self.chain, op)
        words = "Waiting in the chain's line for long; the fee was raised several times." if many else ""
        attempt = self._sign(op, call, int(last.gas), offer, replaced=last, words=words)
        if attempt is not None:
            self._send([attempt])
        return attempt is not None

    # Sending

    def _send(self, attempts: Sequence[EscrowAttempt]) -> None:
        """Every attempt is in the database. Whatever happens here, polling tells what became of it."""
        attempts = sorted(attempts, key=lambda attempt: (attempt.signer, attempt.nonce))
        if not attempts:
            return
        reached("sending")
        try:
            answers = self.chain.batch([("eth_sendRawTransaction", ["0x" + bytes(attempt.raw).hex()]) for attempt in attempts])
        except Unreachable as error:
            log.warning("%d transactions sent with unknown outcome: %s", len(attempts), error)
            answers = ["" for _ in attempts]
        reached("sent")
        sent: list[EscrowAttempt] = []
        for attempt, answer in zip(attempts, answers, strict=True):
            said = answer.message.lower() if isinstance(answer, RpcError) else ""
            if "insufficient funds" in said:
                self._out_of_gas_money(attempt)
                continue
            if isinstance(answer, RpcError) and not any(words in said for words in FINE):
                if any(words in said for words in TOO_CHEAP):
                    self.memory.too_cheap.add(attempt.tx_hash)
                else:
                    self._refused_by_node(attempt, answer)
                    continue
            sent.append(attempt)
        self._note_sent(sent)
        reached("recorded")

    def _note_sent(self, attempts: Sequence[EscrowAttempt]) -> None:
        EscrowAttempt.objects.filter(pk__in=[attempt.pk for attempt in attempts]).update(sent_at=now())
        asked = {attempt.operation.pk: attempt.operation for attempt in attempts if attempt.operation is not None}
        with transaction.atomic():
            rows = EscrowOperation.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=list(asked), status=T.SIGNED)
            for row in rows.order_by("number"):
                row.move_to(T.SENT, tries=0)
                books.note_step(row)
                _copy(row, asked[row.pk])
                self.moved += 1

    def _out_of_gas_money(self, attempt: EscrowAttempt) -> None:
        log.error("account %s is out of gas money", attempt.signer)
        if attempt.operation is not None:
            self._postpone(attempt.operation, "The platform's account is out of gas money; sent as soon as it has some.")

    def _refused_by_node(self, attempt: EscrowAttempt, error: RpcError) -> None:
        log.error("the node does not take transaction %s: %s", attempt.tx_hash, error.message[:200])
        if attempt.operation is not None:
            self._postpone(attempt.operation, f"The node does not take the transaction: {error.message}")

    # Beginning

    def _begin(self, operations: Sequence[EscrowOperation]) -> None:
        attempts = _attempts(operations)
        ready: list[tuple[EscrowOperation, Call, Signer]] = []
        for op in operations:
            last = attempts[op.pk][-1] if attempts[op.pk] else None
            if last is not None and self._spent(last.signer) <= last.nonce:
                # A reorganisation has put it back and its transaction is good for its nonce: never another one beside it.
                self._move(op, WAITING, T.SIGNED, "", next_try_at=now())
                continue
            try:
                call = call_of(self.chain, op)
                ready.append((op, call, self.chain.signer(call.role)))
            except ImproperlyConfigured as error:
                self._block(op, f"The platform cannot sign this: {error}")
            except Exception:  # web3 raises what it likes for arguments that cannot be written
                log.exception("escrow operation %s cannot be written as a call", op.pk)
                self._review(op, WAITING, "It cannot be written as a call of the contract.")
        self._check_contracts(ready)
        asked: list[Request] = []
        for _, call, signer in ready:
            shape = {"from": signer.address, "to": call.to, "data": call.data}
            asked += [("eth_call", [call.used, "latest"]), ("eth_call", [shape, "latest"]), ("eth_estimateGas", [shape, "latest"])]
        answers = self.chain.batch(asked)
        signed: list[EscrowAttempt] = []
        for (op, call, _), used, dry, gas in zip(ready, answers[::3], answers[1::3], answers[2::3], strict=True):
            if isinstance(used, RpcError):
                self._postpone(op, f"The node does not answer: {used.message}")
            elif int(used, 16):
                self._ask_about(op, partial(self._adopt, call=call))
            elif isinstance(dry, RpcError):
                self._judge(op, dry)
            elif isinstance(gas, RpcError):
                self._judge(op, gas)
            else:
                self.memory.doubted.pop(op.pk, None)
                reached("preflighted")
                try:
                    attempt = self._sign(op, call, int(gas, 16) * 6 // 5 + 10_000, self.fees)
                except IntegrityError:  # another worker was before this one
                    log.warning("escrow operation %s could not be signed", op.pk, exc_info=True)
                    continue
                if attempt is not None:
                    signed.append(attempt)
        self._send(signed)

    def _check_contracts(self, ready: list[tuple[EscrowOperation, Call, Signer]]) -> None:
        for contract in {op.contract for op, _, _ in ready} - {"", self.chain.escrow.address}:
            self.chain.check(contract)

    def _judge(self, op: EscrowOperation, error: RpcError) -> None:
        if not error.reverted:
            self._postpone(op, f"The node does not answer: {error.message}")
            return
        why = refusal(error)
        if not why.permanent:
            self.memory.doubted.pop(op.pk, None)
            self._block(op, why.words)
            return
        # A node that lags behind knows less than there is: what is for good is said several times.
        self.memory.doubted[op.pk] += 1
        if self.memory.doubted[op.pk] < MISSES:
            self._block(op, why.words, wait=1 if self.rules.confirmations == 1 else FIRST_WAIT)
            return
        del self.memory.doubted[op.pk]
        self._give_up(op, why.words)

    def _give_up(self, op: EscrowOperation, words: str) -> None:
        log.error("escrow operation %s is given up: %s", op.pk, words)
        try:
            books.give_up(op.pk, words)
        except WrongState:
            self._review(op, WAITING, words)  # it was booked before a reorganisation took it away
            return
        except Exception:
            log.exception("escrow operation %s cannot be given up", op.pk)
            self._block(op, words)
            return
        self.moved += 1

    def _block(self, op: EscrowOperation, words: str, wait: int = 0) -> None:
        pause = wait or min(FIRST_WAIT * 2 ** min(op.tries, 10), LONGEST_WAIT)
        stamps: dict[str, Any] = {"tries": min(op.tries + 1, 1000), "next_try_at": now() + timedelta(seconds=pause)}
        if op.status == T.BLOCKED:
            self._stamp(op, [T.BLOCKED], reason=words[:300], **stamps)
        else:
            log.warning("escrow operation %s is blocked: %s", op.pk, words)
            self._move(op, [T.QUEUED], T.BLOCKED, words, **stamps)

    # Signing

    def _sign(
        self, op: EscrowOperation, call: Call, gas: int, offer: Fees, replaced: EscrowAttempt | None = None, words: str = ""
    ) -> EscrowAttempt | None:
        """A stored attempt; None when the operation has moved on meanwhile."""
        signer = self.chain.signer(call.role)
        if replaced is not None and replaced.signer != signer.address:
            log.error("escrow operation %s was signed by %s, which is not the account for it any more", op.pk, replaced.signer)
            return None
        expected = WAITING if replaced is None else [T.SENT]
        self._spent(signer.address)

        def make(nonce: int) -> EscrowAttempt:
            signed = signer.sign(self._transaction(call.to, call.data, nonce, gas, offer))
            return self._attempt(signer, signed.hash, signed.raw, nonce, gas, offer, op)

        if signer.network:
            with transaction.atomic():
                row = EscrowOperation.objects.lock(op.pk)
                if row.status not in expected:
                    return None
                nonce = replaced.nonce if replaced is not None else self._take_nonce(signer, row)
            reached("reserved")
            attempt = make(nonce)
            with transaction.atomic():
                if not self._move(op, expected, T.SIGNED, words, tries=0, next_try_at=now()):
                    return None  # what was reserved is a gap now, and is filled
                attempt.save(force_insert=True)
        else:
            with transaction.atomic():
                if not self._move(op, expected, T.SIGNED, words, tries=0, next_try_at=now()):
                    return None
                attempt = make(replaced.nonce if replaced is not None else self._take_nonce(signer, op))
                attempt.save(force_insert=True)
        reached("signed")
        return attempt

    def _take_nonce(self, signer: Signer, op: EscrowOperation) -> int:
        """The next nonce, or the one that was reserved for `op` and never signed. Inside a transaction, with no network."""
        chain_id, address = self.chain.chain_id, signer.address
        if address not in self.memory.accounts:
            ChainSigner.objects.get_or_create(chain_id=chain_id, address=address)
        row = ChainSigner.objects.select_for_update(no_key=True).get(chain_id=chain_id, address=address)
        signed = EscrowAttempt.objects.filter(chain_id=chain_id, signer=address, nonce=OuterRef("nonce"))
        reserved = ChainNonce.objects.filter(~Exists(signed), chain_id=chain_id, address=address, operation=op, nonce__gte=self.spent[address])
        if (held := reserved.order_by("nonce").first()) is not None:
            return held.nonce
        # The node's count is ahead of ours when the database was restored from a backup.
        nonce = max(row.next_nonce, self.pending[address])
        row.next_nonce = nonce + 1
        row.save(update_fields=["next_nonce"])
        ChainNonce.objects.create(chain_id=chain_id, address=address, nonce=nonce, operation=op)
        return nonce

    def _transaction(self, to: str, data: str, nonce: int, gas: int, offer: Fees) -> dict[str, Any]:
        return {
            "type": 2,
            "chainId": self.chain.chain_id,
            "nonce": nonce,
            "to": to,
            "value": 0,
            "data": data,
            "gas": gas,
            "maxFeePerGas": offer.most,
            "maxPriorityFeePerGas": offer.tip,
        }

    def _attempt(self, signer: Signer, tx_hash: str, raw: bytes, nonce: int, gas: int, offer: Fees, op: EscrowOperation | None) -> EscrowAttempt:
        return EscrowAttempt(
            tx_hash=tx_hash,
            operation=op,
            chain_id=self.chain.chain_id,
            signer=signer.address,
            nonce=nonce,
            raw=raw,
            gas=gas,
            max_fee=offer.most,
            tip=offer.tip,
            created_at=now(),
        )

    # The account's line

    def _fill_gaps(self) -> None:
        """A nonce that nothing holds stops all that come after it: send again what was signed for it, or spend it on nothing."""
        for address, spent in list(self.spent.items()):
            ours = EscrowAttempt.objects.filter(chain_id=self.chain.chain_id, signer=address, nonce__gte=spent).select_related("operation")
            by_nonce: dict[int, list[EscrowAttempt]] = defaultdict(list)
            for attempt in ours.order_by("nonce", "max_fee")[: 10 * GAPS]:
                by_nonce[attempt.nonce].append(attempt)
            again: list[EscrowAttempt] = []
            for nonce in range(spent, min(max(by_nonce, default=spent), spent + GAPS)):
                held = by_nonce.get(nonce, [])
                if any(each.operation is not None and each.operation.status in FLYING for each in held):
                    continue  # looked after as an operation
                useful = [each for each in held if each.operation is None or each.operation.status not in VOID]
                last = useful[-1] if useful else None
                if last is None or (last.operation is None and self._is_stuck(last)):
                    again += self._spend_on_nothing(address, nonce, last)
                elif not self._known([last])[0]:
                    again.append(last)
            if again:
                log.warning("account %s: filling a gap at nonces %s", address, [each.nonce for each in again])
                self.moved += len(again)
                self._send(again)

    def _spend_on_nothing(self, address: str, nonce: int, last: EscrowAttempt | None) -> list[EscrowAttempt]:
        """A transfer of nothing from the account to itself."""
        signer = next((each for each in self._signers() if each.address == address), None)
        offer = self.fees if last is None else fees.replacing(Fees(int(last.max_fee), int(last.tip)), self.fees)
        if signer is None or offer is None:
            log.error("account %s: nonce %d cannot be filled", address, nonce)
            return []
        signed = signer.sign(self._transaction(address, "0x", nonce, 21_000, offer))
        attempt = self._attempt(signer, signed.hash, signed.raw, nonce, 21_000, offer, None)
        attempt.save(force_insert=True)
        return [attempt]

    def _signers(self) -> list[Signer]:
        found = []
        for role in (OPERATOR, "arbiter"):
            try:
                found.append(self.chain.signer(role))
            except ImproperlyConfigured:
                continue
        return found

    # Done already, by whomever

    def _used(self, call: Call) -> bool:
        answer = self.chain.ask("eth_call", call.used, "latest")
        return isinstance(answer, str) and len(answer) > 2 and int(answer, 16) != 0

    def _adopt(self, op: EscrowOperation, call: Call) -> None:
        """The chain has consumed it: find where, and send nothing."""
        found = search.newest(self.chain, op, call, self.number)
        if found is not None:
            self.memory.missing.pop(op.pk, None)
            log.warning("escrow operation %s was found on the chain", op.pk)
            stamps = {"tx_hash": found["transactionHash"], "block_number": int(found["blockNumber"], 16), "block_hash": found["blockHash"]}
            if op.status == T.MINED:
                self._stamp(op, [T.MINED], **stamps)
            elif op.status == T.SENT:
                self._move(op, [T.SENT], T.MINED, **stamps)
            else:
                self._move(op, WAITING, T.MINED, **stamps)
        elif op.kind == EscrowKind.COLLECT and search.cancelled(self.chain, op, self.number):
            if op.status in WAITING:
                self._give_up(op, "The signature was cancelled by the wallet that gave it.")
            else:
                self._move(op, [T.SENT, T.MINED], T.QUEUED, "", next_try_at=now(), block_number=None, block_hash="", tx_hash="")
        elif self._is_missing(op):
            words = "The contract has carried this out, and its event was not found."
            self._review(op, [*WAITING, T.SENT, T.MINED], words)
        elif op.status in WAITING:
            self._block(op, "The contract has carried this out; looking for its event.", wait=1)

    # After confirmation

    def _watch_confirmed(self) -> None:
        """Confirmed operations are looked at until the chain calls their block final."""
        open_ended = self._operations().filter(status=T.CONFIRMED, final_at__isnull=True, block_number__isnull=False)
        watched = list(open_ended.order_by("number")[:LOOKED_AT])
        numbers = sorted({op.block_number for op in watched if op.block_number is not None and op.block_number <= self.number})
        blocks = self.chain.batch([("eth_getBlockByNumber", [hex(number), False]) for number in numbers])
        hashes = {number: block["hash"] for number, block in zip(numbers, blocks, strict=True) if isinstance(block, dict)}
        for op in watched:
            there = hashes.get(op.block_number or -1)
            if there == op.block_hash:
                self.memory.missing.pop(op.pk, None)
                if (op.block_number or 0) <= self.final:
                    self._stamp(op, [T.CONFIRMED], final_at=now())
            elif self._is_missing(op, MISSES if there is not None else LAGGING):
                self._take_back(op)

    def _take_back(self, op: EscrowOperation) -> None:
        """What it did to the books stays done; on the chain it has to be done again, or found elsewhere."""
        log.error("escrow operation %s: the chain has dropped the block in which it was confirmed", op.pk)
        flying = EscrowOperation.objects.filter(subject_id=op.subject_id, status__in=FLYING).exists()
        status = T.SENT if op.attempts.exists() and not flying else T.QUEUED
        words = "The chain was reorganised after it was confirmed; it is on its way again."
        cleared = {"confirmed_at": None, "block_number": None, "block_hash": "", "tx_hash": "", "next_try_at": now()}
        self._move(op, [T.CONFIRMED], status, words, **cleared)

    # Writing

    def _move(self, op: EscrowOperation, expected: Iterable[str], status: str, words: str = "", **stamps: Any) -> bool:
        """Move on if it still is where it was; `op` then says what the row says."""
        with transaction.atomic(savepoint=False):
            row = EscrowOperation.objects.lock(op.pk)
            moves = row.status in list(expected)
            if moves:
                row.move_to(status, reason=words[:300], **stamps)
                books.note_step(row)
        _copy(row, op)
        self.moved += moves
        return moves

    def _stamp(self, op: EscrowOperation, expected: Iterable[str], **stamps: Any) -> bool:
        """Write fields and leave the status. Why it waits, and which transaction it is, are told to the log."""
        before: dict[str, Any] = {name: getattr(op, name) for name in ("reason", "tx_hash") if name in stamps and getattr(op, name) != stamps[name]}
        with transaction.atomic(savepoint=False):
            changed = EscrowOperation.objects.filter(pk=op.pk, status__in=list(expected)).update(**stamps)
            if changed and before:
                books.note_step(op, before=before, after={name: stamps[name] for name in before})
        for name, value in stamps.items():
            setattr(op, name, value)
        return bool(changed)

    def _postpone(self, op: EscrowOperation, words: str) -> None:
        pause = min(FIRST_WAIT * 2 ** min(op.tries, 10), LONGEST_WAIT)
        stamps = {"reason": words[:300], "tries": min(op.tries + 1, 1000), "next_try_at": now() + timedelta(seconds=pause)}
        self._stamp(op, [*WAITING, *FLYING], **stamps)

    def _review(self, op: EscrowOperation, expected: Iterable[str], words: str) -> None:
        log.error("escrow operation %s needs a person: %s", op.pk, words)
        self._move(op, expected, T.NEEDS_REVIEW, words)


# What nodes say to a transaction that they have, or have had.
FINE = ("already known", "already imported", "known transaction", "nonce too low", "nonce is too low", "nonce too high", "nonce is too high")
# It may be that another transaction holds the nonce, or that blocks have become dearer: a higher offer settles both.
TOO_CHEAP = ("underpriced", "fee too low", "max fee per gas less than block base fee", "fee cap less than block base fee", "less than block base fee")


def _number(block: Any, otherwise: int) -> int:
    return int(block["number"], 16) if isinstance(block, dict) else max(otherwise, 0)


def _attempts(operations: Sequence[EscrowOperation]) -> dict[str, list[EscrowAttempt]]:
    """The attempts of each operation, the last at the end."""
    found: dict[str, list[EscrowAttempt]] = {op.pk: [] for op in operations}
    mine = {op.pk: op for op in operations}
    for attempt in EscrowAttempt.objects.filter(operation__in=list(mine)).order_by(F("nonce"), F("max_fee"), F("created_at")):
        assert attempt.operation_id is not None
        attempt.operation = mine[attempt.operation_id]
        found[attempt.operation_id].append(attempt)
    return found


def _hashes(op: EscrowOperation, attempts: Sequence[EscrowAttempt]) -> list[str]:
    """Where it may be: whichever of its attempts is mined decides, or the transaction in which it was found."""
    return list(dict.fromkeys([*(attempt.tx_hash for attempt in attempts), *([op.tx_hash] if op.tx_hash else [])]))


def _result(op: EscrowOperation, attempts: Sequence[EscrowAttempt], receipts: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    """The receipt that counts: one that succeeded, or else of the last nonce, because earlier ones were judged before."""
    there = [receipts[each] for each in _hashes(op, attempts) if each in receipts]
    for receipt in there:
        if int(receipt["status"], 16) == 1:
            return receipt
    last = {attempt.tx_hash for attempt in attempts if attempt.nonce == attempts[-1].nonce} if attempts else {op.tx_hash}
    return next((receipt for receipt in there if receipt["transactionHash"] in last), None)


def _stamps(receipt: dict[str, Any]) -> dict[str, Any]:
    return {"tx_hash": receipt["transactionHash"], "block_number": int(receipt["blockNumber"], 16), "block_hash": receipt["blockHash"]}


def _copy(row: EscrowOperation, op: EscrowOperation) -> None:
    for field_ in row._meta.concrete_fields:
        setattr(op, field_.attname, getattr(row, field_.attname))
