"""Reads for the pages of payments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Max, OuterRef, Prefetch, Q, QuerySet, Subquery, Sum

from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.money import CURRENCY, ZERO, usd

from . import bank, clearing, handlers, providers
from .clearing import Cleared, Coming
from .escrow.chain.contract import from_units
from .handlers import Description
from .models import (
    UNDER_WAY,
    AccountKind,
    BankAccount,
    ChainTransfer,
    Credit,
    CreditEntry,
    CreditQuerySet,
    CreditStep,
    CreditUse,
    EscrowKind,
    EscrowOperation,
    EscrowStatus,
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceQuerySet,
    InvoiceStatus,
    Payment,
    PaymentStatus,
    PayoutAddress,
    PayoutBatch,
    PayoutHold,
    PayoutMethod,
    Posting,
    Refund,
    WalletMethod,
    WalletPayment,
    Withdrawal,
    WithdrawalStatus,
)
from .providers.wallet import collection


class Stage(StrEnum):
    """How far the paying of an invoice is, for the person who pays."""

    OPEN = "open"  # nothing has been started
    STARTED = "started"  # the provider waits for the person
    ARRIVED = "arrived"  # the money is there and is being booked
    PAID = "paid"
    FAILED = "failed"  # the last attempt failed, nothing was taken; another can be made
    EXPIRED = "expired"  # nothing was taken and it is too late
    RETURNED = "returned"  # money came too late and goes back


@dataclass(frozen=True, slots=True)
class Paying:
    """An invoice on its way to be paid."""

    invoice: Invoice
    payment: Payment | None
    stage: Stage
    what: Description
    expires_at: datetime | None
    seconds_left: int
    held_share: int  # of 400, for the bar

    @property
    def waiting(self) -> bool:
        """Something may still come by itself, so the page asks again."""
        return self.stage in (Stage.STARTED, Stage.ARRIVED)

    @property
    def payable(self) -> bool:
        return self.stage in (Stage.OPEN, Stage.STARTED, Stage.FAILED)

    @property
    def minutes_left(self) -> int:
        return (self.seconds_left + 59) // 60

    @property
    def left(self) -> str:
        """How long there is time: minutes for what is held, days for what was agreed on."""
        minutes = self.minutes_left
        if minutes < 180:
            return f"{minutes} minute{'' if minutes == 1 else 's'}"
        return f"{minutes // 60} hours" if minutes < 48 * 60 else f"{minutes // (24 * 60)} days"

    @property
    def clock(self) -> str:
        """The format of the moment until when, with its day unless that is today or tonight."""
        return "H:i" if self.minutes_left < 180 else "D j M, H:i"


def paying(invoice_id: UUID, user: User) -> Paying:
    """How the paying of the user's invoice stands. Raises Invoice.DoesNotExist for everybody but the payer."""
    invoice = Invoice.objects.select_related("payee").get(pk=invoice_id, payer=user, kind=InvoiceKind.INVOICE)
    attempts = list(Payment.objects.filter(invoice=invoice).order_by("-id")[:20])
    moment = now()
    left = max(0, int((invoice.expires_at - moment).total_seconds())) if invoice.expires_at else 0
    whole = max(1, int((invoice.expires_at - invoice.opened_at).total_seconds())) if invoice.expires_at else 1
    return Paying(
        invoice=invoice,
        payment=attempts[0] if attempts else None,
        stage=_stage(invoice, attempts, moment),
        what=handlers.of(invoice.purpose).describe(invoice),
        expires_at=invoice.expires_at,
        seconds_left=left,
        held_share=min(400, 400 * left // whole),
    )


def _stage(invoice: Invoice, attempts: list[Payment], moment: datetime) -> Stage:
    if invoice.status == InvoiceStatus.PAID:
        return Stage.PAID
    arrived = [a for a in attempts if a.status == PaymentStatus.SUCCEEDED]
    if any(a.refunded for a in arrived):
        return Stage.RETURNED
    if arrived:
        return Stage.ARRIVED
    if invoice.status == InvoiceStatus.VOID or (invoice.expires_at is not None and invoice.expires_at <= moment):
        return Stage.EXPIRED
    if attempts and attempts[0].status in (PaymentStatus.CREATED, PaymentStatus.PENDING):
        return Stage.STARTED
    if attempts and attempts[0].status == PaymentStatus.FAILED:
        return Stage.FAILED
    return Stage.OPEN


@dataclass(frozen=True, slots=True)
class Document:
    """An invoice or a credit note, as a page and as a PDF show it."""

    invoice: Invoice
    lines: list[InvoiceLine]
    payment: Payment | None
    refund: Refund | None
    refunds: list[Refund]
    mine: bool

    @property
    def name(self) -> str:
        return "Credit note" if self.invoice.kind == InvoiceKind.CREDIT_NOTE else "Invoice"

    def context(self) -> dict[str, Any]:
        """What the templates of the page and of the PDF read."""
        return {
            "name": self.name,
            "invoice": self.invoice,
            "lines": self.lines,
            "payment": self.payment,
            "refund": self.refund,
            "refunds": self.refunds,
            "mine": self.mine,
            "paid_with": f"{self.invoice.currency}, {providers.named(self.payment.provider).label}" if self.payment else "",
            "mail_domain": settings.MAIL_DOMAIN,
        }


def document(invoice_id: UUID, user: User) -> Document:
    """The document for one of its two parties; the payee sees it once it is paid. Raises Invoice.DoesNotExist for others."""
    invoice = visible_documents(user).select_related("corrects").get(pk=invoice_id)
    note = invoice.kind == InvoiceKind.CREDIT_NOTE
    mine = invoice.payer_id == user.pk
    return Document(
        invoice=invoice,
        lines=list(invoice.lines.all()),
        payment=Payment.objects.filter(invoice=invoice, settled_at__isnull=False).first(),
        refund=Refund.objects.filter(credit_note=invoice).first() if note else None,
        refunds=list(Refund.objects.filter(payment__invoice=invoice).select_related("credit_note").order_by("id")) if mine and not note else [],
        mine=mine,
    )


def visible_documents(user: User) -> InvoiceQuerySet:
    """What the user has to pay or has paid, and what others have paid for the user's work."""
    return Invoice.objects.filter(Q(payer=user) | Q(payee=user, status=InvoiceStatus.PAID))


PAGE = 25


def invoices(user: User, *, sold: bool, before: UUID | None) -> tuple[list[Any], UUID | None]:
    """One page of the user's documents, newest first, and the key of the next page."""
    mine = Q(payee=user, status=InvoiceStatus.PAID) if sold else Q(payer=user)
    rows = Invoice.objects.filter(mine).annotate(first_line=Subquery(_first_line(OuterRef("pk"))))
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return _page(list(rows.order_by("-pk")[: PAGE + 1]))


STEPS_BESIDE = 12  # of each credit, on the page of its owner


def credits_of(user: User, *, before: UUID | None) -> tuple[list[Any], UUID | None]:
    """One page of the user's credits with what they were used for, newest first, and the key of the next page."""
    newest = CreditEntry.objects.select_related("use__invoice").order_by("-id")[:STEPS_BESIDE]
    rows = credits_with_uses(user).prefetch_related(Prefetch("entries", newest, to_attr="newest"))
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return _page(list(rows.order_by("-pk")[: PAGE + 1]))


def credits_with_uses(user: User) -> CreditQuerySet:
    """The user's credits, each with the uses of which something is kept."""
    kept = Prefetch("uses", CreditUse.objects.kept().select_related("invoice"))
    return Credit.objects.visible_to(user).select_related("builder__user", "category").prefetch_related(kept)


@dataclass(frozen=True, slots=True)
class CreditStanding:
    """Where all of a credit is: these and what is left add up to what was given. `last` is its newest entry."""

    held: Decimal
    spent: Decimal
    expired: Decimal
    voided: Decimal
    last: int


def standing_of(credit: Credit) -> CreditStanding:
    sums: dict[str, Decimal] = dict.fromkeys(CreditStep, ZERO)
    last = 0
    rows = CreditEntry.objects.filter(credit=credit).order_by().values("step").annotate(sum=Sum("amount"), newest=Max("id"))
    for step, amount, newest in rows.values_list("step", "sum", "newest"):
        sums[step], last = amount, max(last, newest)
    return CreditStanding(
        held=sums[CreditStep.HELD] - sums[CreditStep.FREED] - sums[CreditStep.SPENT],
        spent=sums[CreditStep.SPENT] - sums[CreditStep.RETURNED],
        expired=sums[CreditStep.EXPIRED],
        voided=sums[CreditStep.VOIDED],
        last=last,
    )


CREDIT_STEPS_SHOWN = 100


def steps_of(credit: Credit) -> list[CreditEntry]:
    """The newest entries of a credit, and one more when there are more than are shown."""
    entries = CreditEntry.objects.filter(credit=credit).select_related("use__invoice", "actor").order_by("-id")
    return list(entries[: CREDIT_STEPS_SHOWN + 1])


def _first_line(invoice: Any) -> QuerySet[InvoiceLine, str]:
    return InvoiceLine.objects.filter(invoice=invoice).order_by("position").values_list("description", flat=True)[:1]


def _page(rows: list[Any]) -> tuple[list[Any], UUID | None]:
    return rows[:PAGE], rows[PAGE - 1].pk if len(rows) > PAGE else None


@dataclass(frozen=True, slots=True)
class Purse:
    """A builder's money at a glance. `on_its_way` has left the balance and not arrived; what is held of it is `held`."""

    balance: Decimal
    ready: Decimal
    clearing: Decimal
    on_its_way: Decimal
    held: Decimal
    in_escrow: Decimal
    earned: Decimal
    month: str

    @property
    def cleared(self) -> Cleared:
        return Cleared(self.balance, self.ready, self.clearing)


def purse(user: User, zone: tzinfo) -> Purse:
    """Where the builder's money stands; the month is the calendar month in `zone`."""
    moment = now()
    here = moment.astimezone(zone)
    start = here.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    paid_in = Q(kind__in=[EscrowKind.OPEN, EscrowKind.AMEND])
    deals = EscrowOperation.objects.filter(builder_id=user.pk, status=EscrowStatus.CONFIRMED).aggregate(
        funded=Sum("amount", filter=paid_in, default=ZERO),
        left=Sum("amount", filter=Q(kind__in=[EscrowKind.RELEASE, EscrowKind.REFUND]), default=ZERO),
    )
    earned = Posting.objects.filter(
        Q(entry__key__startswith="escrow:") | Q(entry__key__startswith="compensation:"),
        account__kind=AccountKind.EARNINGS,
        account__owner_id=user.pk,
        entry__posted_at__gte=start,
    )
    under_way = Withdrawal.objects.filter(user=user, status__in=UNDER_WAY).aggregate(
        sum=Sum("amount", default=ZERO), held=Sum("amount", filter=Q(status=WithdrawalStatus.HELD), default=ZERO)
    )
    money = clearing.cleared(user.pk, moment)
    return Purse(
        balance=money.balance,
        ready=money.ready,
        clearing=money.clearing,
        on_its_way=under_way["sum"] - under_way["held"],
        held=under_way["held"],
        in_escrow=deals["funded"] - deals["left"],
        earned=earned.aggregate(sum=Sum("amount", default=ZERO))["sum"],
        month=f"{start:%B}",
    )


@dataclass(frozen=True, slots=True)
class Way:
    """One way to withdraw: where it goes, what can be sent there and what that costs."""

    method: str
    name: str  # "wallet", as in "to your wallet"
    destination: str
    changed_at: datetime | None
    rests_until: datetime | None  # new details: money goes there from then on
    ready: Decimal
    least: Decimal
    fee: Decimal

    @property
    def open(self) -> bool:
        return bool(self.destination) and self.ready >= self.least


@dataclass(frozen=True, slots=True)
class Withdrawing:
    """All that the page of earnings says about withdrawing."""

    ways: list[Way]
    coming: list[Coming]
    elsewhere: list[tuple[str, Decimal]]
    hold: str  # why everything of the person is held

    @property
    def open(self) -> list[Way]:
        return [way for way in self.ways if way.open]

    def way(self, method: str) -> Way | None:
        return next((way for way in self.ways if way.method == method), None)


def withdrawing(user: User, cleared: Cleared | None = None) -> Withdrawing:
    """How the builder can withdraw now."""
    moment = now()
    wallet = PayoutAddress.objects.filter(user=user).first()
    account = BankAccount.objects.filter(user=user).defer("details").first()
    funds = clearing.funds(user.pk, moment, wallet.address if wallet else "", cleared)
    rest = timedelta(hours=settings.PAYOUT_REST_HOURS)

    def way(method: PayoutMethod, name: str, destination: str, changed_at: datetime | None) -> Way:
        rests = changed_at + rest if changed_at is not None and changed_at + rest > moment else None
        return Way(method, name, destination, changed_at, rests, funds.most[method], settings.LEAST_WITHDRAWAL[method], clearing.fee_of(method))

    ways = [way(PayoutMethod.WALLET, "wallet", wallet.address if wallet else "", wallet.changed_at if wallet else None)]
    if settings.PAYOUT_DEBTOR["iban"]:
        ways.append(way(PayoutMethod.BANK, "bank account", account.masked if account else "", account.changed_at if account else None))
    hold = PayoutHold.objects.standing().filter(user=user, withdrawal__isnull=True).order_by("pk").values_list("reason", flat=True).first()
    coming = clearing.coming(user.pk, moment, funds.cleared)
    return Withdrawing(ways, coming, sorted(funds.elsewhere.items()), hold or "")


SHOWS = {
    "": ("All", None),
    "under_way": ("On its way", [WithdrawalStatus.REQUESTED, WithdrawalStatus.SENDING]),
    "held": ("Held", [WithdrawalStatus.HELD]),
    "sent": ("Sent", [WithdrawalStatus.COMPLETED]),
    "back": ("Came back", [WithdrawalStatus.FAILED, WithdrawalStatus.CANCELLED]),
}


def withdrawals_with_why(user: User) -> QuerySet[Any, Any]:
    """The user's withdrawals, each with `why` it is held."""
    own = PayoutHold.objects.standing().filter(Q(withdrawal=OuterRef("pk")) | Q(user=OuterRef("user"), withdrawal__isnull=True))
    return Withdrawal.objects.visible_to(user).defer("bank").annotate(why=Subquery(own.order_by("pk").values("reason")[:1]))


def withdrawals_of(user: User, *, show: str, before: UUID | None, limit: int = PAGE) -> tuple[list[Any], UUID | None]:
    """One page of the user's withdrawals, newest first, each with `why` it is held, and the key of the next page."""
    rows = withdrawals_with_why(user)
    statuses = SHOWS.get(show, SHOWS[""])[1]
    if statuses is not None:
        rows = rows.filter(status__in=statuses)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows.order_by("-pk")[: limit + 1])
    return found[:limit], found[limit - 1].pk if len(found) > limit else None


