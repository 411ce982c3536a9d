"""Paying from a wallet of one's own: what is taken from a browser, and what follows when the chain has spoken."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django_q.models import OrmQ

from auditlog.models import IncidentLog
from port444.accounts.models import User
from port444.kit import clock
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, NotAllowed, WrongState
from port444.kit.ids import uuid7
from port444.payments import actions, escrow, jobs, providers
from port444.payments.escrow import Deal, books
from port444.payments.models import (
    ChainTransfer,
    EscrowKind,
    EscrowOperation,
    EscrowStatus,
    Invoice,
    InvoiceStatus,
    Payment,
    PaymentStatus,
    Refund,
    RefundStatus,
    WalletMethod,
    WalletPayment,
)
from port444.payments.providers import Outcome, Refused, Unavailable
from port444.payments.providers.wallet import HALF_ORDER, ORDER, collect_key, nonce_of

from .chains import OTHER, PAYER, SETTINGS, TREASURY, signed
from .conftest import Bill

pytestmark = pytest.mark.django_db

D = Decimal
HASH = "0x" + "ab" * 32


@pytest.fixture(autouse=True)
def chain(settings: Any) -> Any:
    for name, value in SETTINGS.items():
        setattr(settings, name, value)
    return settings


@pytest.fixture
def payment(bill: Bill, client_user: User) -> Payment:
    _, invoice = bill()
    return actions.reach_provider(actions.start_payment(invoice.pk, actor=client_user, provider="wallet").pk)


def sign(payment: Payment, actor: User) -> EscrowOperation:
    actions.sign_with_wallet(payment.pk, actor=actor, address=PAYER.address, signature=signed(payment))
    return EscrowOperation.objects.get(op_id=collect_key(payment.pk))


def moved(operation: EscrowOperation, status: EscrowStatus) -> EscrowOperation:
    operation.move_to(status)
    return operation


def queued() -> list[str]:
    return [str(task.name()) for task in OrmQ.objects.all()]


def test_a_signature_is_kept_and_collected(payment: Payment, client_user: User) -> None:
    operation = sign(payment, client_user)
    wallet = WalletPayment.objects.get()
    assert (wallet.address, wallet.method, wallet.nonce) == (PAYER.address, WalletMethod.AUTHORIZATION, nonce_of(payment.pk))
    assert (operation.kind, operation.status, operation.amount, operation.address) == ("collect", "queued", D("105.50"), PAYER.address)
    assert operation.args["valid_before"] == int(payment.expires_at.timestamp())
    assert providers.named("wallet").fetch(payment).outcome == Outcome.PENDING

    books.confirm(operation.pk, tx_hash=HASH)
    assert "note_own_wallet" in queued()
    assert actions.note_own_wallet(payment.pk).status == PaymentStatus.SUCCEEDED
    assert actions.settle_invoice(payment.invoice_id).status == InvoiceStatus.PAID


def test_the_same_signature_again_changes_nothing(payment: Payment, client_user: User) -> None:
    first = sign(payment, client_user)
    assert sign(payment, client_user) == first
    assert (WalletPayment.objects.count(), EscrowOperation.objects.count()) == (1, 1)


def test_an_address_in_small_letters_and_a_high_s_are_the_same_wallet(payment: Payment, client_user: User) -> None:
    raw = bytes.fromhex(signed(payment)[2:])
    s, v = int.from_bytes(raw[32:64]), raw[64]
    assert s <= HALF_ORDER
    mirrored = "0x" + (raw[:32] + (ORDER - s).to_bytes(32) + bytes([55 - v - 27])).hex()
    actions.sign_with_wallet(payment.pk, actor=client_user, address=PAYER.address.lower(), signature=mirrored)
    assert EscrowOperation.objects.get().args["signature"] == "0x" + raw.hex()
    assert WalletPayment.objects.get().address == PAYER.address


@pytest.mark.parametrize(
    "wrong",
    [
        {"value": 105_510_000},
        {"value": 1},
        {"to": OTHER.address},
        {"validBefore": 2**40},
        {"validAfter": 1},
        {"nonce": "0x" + "00" * 32},
        {"domain": {"chainId": 1}},
        {"domain": {"verifyingContract": OTHER.address}},
        {"domain": {"version": "1"}},
        {"account": OTHER, "claims": PAYER.address},
    ],
    ids=lambda wrong: " ".join(wrong),  # the same for every process that collects it
)
def test_a_signature_for_anything_else_is_refused(payment: Payment, client_user: User, wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="Nothing was taken"):
        actions.sign_with_wallet(payment.pk, actor=client_user, address=PAYER.address, signature=signed(payment, **wrong))
    assert not (WalletPayment.objects.exists())
    assert not (EscrowOperation.objects.exists())
    assert not (OrmQ.objects.exists())


@pytest.mark.parametrize("signature", ["", "0x", "0xzz", "0x" + "00" * 65, "0x" + "11" * 64, "0x" + "ff" * 65, "0x" + "11" * 200, "é"])
def test_what_is_no_signature_is_refused(payment: Payment, client_user: User, signature: str) -> None:
    with pytest.raises(Invalid):
        actions.sign_with_wallet(payment.pk, actor=client_user, address=PAYER.address, signature=signature)
    assert not WalletPayment.objects.exists()


@pytest.mark.parametrize(
    "address", ["", "0x", "0x" + "0" * 40, "0x" + "g" * 40, PAYER.address[:-1] + ("1" if PAYER.address[-1] != "1" else "2"), TREASURY.address]
)
def test_only_a_client_s_own_address_can_pay(payment: Payment, client_user: User, address: str) -> None:
    with pytest.raises(Invalid):
        actions.send_from_wallet(payment.pk, actor=client_user, address=address)
    assert not WalletPayment.objects.exists()


def test_a_signature_for_one_payment_is_none_for_another(bill: Bill, payment: Payment, client_user: User) -> None:
    _, invoice = bill()
    second = actions.start_payment(invoice.pk, actor=client_user, provider="wallet")
    second.expires_at = payment.expires_at
    second.save(update_fields=["expires_at"])
    with pytest.raises(Invalid):
        actions.sign_with_wallet(second.pk, actor=client_user, address=PAYER.address, signature=signed(payment))
    assert not WalletPayment.objects.exists()


def test_who_may_and_when(payment: Payment, client_user: User, stranger: User) -> None:
    signature = signed(payment)
    with pytest.raises(NotAllowed):
        actions.sign_with_wallet(payment.pk, actor=stranger, address=PAYER.address, signature=signature)
    with pytest.raises(NotAllowed):
        actions.note_hash(payment.pk, actor=stranger, tx_hash=HASH)
    with pytest.raises(NotAllowed):
        actions.choose_again(payment.pk, actor=stranger)
    with clock.at(payment.expires_at), pytest.raises(WrongState, match="has passed"):
        actions.sign_with_wallet(payment.pk, actor=client_user, address=PAYER.address, signature=signature)
    actions.expire_payment(payment.pk)
    with pytest.raises(WrongState, match="has passed"):
        actions.send_from_wallet(payment.pk, actor=client_user, address=PAYER.address)
    assert not WalletPayment.objects.exists()


def test_a_signature_that_cannot_be_used_fails_with_words_and_can_be_tried_again(payment: Payment, client_user: User) -> None:
    operation = sign(payment, client_user)
    books.give_up(operation.pk, "The signature was used or cancelled.")
    payment = actions.note_own_wallet(payment.pk)
    assert (payment.status, payment.failure) == (PaymentStatus.FAILED, "The signature was used or cancelled.")
    second = actions.start_payment(payment.invoice_id, actor=client_user, provider="wallet")
    assert nonce_of(second.pk) != nonce_of(payment.pk)
    assert sign(second, client_user).status == EscrowStatus.QUEUED


def test_ending_an_attempt_takes_back_what_was_not_sent(payment: Payment, client_user: User) -> None:
    operation = sign(payment, client_user)
    assert actions.end_attempt(payment.pk).status == PaymentStatus.EXPIRED
    operation.refresh_from_db()
    assert operation.status == EscrowStatus.CANCELLED


def test_what_flies_keeps_its_payment_open_and_late_money_goes_back(payment: Payment, client_user: User) -> None:
    operation = moved(sign(payment, client_user), EscrowStatus.SIGNED)
    with pytest.raises(WrongState, match="still on its way"):
        actions.end_attempt(payment.pk)
    with clock.at(payment.expires_at + timedelta(minutes=1)):
        actions.expire_invoice(payment.invoice_id)
        assert Invoice.objects.get().status == InvoiceStatus.OPEN
    # Somebody closed the invoice all the same: the money that comes then is sent back.
    actions.void_invoice(payment.invoice_id)
    books.confirm(operation.pk, tx_hash=HASH)
    actions.note_own_wallet(payment.pk)
    actions.settle_invoice(payment.invoice_id)
    assert Refund.objects.get().amount == payment.amount


def test_the_wallet_is_known_before_it_sends(payment: Payment, client_user: User) -> None:
    wallet = actions.send_from_wallet(payment.pk, actor=client_user, address=PAYER.address)
    assert actions.send_from_wallet(payment.pk, actor=client_user, address=PAYER.address.lower()) == wallet
    with pytest.raises(Conflict, match="already"):
        actions.send_from_wallet(payment.pk, actor=client_user, address=OTHER.address)
    with pytest.raises(Conflict, match="already"):
        actions.sign_with_wallet(payment.pk, actor=client_user, address=PAYER.address, signature=signed(payment))
    assert not EscrowOperation.objects.exists()
    with pytest.raises(Invalid):
        actions.note_hash(payment.pk, actor=client_user, tx_hash="0x12")
    for sped_up in ("0x" + "CD" * 32, HASH):
        assert actions.note_hash(payment.pk, actor=client_user, tx_hash=sped_up).tx_hash == sped_up.lower()
    assert providers.named("wallet").fetch(payment).outcome == Outcome.PENDING  # a hash proves nothing


def test_a_transfer_under_way_has_time_after_the_end(payment: Payment, client_user: User) -> None:
    actions.send_from_wallet(payment.pk, actor=client_user, address=PAYER.address)
    wallet = providers.named("wallet")
    assert wallet.expire(payment).outcome == Outcome.EXPIRED
    actions.note_hash(payment.pk, actor=client_user, tx_hash=HASH)
    for minutes, outcome in ((14, Outcome.PENDING), (15, Outcome.EXPIRED)):
        with clock.at(payment.expires_at + timedelta(minutes=minutes)):
            assert wallet.expire(payment).outcome == outcome


def test_choosing_again_begins_another_attempt(payment: Payment, client_user: User) -> None:
    actions.send_from_wallet(payment.pk, actor=client_user, address=PAYER.address)
    second = actions.choose_again(payment.pk, actor=client_user)
    payment.refresh_from_db()
    assert (payment.status, second.status) == (PaymentStatus.EXPIRED, PaymentStatus.PENDING)
    assert second.pay_url == f"/pay/{second.pk}/wallet/"
    assert actions.choose_again(second.pk, actor=client_user) == second  # nothing was chosen yet
    actions.send_from_wallet(second.pk, actor=client_user, address=PAYER.address)
    actions.note_hash(second.pk, actor=client_user, tx_hash=HASH)
    with pytest.raises(WrongState):
        actions.choose_again(second.pk, actor=client_user)


def came(payment: Payment, tx_hash: str = HASH) -> None:
    """What the sweep writes when it finds the payment's money."""
    wallet = WalletPayment.objects.get(payment=payment)
    ChainTransfer.objects.create(
        chain_id=31337, tx_hash=tx_hash, log_index=0, sender=wallet.address, units=105_500_000, block_number=5, block_hash=HASH, payment=payment
    )


