"""Taking money out, paying, and what providers say of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from port444.kit.clock import at, now
from port444.kit.ids import uuid7
from port444.payments import actions as payments
from port444.payments.models import Invoice, Payment, SandboxCharge, WalletPayment
from port444.payments.providers import sandbox
from port444.payments.providers.sandbox import Decision, Manner
from tests.payments.chains import SETTINGS

from .asking import BAD_MONEY, NUL, Ask, World, faults, not_taken, nothing_written, ready

pytestmark = pytest.mark.django_db


def withdraw(amount: str) -> Ask:
    return lambda world: (world.builder.user, "/earnings/withdraw/", {"amount": amount, "client_key": str(uuid7())})


def bank(**changes: str) -> Ask:
    form = {"holder": "Anaya Krishnan", "iban": "DE89370400440532013000", "number": "", "bic": "", "country": ""}
    return lambda world: (world.builder.user, "/earnings/bank/", form | changes)


BAD: dict[str, Ask] = {
    **{f"withdraw {text[:9]!r}": withdraw(text) for text in [*BAD_MONEY, "", "9999999.99", "1.00"]},
    "withdraw in a way that is none": lambda world: (*withdraw("20.50")(world)[:2], {"amount": "20.50", "method": "x", "client_key": str(uuid7())}),
    "withdraw to a bank that nobody named": lambda world: (
        *withdraw("30.00")(world)[:2],
        {"amount": "30.00", "method": "bank", "client_key": str(uuid7())},
    ),
    "withdraw without a key": lambda world: (*withdraw("20.50")(world)[:2], {"amount": "20.50"}),
    "iban with wrong digits": bank(iban="DE88370400440532013000"),
    "iban with NUL": bank(iban="DE89370400440532013000\x00"),
    "iban in digits of another script": bank(iban="DE８9370400440532013000"),
    "iban that is endless": bank(iban="DE89" * 5000),
    "account without a bank": bank(iban="", number="12345678"),
    "account that is a formula": bank(iban="", number="=1+1", bic="CHASUS33", country="US"),
    "bank in no country": bank(iban="", number="12345678", bic="CHASQQ33", country="QQ"),
    "bank with a country of its own": bank(iban="", number="12345678", bic="CHASUS33", country="U\x00"),
    "holder with NUL": bank(holder=NUL),
    "holder in other letters": bank(holder="Анна"),
    "holder that is none": bank(holder=""),
    "payout address with a wrong checksum": lambda world: (world.builder.user, "/earnings/address/", {"address": "0xAb" + "ab" * 19}),
    "payout address that is none": lambda world: (world.builder.user, "/earnings/address/", {"address": "0x12"}),
    "payout address with NUL": lambda world: (world.builder.user, "/earnings/address/", {"address": "0x" + "ab" * 19 + "\x00"}),
    "wallet that answers maybe": lambda world: (world.client_user, f"/wallet/{world.payment.pk}/answer/", {"decision": "maybe"}),
    "invoice of another": lambda world: (world.other.user, f"/pay/{world.payment.invoice_id}/start/", {}),
    "wallet of another": lambda world: (world.other.user, f"/wallet/{world.payment.pk}/answer/", {"decision": "approve"}),
}

GOOD: dict[str, Ask] = {
    "withdraw": withdraw("20.50"),
    "wallet": lambda world: (world.client_user, f"/wallet/{world.payment.pk}/answer/", {"decision": "approve"}),
    "bank": bank(),
    "address": lambda world: (world.builder.user, "/earnings/address/", {"address": "0x" + "cd" * 20}),
}


def test_money_is_not_taken_out_or_paid_badly(world: World) -> None:
    assert faults(world, BAD) == {}
    assert not_taken(world, GOOD) == []


NOBODY = "0x" + "00" * 19 + "12"  # a wallet whose key nobody holds


def at_wallet(part: str, **form: Any) -> Ask:
    """The page of a payment from a wallet of one's own."""
    return lambda world: (world.client_user, f"/pay/{world.payment.pk}/wallet/{part}/", form)


