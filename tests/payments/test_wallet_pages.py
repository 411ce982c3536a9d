"""The page on which somebody pays from a wallet of their own: who sees it, what it says in each state, what it takes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from port444.accounts.models import User
from port444.kit import clock
from port444.payments import actions
from port444.payments.escrow import books
from port444.payments.models import (
    ChainTransfer,
    EscrowOperation,
    EscrowStatus,
    Payment,
    PaymentStatus,
    SandboxCharge,
    WalletMethod,
    WalletPayment,
)

from .chains import OTHER, PAYER, SETTINGS, TREASURY, signed
from .conftest import Bill

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
JSON = {"Accept": "application/json"}
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


@pytest.fixture
def as_client(client: Client, client_user: User) -> Client:
    client.force_login(client_user)
    return client


@pytest.fixture
def wallet_page(as_client: Client, payment: Payment) -> Callable[..., Any]:
    """Post to, or without fields get, a part of the payment's page."""

    def ask(part: str = "", fields: dict[str, str] | None = None, **headers: str) -> Any:
        url = f"/pay/{payment.pk}/wallet/{part}"
        return as_client.get(url, headers=headers) if fields is None else as_client.post(url, fields, headers=headers or JSON)

    return ask


def text(response: Any) -> str:
    return " ".join(response.content.decode().split())


def test_the_checkout_offers_both_ways_and_keeps_to_the_chosen_one(as_client: Client, bill: Bill) -> None:
    _, invoice = bill()
    shown = text(as_client.get(f"/pay/{invoice.pk}/"))
    assert 'value="wallet" checked' in shown
    assert "USDC on Local chain" in shown
    assert "Test wallet" in shown
    first = as_client.post(f"/pay/{invoice.pk}/start/", {"how": "wallet"})
    payment = Payment.objects.get()
    assert first["Location"] == f"/pay/{payment.pk}/wallet/"
    other = as_client.post(f"/pay/{invoice.pk}/start/", {"how": "sandbox"})
    assert other["Location"].startswith("/wallet/")
    assert 'value="sandbox" checked' in text(as_client.get(f"/pay/{invoice.pk}/"))
    assert sorted(Payment.objects.values_list("provider", "status")) == [("sandbox", "pending"), ("wallet", "expired")]
    assert as_client.post(f"/pay/{invoice.pk}/start/", {"how": "bank"}).status_code == 422
    assert (Payment.objects.count(), SandboxCharge.objects.count()) == (2, 1)


def test_it_says_what_where_and_until_when(wallet_page: Callable[..., Any], payment: Payment, django_assert_num_queries: Any) -> None:
    wallet_page()
    with django_assert_num_queries(5):
        shown = text(wallet_page())
    for words in (
        "$105.50 USDC",
        "Local chain",
        "Anaya Krishnan",
        SETTINGS["USDC_ADDRESS"],
        "Signing costs no gas",
        "This needs JavaScript",
        "Pay in another way",
    ):
        assert str(words) in shown
    response = wallet_page()
    typed = json.loads(response.context["chain"]["typed"])
    assert typed["message"]["value"] == "105500000"
    assert typed["message"]["to"] == TREASURY.address
    assert response.context["chain"]["calldata"] == "0xa9059cbb" + TREASURY.address[2:].lower().rjust(64, "0") + f"{105_500_000:064x}"
    assert "script-src 'self'" in response["Content-Security-Policy"]


def test_nobody_else_sees_or_pays_it(client: Client, payment: Payment, stranger: User, builder_user: User) -> None:
    url = f"/pay/{payment.pk}/wallet/"
    assert client.get(url).status_code == 302
    for somebody in (stranger, builder_user):
        client.force_login(somebody)
        assert client.get(url).status_code == 404
        for part in ("sign/", "send/", "sent/", "again/"):
            assert client.post(url + part, {"address": PAYER.address, "signature": "0x", "tx_hash": HASH}).status_code == 404
    assert not WalletPayment.objects.exists()


def test_a_payment_of_another_provider_has_no_such_page(as_client: Client, bill: Bill, client_user: User) -> None:
    _, invoice = bill()
    other = actions.reach_provider(actions.start_payment(invoice.pk, actor=client_user, provider="sandbox").pk)
    assert as_client.get(f"/pay/{other.pk}/wallet/").status_code == 404