def test_money_for_an_attempt_that_ran_out_pays_while_the_invoice_is_open(payment: Payment, client_user: User) -> None:
    actions.send_from_wallet(payment.pk, actor=client_user, address=PAYER.address)
    second = actions.choose_again(payment.pk, actor=client_user)
    came(payment)
    with clock.at(now() + timedelta(minutes=2)):
        jobs.reconcile()  # the job that the sweep queued was lost
        actions.settle_invoice(payment.invoice_id)
        jobs.reconcile()
    second.refresh_from_db()
    assert (Invoice.objects.get().status, second.status) == (InvoiceStatus.PAID, PaymentStatus.EXPIRED)


def test_the_other_provider_can_be_chosen_while_nothing_was_sent(payment: Payment, client_user: User) -> None:
    sign(payment, client_user)
    actions.change_provider(payment.invoice_id, actor=client_user, provider="sandbox")
    other = actions.start_payment(payment.invoice_id, actor=client_user, provider="sandbox")
    payment.refresh_from_db()
    assert (payment.status, other.provider) == (PaymentStatus.EXPIRED, "sandbox")
    with pytest.raises(Invalid, match="ways to pay"):
        actions.change_provider(payment.invoice_id, actor=client_user, provider="none")


def test_without_a_chain_it_is_not_offered(bill: Bill, client_user: User, settings: Any) -> None:
    settings.ESCROW_BACKEND = "ledger"
    assert [one.name for one in providers.offered()] == ["sandbox"]
    with pytest.raises(Refused, match="Nothing was taken"):
        providers.named("wallet").require()
    _, invoice = bill()
    with pytest.raises(Invalid):
        actions.start_payment(invoice.pk, actor=client_user, provider="wallet")
    assert not Payment.objects.exists()


