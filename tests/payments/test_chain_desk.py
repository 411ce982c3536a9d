"""The page of staff about escrow on the chain: what it says in each state, and what staff may do with what waits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from auditlog.actions import Finding, open_incident
from auditlog.models import AuditLog, IncidentSeverity, IncidentType
from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import NotAllowed
from port444.kit.ids import uuid7
from port444.payments import actions as payments
from port444.payments.actions.chain import cancel_operation, give_up_operation, note_problem, retry_operation, settle_difference
from port444.payments.models import (
    ChainCursor,
    ChainDifference,
    ChainSigner,
    ChainStatus,
    ChainTransfer,
    EscrowAttempt,
    EscrowKind,
    EscrowOperation,
    EscrowStatus,
    PayoutHold,
)

pytestmark = pytest.mark.django_db

D = Decimal
ESCROW, TOKEN = "0x" + "e5" * 20, "0x" + "dc" * 20
OWN_WALLET = "0x" + "ab" * 20
OPERATOR, ARBITER, PLATFORM = "0x" + "0a" * 20, "0x" + "0b" * 20, "0x" + "0c" * 20
PAGE = "admin:payments_chainstatus_changelist"
# Session and user, four of the frame, three to keep the time; status, cursor, signers, what waits, differences, the queue, and what the
# float has to pay.
QUERIES = 16
REASON = "The allowance was raised this morning."


@pytest.fixture
def console(client: Client, staff: User, settings: Any) -> Client:
    settings.STAFF_SECOND_FACTOR = False
    settings.ESCROW_BACKEND, settings.CHAIN_ID, settings.ESCROW_ADDRESS = "web3", 31337, ESCROW
    client.force_login(staff)
    return client


def facts() -> dict[str, Any]:
    units = {"locked": 500, "claimable": 90, "held": 590, "float": 4000, "allowance": 120, "float_claim": 0, "platform_claim": 10}
    return {
        "chain": "Local chain", "chain_id": 31337, "escrow": ESCROW, "token": TOKEN, "platform": PLATFORM, "head": 1234, "final": 1230,
        "head_at": int(now().timestamp()) - 4, "paused": False, "token_paused": False,
        **{name: str(amount * 10**6) for name, amount in units.items()},
        "signers": [
            {"role": "operator", "address": OPERATOR, "gas": str(10**18), "mined": 41, "pending": 43, "next": 43},
            {"role": "arbiter", "address": ARBITER, "gas": str(10**15), "mined": 0, "pending": None, "next": None},
        ],
    }  # fmt: skip


def seen(age: timedelta = timedelta(seconds=20), **fields: Any) -> ChainStatus:
    values = {"facts": facts(), "taken_at": now() - age, "compared_at": now() - age, "compared_block": 1230}
    return ChainStatus.objects.create(chain_id=31337, contract=ESCROW, **{**values, **fields})


@pytest.fixture
def ask(client_user: User, builder_user: User) -> Callable[..., EscrowOperation]:
    """An operation of a deal of its own, as the worker left it."""

    def make(status: str, kind: str = EscrowKind.OPEN, tried: bool = False, **fields: Any) -> EscrowOperation:
        deal = uuid7()
        operation = EscrowOperation.objects.create(
            op_id=f"test:{deal}:{kind}", kind=kind, purpose="test", subject_id=deal, client_id=client_user.pk, builder_id=builder_user.pk,
            amount=D("100.00"), status=status, backend="web3", chain_id=31337, contract=ESCROW, key="0x" + deal.hex.rjust(64, "0"), **fields,
        )  # fmt: skip
        operation.refresh_from_db()
        if tried:
            EscrowAttempt.objects.create(
                tx_hash="0x" + deal.hex.rjust(64, "1"), operation=operation, chain_id=31337, signer=OPERATOR, nonce=7, raw=b"", gas=1, max_fee=1,
                tip=1,
            )  # fmt: skip
        return operation

    return make


def text(console: Client) -> str:
    return " ".join(console.get(reverse(PAGE)).content.decode().split())


def test_without_a_chain_it_says_so(console: Client, settings: Any) -> None:
    settings.ESCROW_BACKEND = "ledger"
    assert "Escrow is kept in the ledger here" in text(console)


def test_before_the_worker_has_looked(console: Client) -> None:
    page = text(console)
    assert "The worker has not looked at the chain yet" in page
    assert "They were not compared yet" in page


def test_what_was_seen_a_moment_ago(console: Client, ask: Callable[..., EscrowOperation]) -> None:
    seen()
    ChainSigner.objects.create(chain_id=31337, address=OPERATOR, next_nonce=43)
    ChainCursor.objects.create(chain_id=31337, contract=ESCROW, next_block=1231)
    ask(EscrowStatus.QUEUED, created_at=now() - timedelta(hours=2))
    page = text(console)
    assert "on Local chain (31337)" in page
    assert 'class="strip bad"' not in page
    for expected in ("1,234", "1,231", "$4,000.00", "$120.00", OPERATOR, ARBITER, "0.0010", "Waiting for their turn"):
        assert expected in page, expected
    assert page.count('<span class="pill bad">low</span>') == 2  # the allowance, and the arbiter's gas money
    assert 'class="pill wait">2 hours' in page
    assert "They agree." in page


def test_what_is_old_says_so(console: Client) -> None:
    seen(timedelta(minutes=20))
    page = text(console)
    assert "The worker is late." in page
    assert "seen 20 minutes ago, and should be a minute old at most" in page
    assert "which is late" in page


def test_what_failed_says_why_and_keeps_what_was_seen(console: Client) -> None:
    seen(timedelta(minutes=5))
    note_problem("The node: no answer from the node: ConnectionError.")
    page = text(console)
    assert "The worker has a problem." in page
    assert "ConnectionError" in page
    assert "$4,000.00" in page


def test_a_paused_contract_and_token(console: Client) -> None:
    seen(facts={**facts(), "paused": True, "token_paused": True})
    page = text(console)
    assert "The escrow contract is paused" in page
    assert "The token is paused by its issuer" in page


def test_queries_are_as_many_with_one_row_as_with_many(console: Client, ask: Callable[..., EscrowOperation], django_assert_num_queries: Any) -> None:
    def more(rows: int) -> None:
        for _ in range(rows):
            ask(EscrowStatus.BLOCKED, reason="The token is paused.")
            ask(EscrowStatus.NEEDS_REVIEW, tried=True)
            ask(EscrowStatus.SENT, tried=True)
            ChainDifference.objects.create(fingerprint=f"position:{uuid7()}", kind="position", text="A deal holds less.")

    seen()
    more(1)
    console.get(reverse(PAGE))
    with django_assert_num_queries(QUERIES):
        console.get(reverse(PAGE))
    more(9)
    with django_assert_num_queries(QUERIES):
        console.get(reverse(PAGE))
    more(50)
    page = text(console)
    assert page.count("A deal holds less.") < 60 * 3
    assert "70 more in the" in page


def test_others_do_not_get_in(client: Client, client_user: User, settings: Any, ask: Callable[..., EscrowOperation]) -> None:
    settings.STAFF_SECOND_FACTOR = False
    client.force_login(client_user)
    operation = ask(EscrowStatus.BLOCKED)
    assert client.get(reverse(PAGE), follow=True).status_code == 403
    url = reverse("admin:payments_chain_operation", args=[operation.number, "cancel"])
    assert client.post(url, {"reason": REASON}, follow=True).status_code == 403
    operation.refresh_from_db()
    assert operation.status == "blocked"


def press(console: Client, operation: EscrowOperation, verb: str, reason: str = REASON) -> int:
    status: int = console.post(reverse("admin:payments_chain_operation", args=[operation.number, verb]), {"reason": reason}).status_code
    operation.refresh_from_db()
    return status


def test_trying_again(console: Client, ask: Callable[..., EscrowOperation], staff: User) -> None:
    later = now() + timedelta(minutes=5)
    blocked, review = ask(EscrowStatus.BLOCKED, tries=7, next_try_at=later), ask(EscrowStatus.NEEDS_REVIEW, tried=True)
    assert press(console, blocked, "retry") == 302
    assert (blocked.status, blocked.tries) == ("blocked", 0)
    assert blocked.next_try_at < later
    assert press(console, review, "retry") == 302
    assert review.status == "queued"
    logged = AuditLog.objects.filter(event_type="escrow.retried")
    assert set(logged.values_list("actor_id", "description")) == {(staff.pk, REASON)}
    assert logged.count() == 2


def test_giving_up_and_cancelling(console: Client, ask: Callable[..., EscrowOperation]) -> None:
    first, second = ask(EscrowStatus.BLOCKED, EscrowKind.WITHDRAW), ask(EscrowStatus.QUEUED, EscrowKind.WITHDRAW)
    assert press(console, first, "give-up") == 302
    assert (first.status, first.reason) == ("failed", f"Given up by staff: {REASON}")
    assert press(console, second, "cancel") == 302
    assert second.status == "cancelled"
    assert set(AuditLog.objects.filter(event_type__startswith="escrow.").values_list("event_type", flat=True)) == {
        "escrow.failed",
        "escrow.given_up",
        "escrow.cancelled",
        "escrow.taken_back",
    }


@pytest.mark.parametrize(
    ("status", "tried", "verb"),
    [
        (EscrowStatus.SENT, True, "retry"),
        (EscrowStatus.SENT, True, "give-up"),
        (EscrowStatus.SENT, True, "cancel"),
        (EscrowStatus.QUEUED, True, "give-up"),
        (EscrowStatus.QUEUED, True, "cancel"),
        (EscrowStatus.CANCELLED, False, "retry"),
    ],
)
def test_what_may_still_take_effect_stays(console: Client, ask: Callable[..., EscrowOperation], status: str, tried: bool, verb: str) -> None:
    operation = ask(status, tried=tried)
    assert press(console, operation, verb) == 409
    assert operation.status == status
    assert not AuditLog.objects.filter(event_type__startswith="escrow.").exists()


def test_a_reason_is_needed(console: Client, ask: Callable[..., EscrowOperation]) -> None:
    operation = ask(EscrowStatus.BLOCKED)
    assert press(console, operation, "cancel", "ok") == 422
    assert operation.status == "blocked"
    assert not AuditLog.objects.filter(event_type__startswith="escrow.").exists()
    assert console.get(reverse("admin:payments_chain_operation", args=[operation.number, "cancel"])).status_code == 200
    assert console.get(reverse("admin:payments_chain_operation", args=[operation.number, "explode"])).status_code == 404


def test_seeing_to_a_difference(console: Client, staff: User) -> None:
    row = ChainDifference.objects.create(fingerprint="unknown:1", kind="unknown_operation", text="Somebody used the key.")
    assert console.post(reverse("admin:payments_chain_difference", args=[row.pk]), {"reason": "It was our drill."}).status_code == 302
    row.refresh_from_db()
    assert row.gone_at is not None
    logged = AuditLog.objects.get(event_type="chain.difference_settled")
    assert (logged.actor_id, logged.description) == (staff.pk, "It was our drill.")
    assert "Somebody used the key." not in text(console)


def test_the_alarm_names_a_comparison_that_is_late(client: Client, settings: Any) -> None:
    def late() -> list[str]:
        named: list[str] = client.get("/readyz").json()["late"]
        return named

    assert "comparison with the chain" not in late()
    settings.ESCROW_BACKEND, settings.CHAIN_ID, settings.ESCROW_ADDRESS = "web3", 31337, ESCROW
    assert "comparison with the chain" in late()
    row = seen()
    assert "comparison with the chain" not in late()
    ChainStatus.objects.filter(pk=row.pk).update(compared_at=now() - timedelta(minutes=16))
    assert "comparison with the chain" in late()


def test_nobody_handles_an_operation_of_their_own_money(ask: Callable[..., EscrowOperation], client_user: User) -> None:
    client_user.is_staff = True
    client_user.save()
    payments.change_payout_address(OWN_WALLET, actor=client_user)
    theirs = [ask("blocked"), ask("blocked", EscrowKind.WITHDRAW, address=OWN_WALLET.lower())]
    EscrowOperation.objects.filter(pk=theirs[1].pk).update(client_id=None, builder_id=None)
    for operation in theirs:
        for act in (retry_operation, give_up_operation, cancel_operation):
            with pytest.raises(NotAllowed) as refusal:
                act(operation.op_id, actor=client_user, reason=REASON)
            assert refusal.value.code == "own_case"
    transfer = ChainTransfer.objects.create(
        chain_id=31337, tx_hash="0x" + "1" * 64, log_index=0, sender=OWN_WALLET, units=5_000_000, block_number=5, block_hash="0x" + "2" * 64
    )
    with pytest.raises(NotAllowed) as refusal:
        payments.return_transfer(transfer.pk, actor=client_user)
    assert refusal.value.code == "own_case"
    assert EscrowOperation.objects.filter(status="blocked").count() == EscrowOperation.objects.count() == 2


def test_what_is_seen_to_lets_nobodys_money_go(builder_user: User, staff: User) -> None:
    """Staff take a difference from the list; the hold that came with it is ended by two."""
    row = ChainDifference.objects.create(fingerprint="position:1", kind="position", text="A deal holds less.")
    incident = open_incident(
        Finding(
            fingerprint="chain:position:1", incident_type=IncidentType.SUSPICIOUS_ACTIVITY, severity=IncidentSeverity.HIGH, confidence=90,
            description="A deal holds less.", user_id=builder_user.pk,
        )
    )  # fmt: skip
    hold = payments.hold_withdrawals_of(builder_user.pk, reason="We look into it.", incident=incident.pk)
    builder_user.is_staff = True
    builder_user.save()
    with pytest.raises(NotAllowed) as refusal:
        settle_difference(row.pk, actor=builder_user, reason=REASON)
    assert refusal.value.code == "own_case"
    settle_difference(row.pk, actor=staff, reason=REASON)
    assert ChainDifference.objects.get().gone_at is not None
    assert PayoutHold.objects.standing().get() == hold
