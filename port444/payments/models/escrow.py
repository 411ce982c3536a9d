"""What was asked of escrow, and how it goes on its way to a chain."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import F, Func, Q, Value
from django.utils.translation import pgettext_lazy

from auditlog.models import Category, Watched
from port444.kit.clock import now
from port444.kit.money import ZERO, amount_field
from port444.kit.sentences import Said, read
from port444.kit.states import StateMachine, known_status


class EscrowKind(models.TextChoices):
    OPEN = "open", pgettext_lazy("escrow", "Open")
    AMEND = "amend", pgettext_lazy("escrow", "Amend")
    RELEASE = "release", pgettext_lazy("escrow", "Release")
    REFUND = "refund", pgettext_lazy("escrow", "Refund")
    MOVE = "move", pgettext_lazy("escrow", "Move")
    EXTEND = "extend", pgettext_lazy("escrow", "Extend")
    HOLD = "hold", pgettext_lazy("escrow", "Hold")
    WITHDRAW = "withdraw", pgettext_lazy("escrow", "Withdraw")  # from what an address may claim, to that address
    PAY = "pay", pgettext_lazy("escrow", "Pay")  # from the platform's float, to an address
    COLLECT = "collect", pgettext_lazy("escrow", "Collect")  # from a client's wallet, by their signature, into the float


class EscrowStatus(models.TextChoices):
    """`mined` is in a block, `confirmed` deep enough to act on, and final when `final_at` is set. In the ledger an operation is
    confirmed at once."""

    QUEUED = "queued"
    SIGNED = "signed"
    SENT = "sent"
    MINED = "mined"
    BLOCKED = "blocked"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    NEEDS_REVIEW = "needs_review", "Needs a person"


T = EscrowStatus
WAITING = [T.QUEUED, T.BLOCKED]  # nothing was signed: it can be cancelled
FLYING = [T.SIGNED, T.SENT, T.MINED]  # a signed transaction may take effect at any time
ENDED = [T.CONFIRMED, T.FAILED, T.CANCELLED]
VOID = [T.FAILED, T.CANCELLED]  # it has moved nothing and will not


class EscrowOperationQuerySet(models.QuerySet["EscrowOperation"]):
    def lock(self, pk: Any) -> EscrowOperation:
        return self.select_for_update(of=("self",), no_key=True).get(pk=pk)

    def open(self) -> EscrowOperationQuerySet:
        return self.exclude(status__in=ENDED)


class EscrowOperation(StateMachine):
    """One thing asked of escrow. `op_id` is made from the business row, so asking again finds the same operation.

    The operations of one subject are carried out one after the other, in the order of `number`. A reorganisation of the chain may
    put a confirmed one back on its way; what it did to the books stays done, once (`applied_at`).
    """

    NEXT = {
        T.QUEUED: frozenset({T.SIGNED, T.MINED, T.BLOCKED, T.CONFIRMED, T.FAILED, T.CANCELLED, T.NEEDS_REVIEW}),
        T.BLOCKED: frozenset({T.QUEUED, T.SIGNED, T.MINED, T.CONFIRMED, T.FAILED, T.CANCELLED, T.NEEDS_REVIEW}),
        T.SIGNED: frozenset({T.SENT, T.MINED, T.QUEUED, T.CONFIRMED, T.NEEDS_REVIEW}),
        T.SENT: frozenset({T.MINED, T.SIGNED, T.QUEUED, T.CONFIRMED, T.NEEDS_REVIEW}),
        T.MINED: frozenset({T.CONFIRMED, T.SENT, T.QUEUED, T.BLOCKED, T.FAILED, T.NEEDS_REVIEW}),
        T.CONFIRMED: frozenset({T.SENT, T.QUEUED, T.NEEDS_REVIEW}),
        T.NEEDS_REVIEW: frozenset({T.QUEUED, T.CONFIRMED, T.FAILED}),
    }

    op_id = models.CharField(max_length=120, primary_key=True)
    number = models.PositiveBigIntegerField(unique=True, db_default=Func(Value("escrow_operation_number"), function="nextval"), editable=False)
    kind = models.CharField(max_length=10, choices=EscrowKind.choices)
    purpose = models.CharField(max_length=20)
    subject_id = models.UUIDField()
    target_id = models.UUIDField(null=True)  # of a move: the deal that gets it
    client_id = models.UUIDField(null=True)
    builder_id = models.UUIDField(null=True)
    amount = amount_field()
    # Of `amount`: what credits lent when it came in, or what of that went back when it went out. `prepaid` is of calls that the
    # builder was paid for already, `gift` is the platform's.
    prepaid = amount_field(default=ZERO)
    gift = amount_field(default=ZERO)
    fee_bps = models.PositiveSmallIntegerField(default=0)
    args = models.JSONField(default=dict)
    status = models.CharField(max_length=12, choices=T.choices, default=T.QUEUED)
    backend = models.CharField(max_length=10)
    reason = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=now)
    applied_at = models.DateTimeField(null=True)
    confirmed_at = models.DateTimeField(null=True)

    # On a chain. `key` is the contract's operation id; `address` the account that a withdrawal, a payment or a collection is for.
    chain_id = models.PositiveBigIntegerField(null=True)
    contract = models.CharField(max_length=42, blank=True)
    key = models.CharField(max_length=66, blank=True)
    address = models.CharField(max_length=42, blank=True)
    tx_hash = models.CharField(max_length=66, blank=True)
    block_number = models.PositiveBigIntegerField(null=True)
    block_hash = models.CharField(max_length=66, blank=True)
    final_at = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(default=now)

    objects = EscrowOperationQuerySet.as_manager()

    audited = Watched(
        Category.FINANCIAL,
        kept=(
            "number kind purpose subject_id target_id client_id builder_id amount prepaid gift fee_bps args status backend "
            "reason created_at applied_at confirmed_at chain_id contract key address tx_hash"
        ),
        ignored="block_number block_hash final_at tries next_try_at",
        amount="amount",
    )

    class Meta:
        constraints = [
            known_status("escrow_operation_status_known", T),
            models.CheckConstraint(condition=Q(kind__in=EscrowKind.values), name="escrow_operation_kind"),
            models.CheckConstraint(condition=Q(amount__gte=0), name="escrow_operation_amount"),
            models.CheckConstraint(condition=Q(prepaid__gte=0, gift__gte=0, amount__gte=F("prepaid") + F("gift")), name="escrow_operation_credit"),
            models.CheckConstraint(
                condition=Q(kind__in=["withdraw", "pay", "collect"]) | Q(client_id__isnull=False, builder_id__isnull=False),
                name="escrow_operation_has_parties",
            ),
            models.CheckConstraint(
                condition=Q(kind="move", target_id__isnull=False) | (~Q(kind="move") & Q(target_id__isnull=True)), name="escrow_operation_move_target"
            ),
            models.UniqueConstraint(fields=["subject_id"], condition=Q(status__in=["signed", "sent", "mined"]), name="escrow_operation_one_flies"),
            models.UniqueConstraint(
                fields=["purpose", "subject_id"],
                condition=Q(kind="open") & ~Q(status__in=["failed", "cancelled"]),
                name="escrow_operation_opened_once",
            ),
            models.UniqueConstraint(fields=["chain_id", "contract", "key"], condition=~Q(key=""), name="escrow_operation_key_once"),
            models.CheckConstraint(
                condition=Q(status="confirmed", confirmed_at__isnull=False, applied_at__isnull=False)
                | (~Q(status="confirmed") & Q(confirmed_at__isnull=True)),
                name="escrow_operation_confirmed_has_moment",
            ),
        ]
        indexes = [
            models.Index(fields=["subject_id", "number"], name="escrow_operation_subject"),
            models.Index(fields=["target_id"], condition=Q(kind="move"), name="escrow_operation_target"),
            models.Index(fields=["builder_id"], condition=Q(status="confirmed"), name="escrow_operation_of_builder"),
            models.Index(
                fields=["builder_id", "applied_at"], condition=Q(kind="release", applied_at__isnull=False), name="escrow_operation_released"
            ),
            models.Index(fields=["address"], condition=~Q(address=""), name="escrow_operation_address"),
            models.Index(fields=["next_try_at"], condition=~Q(status__in=["confirmed", "failed", "cancelled"]), name="escrow_operation_outbox"),
            models.Index(
                fields=["number"], condition=Q(status="confirmed", backend="web3", final_at__isnull=True), name="escrow_operation_not_final"
            ),
        ]

    def __str__(self) -> str:
        return self.op_id

    @property
    def why(self) -> str | Said:
        """Of a refund, what its credit note says."""
        return read(self.args["said"]) if "said" in self.args else str(self.args.get("reason", ""))


class EscrowAttempt(models.Model):
    """A signed transaction. It is stored before it is sent, and kept: whichever of an operation's attempts is mined decides.

    Append-only, but for when it was sent last. Without an operation it only fills a gap in the signer's nonces.
    """

    tx_hash = models.CharField(max_length=66, primary_key=True)
    operation = models.ForeignKey(EscrowOperation, on_delete=models.PROTECT, related_name="attempts", null=True)
    chain_id = models.PositiveBigIntegerField()
    signer = models.CharField(max_length=42)
    nonce = models.PositiveBigIntegerField()
    raw = models.BinaryField()
    gas = models.PositiveBigIntegerField()
    max_fee = models.DecimalField(max_digits=30, decimal_places=0)  # wei for a unit of gas
    tip = models.DecimalField(max_digits=30, decimal_places=0)
    created_at = models.DateTimeField(default=now)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["operation", "created_at"], name="escrow_attempt_operation"),
            models.Index(fields=["chain_id", "signer", "nonce"], name="escrow_attempt_nonce"),
        ]

    def __str__(self) -> str:
        return self.tx_hash


class ChainSigner(models.Model):
    """The next nonce of an account that signs. Its row is locked while a nonce is taken, so there are no gaps and no doubles."""

    chain_id = models.PositiveBigIntegerField()
    address = models.CharField(max_length=42)
    next_nonce = models.PositiveBigIntegerField(default=0)
    worked_at = models.DateTimeField(null=True)  # when the worker last went round with it

    class Meta:
        constraints = [models.UniqueConstraint(fields=["chain_id", "address"], name="chain_signer_once")]

    def __str__(self) -> str:
        return f"{self.address} on {self.chain_id}"


class ChainNonce(models.Model):
    """A nonce that was taken, and for which operation. Where signing talks to a network the row is there before the signature, so
    that whoever starts again signs for the same nonce."""

    chain_id = models.PositiveBigIntegerField()
    address = models.CharField(max_length=42)
    nonce = models.PositiveBigIntegerField()
    operation = models.ForeignKey(EscrowOperation, on_delete=models.PROTECT, related_name="nonces")
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["chain_id", "address", "nonce"], name="chain_nonce_once")]

    def __str__(self) -> str:
        return f"{self.nonce} of {self.address} on {self.chain_id}"


class ChainAnchor(models.Model):
    """A seal of the audit log on its way to the chain, as the data of a transaction of the platform's account to itself. One at a
    time; all seals before it are under the same hash. Its signed transactions are the attempts with its nonce."""

    chain_id = models.PositiveBigIntegerField()
    seal = models.PositiveBigIntegerField()
    seal_hash = models.CharField(max_length=66)  # with 0x
    signer = models.CharField(max_length=42, blank=True)
    nonce = models.PositiveBigIntegerField(null=True)
    tx_hash = models.CharField(max_length=66, blank=True)
    begun_at = models.DateTimeField(default=now)
    anchored_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["chain_id"], condition=Q(anchored_at__isnull=True), name="chain_anchor_one_on_its_way"),
            models.UniqueConstraint(fields=["chain_id", "seal"], name="chain_anchor_once"),
            models.CheckConstraint(
                condition=Q(anchored_at__isnull=True, tx_hash="") | Q(anchored_at__isnull=False, nonce__isnull=False) & ~Q(tx_hash=""),
                name="chain_anchor_has_transaction",
            ),
        ]

    def __str__(self) -> str:
        return f"seal {self.seal} on {self.chain_id}"


class ChainCursor(models.Model):
    """How far the events of a contract have been read."""

    chain_id = models.PositiveBigIntegerField()
    contract = models.CharField(max_length=42)
    next_block = models.PositiveBigIntegerField(default=0)
    looked_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["chain_id", "contract"], name="chain_cursor_once")]

    def __str__(self) -> str:
        return f"{self.contract} to {self.next_block}"


class ChainDifference(models.Model):
    """Something in which the books and the chain do not agree, until they do or a person has seen to it."""

    fingerprint = models.CharField(max_length=150, unique=True)
    kind = models.CharField(max_length=30)
    text = models.CharField(max_length=300)
    facts = models.JSONField(default=dict)
    found_at = models.DateTimeField(default=now)
    seen_at = models.DateTimeField(default=now)
    gone_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["-found_at"], condition=Q(gone_at__isnull=True), name="chain_difference_open")]

    def __str__(self) -> str:
        return self.text

    @property
    def kind_words(self) -> str:
        return self.kind.replace("_", " ").capitalize()


class ChainStatus(models.Model):
    """What the worker saw last, for pages that do not talk to the chain themselves; and where the comparison of the books goes on."""

    chain_id = models.PositiveBigIntegerField()
    contract = models.CharField(max_length=42)
    facts = models.JSONField(default=dict)
    taken_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=300, blank=True)  # why the last look did not succeed
    failed_at = models.DateTimeField(null=True)
    compared_at = models.DateTimeField(null=True)
    compared_block = models.BigIntegerField(default=-1)
    next_deal = models.PositiveBigIntegerField(default=0)
    next_address = models.CharField(max_length=42, blank=True)

    class Meta:
        verbose_name = verbose_name_plural = "escrow on the chain"
        constraints = [models.UniqueConstraint(fields=["chain_id", "contract"], name="chain_status_once")]

    def __str__(self) -> str:
        return f"{self.contract} on {self.chain_id}"