def test_signing(wallet_page: Callable[..., Any], payment: Payment) -> None:
    done = wallet_page("sign/", {"address": PAYER.address, "signature": signed(payment)})
    assert done.json() == {"url": f"/pay/{payment.pk}/wallet/"}
    assert WalletPayment.objects.get().method == WalletMethod.AUTHORIZATION
    shown = text(wallet_page())
    assert "Your signature is here" in shown
    assert "Nothing gets lost" in shown
    assert "wallet.js" not in shown
    changed = wallet_page("?at=choose", **HTMX)
    assert (changed.status_code, changed["HX-Refresh"]) == (200, "true")
    assert "Your signature is here" in text(wallet_page("?at=sent", **HTMX))

    operation = EscrowOperation.objects.get()
    operation.move_to(EscrowStatus.BLOCKED, reason="The account it is paid from holds too little.")
    assert "The account it is paid from holds too little." in text(wallet_page())
    operation.move_to(EscrowStatus.SIGNED, tx_hash=HASH)
    assert HASH in text(wallet_page())
    books.confirm(operation.pk, tx_hash=HASH)
    actions.note_own_wallet(payment.pk)
    assert wallet_page()["Location"] == f"/pay/{payment.invoice_id}/return/"
    assert wallet_page("?at=sent", **HTMX)["HX-Redirect"] == f"/pay/{payment.invoice_id}/return/"


def test_a_wrong_signature_is_answered_in_words(wallet_page: Callable[..., Any], payment: Payment) -> None:
    for fields in ({"address": PAYER.address, "signature": signed(payment, OTHER)}, {"address": "x", "signature": "y"}, {}):
        refused = wallet_page("sign/", fields)
        assert refused.status_code == 422
        assert refused.json()["error"]["message"]
    assert not WalletPayment.objects.exists()


def test_sending_with_and_without_script(wallet_page: Callable[..., Any], payment: Payment) -> None:
    bad = wallet_page("send/", {"address": "0x12"}, Accept="text/html")
    assert bad.status_code == 422
    assert "not the address of a wallet" in text(bad)
    assert not WalletPayment.objects.exists()
    done = wallet_page("send/", {"address": PAYER.address}, Accept="text/html")
    assert (done.status_code, done["Location"]) == (302, f"/pay/{payment.pk}/wallet/")
    shown = text(wallet_page())
    for words in ("Send it from your wallet", TREASURY.address, PAYER.address, "Choose again"):
        assert words in shown
    assert wallet_page("send/", {"address": OTHER.address}).status_code == 409
    assert wallet_page("sent/", {"tx_hash": "hello"}).status_code == 422
    assert wallet_page("sent/", {"tx_hash": HASH}).status_code == 200
    assert "Your transfer is on its way" in text(wallet_page())


def test_choosing_again(wallet_page: Callable[..., Any], payment: Payment) -> None:
    wallet_page("send/", {"address": PAYER.address})
    again = wallet_page("again/", {}, Accept="text/html")
    second = Payment.objects.exclude(pk=payment.pk).get()
    assert again["Location"] == f"/pay/{second.pk}/wallet/"
    assert "Do not send anything for it any more" in text(wallet_page())


def test_another_amount_is_said(wallet_page: Callable[..., Any], payment: Payment) -> None:
    wallet_page("send/", {"address": PAYER.address})
    ChainTransfer.objects.create(chain_id=31337, tx_hash=HASH, log_index=0, sender=PAYER.address, units=100_000_000, block_number=5, block_hash=HASH)
    assert "100 USDC came, and $105.50 was asked for" in text(wallet_page())


def test_what_failed_and_what_is_over(wallet_page: Callable[..., Any], payment: Payment) -> None:
    wallet_page("sign/", {"address": PAYER.address, "signature": signed(payment)})
    books.give_up(EscrowOperation.objects.get().pk, "The signature has expired.")
    actions.note_own_wallet(payment.pk)
    assert "The signature has expired. Nothing was taken." in text(wallet_page())
    Payment.objects.filter(pk=payment.pk).update(status=PaymentStatus.EXPIRED)
    assert "This payment is closed" in text(wallet_page())


def test_an_attempt_that_nobody_used_is_over_at_its_end(wallet_page: Callable[..., Any], payment: Payment) -> None:
    with clock.at(payment.expires_at + timedelta(seconds=1)):
        assert "This payment is closed" in text(wallet_page())


def test_when_the_chain_is_taken_away_it_says_so(wallet_page: Callable[..., Any], settings: Any) -> None:
    settings.ESCROW_BACKEND = "ledger"
    closed = wallet_page()
    assert closed.status_code == 409
    assert "not open here. Nothing was taken." in text(closed)