@dataclass(frozen=True, slots=True)
class BatchSums:
    """What stands in a batch now."""

    lines: int
    total: Decimal
    waiting: int
    sent: int
    back: int


def batch_sums(batch: PayoutBatch) -> BatchSums:
    """Counted from its lines; a batch that nobody has exported may still lose some."""
    sums = Withdrawal.objects.filter(batch=batch).aggregate(
        lines=Count("pk"),
        amount=Sum("amount", default=ZERO),
        fee=Sum("fee", default=ZERO),
        waiting=Count("pk", filter=Q(status=WithdrawalStatus.SENDING)),
        sent=Count("pk", filter=Q(status=WithdrawalStatus.COMPLETED)),
        back=Count("pk", filter=Q(status=WithdrawalStatus.FAILED)),
    )
    return BatchSums(sums["lines"], sums["amount"] - sums["fee"], sums["waiting"], sums["sent"], sums["back"])


def batch_lines(batch: PayoutBatch) -> Iterator[bank.Transfer]:
    """The lines of an exported batch, as its file has them, read piece by piece."""
    for line in Withdrawal.objects.filter(batch=batch).order_by("pk").iterator(chunk_size=200):
        facts = line.bank or {}
        yield bank.Transfer(f"W{line.pk.hex}", bank.Account(**facts), line.arrives, f"port444 withdrawal {line.requested_at:%Y-%m-%d}")