@pytest.fixture
def settled(payment: Payment, client_user: User) -> Payment:
    books.confirm(sign(payment, client_user).pk, tx_hash=HASH)
    actions.note_own_wallet(payment.pk)
    actions.settle_invoice(payment.invoice_id)
    payment.refresh_from_db()
    return payment


def refund_of(payment: Payment, escrowed: str) -> Refund:
    """A refund of 40.00 of which a contract holds a part for the payer."""
    return actions.request_refund(payment, D("40.00"), reason="Part.", dedupe_key="k", actor=None, escrowed=D(escrowed), fee=D("5.50"))


@pytest.fixture
def with_money(settled: Payment, builder_user: User) -> Payment:
    """The client's account has what escrow gave back."""
    opening = EscrowOperation.objects.get(kind=EscrowKind.OPEN)
    deal = Deal(opening.purpose, opening.subject_id, settled.invoice.payer_id, builder_user.pk)
    for operation in (opening, escrow.current().refund(deal, D("100.00"), "back")):
        books.confirm(operation.pk, tx_hash=HASH)
    return settled


def parts() -> list[tuple[str, str, str]]:
    rows = EscrowOperation.objects.filter(purpose="refund").order_by("number")
    return [(one.kind, str(one.amount), one.status) for one in rows]


@pytest.mark.parametrize(
    ("escrowed", "wanted"),
    [("0.00", [("pay", "40.00")]), ("30.00", [("withdraw", "30.00"), ("pay", "10.00")]), ("40.00", [("withdraw", "40.00")])],
)
def test_a_refund_goes_out_in_its_parts_and_is_done_when_all_are(with_money: Payment, escrowed: str, wanted: list[tuple[str, str]]) -> None:
    refund = refund_of(with_money, escrowed)
    for _ in range(2):
        assert actions.send_refund(refund.pk).status == RefundStatus.REQUESTED
    assert [part[:2] for part in parts()] == wanted
    assert all(one.address == PAYER.address for one in EscrowOperation.objects.filter(purpose="refund"))
    for index, operation in enumerate(EscrowOperation.objects.filter(purpose="refund").order_by("number")):
        assert actions.send_refund(refund.pk).status == RefundStatus.REQUESTED
        books.confirm(operation.pk, tx_hash=f"0x{index:064x}")
        assert "send_refund" in queued()
    done = actions.send_refund(refund.pk)
    assert (done.status, done.external_id) == (RefundStatus.COMPLETED, f"0x{len(wanted) - 1:064x}")