WALLET: dict[str, Ask] = {
    "signature of nobody": at_wallet("sign", address=NOBODY, signature="0x" + "11" * 65),
    "signature too short": at_wallet("sign", address=NOBODY, signature="0x" + "11" * 64),
    "signature that is none": at_wallet("sign", address=NOBODY, signature="signed"),
    "signature with NUL": at_wallet("sign", address=NOBODY, signature=NUL),
    "signature without end": at_wallet("sign", address=NOBODY, signature="0x" + "1" * 5000),
    "no signature": at_wallet("sign"),
    "address that is none": at_wallet("send", address="0x12"),
    "address with NUL": at_wallet("send", address="0x" + "ab" * 19 + "\x00"),
    "address of nobody": at_wallet("send", address="0x" + "0" * 40),
    "address with a wrong letter": at_wallet("send", address="0x5d5c99EdF529335160FF180fA141Dd4967fc00D1"),
    "address of the platform": at_wallet("send", address=str(SETTINGS["CHAIN_TREASURY_ADDRESS"])),
    "hash that is none": at_wallet("sent", tx_hash="0x12"),
    "hash with NUL": at_wallet("sent", tx_hash="0x" + "a" * 63 + "\x00"),
    "hash before a wallet": at_wallet("sent", tx_hash="0x" + "ab" * 32),
    "payment of another": lambda world: (world.other.user, f"/pay/{world.payment.pk}/wallet/send/", {"address": NOBODY}),
    "no such payment": lambda world: (world.client_user, f"/pay/{uuid7()}/wallet/send/", {"address": NOBODY}),
}


def test_a_wallet_s_page_takes_nothing_that_is_wrong(world: World, settings: Any) -> None:
    for name, value in SETTINGS.items():
        setattr(settings, name, value)
    invoice_id = world.payment.invoice_id
    payments.change_provider(invoice_id, actor=world.client_user, provider="wallet")
    world.payment = payments.reach_provider(payments.start_payment(invoice_id, actor=world.client_user, provider="wallet").pk)
    assert faults(world, WALLET) == {}
    assert ready(world, at_wallet("send", address=NOBODY))().status_code == 302
    assert WalletPayment.objects.get().address == NOBODY


def callback(body: bytes, header: str) -> Any:
    return Client(enforce_csrf_checks=True).post(
        "/payments/callback/sandbox/", body, content_type="application/json", headers={sandbox.HEADER: header}
    )


@pytest.fixture
def approved(world: World) -> bytes:
    """The body of the wallet's answer about a payment that was approved and is not reported yet."""
    payments.answer_wallet(world.payment.pk, actor=world.client_user, decision=Decision.APPROVE, manner=Manner.SILENT)
    return sandbox.message(SandboxCharge.objects.get(key=world.payment.pk))


FORGED: dict[str, Callable[[bytes], tuple[bytes, str]]] = {
    "no signature": lambda body: (body, ""),
    "zeros": lambda body: (body, f"t={int(now().timestamp())},v1={'0' * 64}"),
    "another body": lambda body: (json.dumps({**json.loads(body), "amount": "0.01"}).encode(), sandbox.sign(body, now())),
    "too old": lambda body: (body, sandbox.sign(body, now() - timedelta(minutes=5, seconds=2))),
    "from the future": lambda body: (body, sandbox.sign(body, now() + timedelta(minutes=6))),
    "a new moment on an old signature": lambda body: (body, re.sub(r"t=\d+", "t=1", sandbox.sign(body, now()))),
}


def test_a_forged_or_stale_callback_is_refused(approved: bytes) -> None:
    for name, forge in FORGED.items():
        with nothing_written():
            response = callback(*forge(approved))
        assert (response.status_code, response.json()) == (403, {"error": "signature"}), name


def test_a_replayed_callback_changes_nothing(approved: bytes) -> None:
    """Soon it is the provider asking again, which is told that all is known; later it is somebody who listened."""
    header = sandbox.sign(approved, now())
    assert callback(approved, header).status_code == 200
    with nothing_written():
        assert callback(approved, header).status_code == 200
    invoice = Invoice.objects.get(payments=Payment.objects.get(events__isnull=False, settled_at__isnull=True))
    payments.settle_invoice(invoice.pk)
    with nothing_written():
        assert callback(approved, header).status_code == 200
        payments.settle_invoice(invoice.pk)
        with at(now() + timedelta(minutes=6)):
            assert callback(approved, header).status_code == 403