def due_for_batch() -> tuple[int, Decimal]:
    """How many bank transfers the next batch would take, and what they come to."""
    due = Withdrawal.objects.filter(method=PayoutMethod.BANK, status=WithdrawalStatus.REQUESTED, due_at__lte=now(), user__suspended_at__isnull=True)
    sums = due.aggregate(lines=Count("pk"), amount=Sum("amount", default=ZERO), fee=Sum("fee", default=ZERO))
    return sums["lines"], sums["amount"] - sums["fee"]


@dataclass(frozen=True, slots=True)
class Moved:
    """One line of a builder's history."""

    pk: UUID
    icon: str
    title: str
    text: str
    amount: Decimal
    at: datetime


TITLES = {
    "escrow": ("hand-coins", "Released to you"),
    "withdrawal": ("arrow-down-to-line", "Withdrawn"),
    "returned": ("undo-2", ""),
    "bounced": ("undo-2", ""),
    "compensation": ("undo-2", ""),
}


def history(user: User, *, before: UUID | None) -> tuple[list[Moved], UUID | None]:
    """One page of what moved the builder's earnings, newest first, and the key of the next page."""
    rows = Posting.objects.filter(account__kind=AccountKind.EARNINGS, account__owner_id=user.pk).select_related("entry")
    if before is not None:
        rows = rows.filter(pk__lt=before)
    page, following = _page(list(rows.order_by("-pk")[: PAGE + 1]))
    subjects = {row.entry.subject_id for row in page if row.entry.subject_id}
    sold: Any = Invoice.objects.filter(subject_id__in=subjects, kind=InvoiceKind.INVOICE, payee=user).annotate(
        first_line=Subquery(_first_line(OuterRef("pk")))
    )
    names = {one.subject_id: f"{one.first_line}, {one.payer_name}" for one in sold}
    moved = []
    for row in page:
        icon, title = TITLES.get(row.entry.key.partition(":")[0], ("banknote", row.entry.description))
        moved.append(Moved(row.pk, icon, title or row.entry.description, names.get(row.entry.subject_id, ""), row.amount, row.entry.posted_at))
    return moved, following