def test_a_refund_of_which_nothing_moved_is_refused_and_sent_again_in_new_parts(with_money: Payment, staff: User) -> None:
    refund = refund_of(with_money, "30.00")
    actions.send_refund(refund.pk)
    books.give_up(EscrowOperation.objects.get(purpose="refund", kind=EscrowKind.WITHDRAW).pk, "The platform cannot pay to this address.")
    assert parts() == [("withdraw", "30.00", "failed"), ("pay", "10.00", "cancelled")]  # at once, before the worker can begin it
    failed = actions.send_refund(refund.pk)
    assert (failed.status, failed.error) == (RefundStatus.FAILED, "The platform cannot pay to this address.")
    actions.retry_refund(refund.pk, actor=staff)
    assert actions.send_refund(refund.pk).status == RefundStatus.REQUESTED
    assert [part for part in parts() if part[2] == "queued"] == [("withdraw", "30.00", "queued"), ("pay", "10.00", "queued")]


def test_a_refund_of_which_a_part_moved_waits_for_a_person(with_money: Payment) -> None:
    refund = refund_of(with_money, "30.00")
    actions.send_refund(refund.pk)
    first, second = EscrowOperation.objects.filter(purpose="refund").order_by("number")
    books.confirm(first.pk, tx_hash=HASH)
    books.give_up(second.pk, "No.")
    assert "$10.00 of it was given up" in IncidentLog.objects.get().description
    with pytest.raises(Unavailable, match="a person"):
        providers.named("wallet").refund(refund)
    assert actions.send_refund(refund.pk).status == RefundStatus.REQUESTED