class WalletStage(StrEnum):
    """How far a payment from a person's own wallet is."""

    CHOOSE = "choose"  # no wallet is known yet
    SENDING = "sending"  # the wallet is known, and nobody has said that it sent anything
    SENT = "sent"  # the chain has to say the rest
    ARRIVED = "arrived"
    FAILED = "failed"
    OVER = "over"  # too late


@dataclass(frozen=True, slots=True)
class OwnWallet:
    """A payment from a person's own wallet, for its page."""

    payment: Payment
    wallet: WalletPayment | None
    operation: EscrowOperation | None
    stage: WalletStage
    misfit: ChainTransfer | None  # what came from this wallet and is not the amount

    @property
    def tx_hash(self) -> str:
        return self.operation.tx_hash if self.operation else self.wallet.tx_hash if self.wallet else ""

    @property
    def explorer_url(self) -> str:
        return settings.CHAIN_EXPLORER_URL + self.tx_hash if settings.CHAIN_EXPLORER_URL and self.tx_hash else ""

    @property
    def blocked(self) -> str:
        """Why the platform cannot collect what was signed for at the moment."""
        return self.operation.reason if self.operation and self.operation.status == EscrowStatus.BLOCKED else ""

    @property
    def misfit_words(self) -> str:
        """What is said to a person whose wallet sent something else than was asked for."""
        if self.misfit is None:
            return ""
        came = f"{self.misfit.units.scaleb(-6).normalize():f} {CURRENCY}"
        if from_units(int(self.misfit.units)) == self.payment.amount:
            return f"{came} came, but it is not certain which payment it is for. It was not used: we look at it. Nothing is paid yet."
        return f"{came} came, and {usd(self.payment.amount)} was asked for. It was not used: we look at it and send it back. Nothing is paid yet."


def own_wallet(payment_id: UUID, user: User) -> OwnWallet:
    """How the user's payment from their own wallet stands. Raises Payment.DoesNotExist for everybody but the payer."""
    payment = Payment.objects.select_related("invoice__payee", "wallet").get(pk=payment_id, provider="wallet", invoice__payer=user)
    wallet: WalletPayment | None = getattr(payment, "wallet", None)
    signed = wallet is not None and wallet.method == WalletMethod.AUTHORIZATION
    misfit = None
    if wallet is not None and not signed:
        unused = ChainTransfer.objects.filter(payment=None, gone_at=None, sender__iexact=wallet.address, block_number__gte=wallet.from_block)
        misfit = unused.filter(chain_id=wallet.chain_id, found_at__gte=wallet.begun_at).order_by("-found_at").first()
    return OwnWallet(payment, wallet, collection(payment) if signed else None, _wallet_stage(payment, wallet), misfit)


def _wallet_stage(payment: Payment, wallet: WalletPayment | None) -> WalletStage:
    if payment.status == PaymentStatus.SUCCEEDED or payment.invoice.status == InvoiceStatus.PAID:
        return WalletStage.ARRIVED
    if payment.status == PaymentStatus.FAILED:
        return WalletStage.FAILED
    if payment.status == PaymentStatus.EXPIRED or payment.invoice.status == InvoiceStatus.VOID:
        return WalletStage.OVER
    if wallet is not None and (wallet.method == WalletMethod.AUTHORIZATION or wallet.tx_hash):
        return WalletStage.SENT
    if payment.expires_at <= now():
        return WalletStage.OVER
    return WalletStage.SENDING if wallet is not None else WalletStage.CHOOSE