def test_staff_send_the_rest_of_what_moved_in_part(with_money: Payment, staff: User, stranger: User) -> None:
    refund = refund_of(with_money, "30.00")
    actions.send_refund(refund.pk)
    with pytest.raises(WrongState, match="given up"):
        actions.send_rest("refund", refund.pk, actor=staff)
    first, second = EscrowOperation.objects.filter(purpose="refund").order_by("number")
    books.confirm(first.pk, tx_hash=HASH)
    books.give_up(second.pk, "No.")
    with pytest.raises(NotAllowed):
        actions.send_rest("refund", refund.pk, actor=stranger)
    (again,) = actions.send_rest("refund", refund.pk, actor=staff)
    assert parts() == [("withdraw", "30.00", "confirmed"), ("pay", "10.00", "failed"), ("pay", "10.00", "queued")]
    with pytest.raises(WrongState):
        actions.send_rest("refund", refund.pk, actor=staff)
    assert actions.send_refund(refund.pk).status == RefundStatus.REQUESTED
    books.give_up(again.pk, "No, again.")
    (third,) = actions.send_rest("refund", refund.pk, actor=staff)
    books.confirm(third.pk, tx_hash=HASH)
    assert actions.send_refund(refund.pk).status == RefundStatus.COMPLETED
    assert sum(one.amount for one in EscrowOperation.objects.filter(purpose="refund", status="confirmed")) == refund.amount


def test_a_refund_without_a_wallet_is_refused(payment: Payment) -> None:
    with pytest.raises(Refused):
        providers.named("wallet").refund(Refund(pk=uuid7(), payment=payment, amount=D("1.00")))


def test_staff_send_back_what_fits_nothing(client: Client, make_user: Any, payment: Payment, client_user: User, settings: Any) -> None:
    settings.STAFF_SECOND_FACTOR = False
    client.force_login(make_user("Rut Root", is_staff=True, is_superuser=True))
    misfit = ChainTransfer.objects.create(
        chain_id=31337, tx_hash=HASH, log_index=0, sender=OTHER.address, units=12_345_678, block_number=5, block_hash=HASH
    )
    url = f"/console/payments/chaintransfer/{misfit.pk}/"
    assert "Send back" in client.get(url + "change/").content.decode()
    assert "12.345678 USDC" in client.get(url + "back/").content.decode()
    assert not EscrowOperation.objects.exists()
    for _ in range(2):
        assert client.post(url + "back/", {"sure": "on"}).status_code == 302
    operation = EscrowOperation.objects.get()
    assert (operation.kind, operation.amount, operation.address) == (EscrowKind.PAY, D("12.34"), OTHER.address)
    with pytest.raises(NotAllowed):
        actions.return_transfer(misfit.pk, actor=client_user)
    actions.send_from_wallet(payment.pk, actor=client_user, address=PAYER.address)
    came(payment, "0x" + "cd" * 32)
    used = ChainTransfer.objects.get(payment=payment)
    assert "Send back" not in client.get(f"/console/payments/chaintransfer/{used.pk}/change/").content.decode()
    assert client.post(f"/console/payments/chaintransfer/{used.pk}/back/", {"sure": "on"}).status_code == 409
