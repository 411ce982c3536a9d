"""Any life of two deals: on a chain that confirms whenever it likes the same happens as in the ledger, to the cent."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from port444.accounts.models import User
from port444.kit.errors import DomainError
from port444.kit.ids import uuid7
from port444.kit.money import fee
from port444.payments import credits, ledger
from port444.payments.escrow import Deal, LedgerEscrow, Lent, Web3Escrow
from port444.payments.escrow.asking import Asking
from port444.payments.models import EscrowKind, EscrowOperation
from tests.confirming import confirm_all, confirm_one, use_chain
from tests.conftest import assert_books_balance

from .conftest import FAR

pytestmark = pytest.mark.django_db

D, K = Decimal, EscrowKind
FUNDS = D("3000.00")
STEPS = ["amend", "release", "release", "refund", "refund", "move", "back", "extend", "hold", "free", "rest", "confirm", "confirm"]
cents = st.integers(1, 30_000)
life = st.lists(st.tuples(st.sampled_from(STEPS), cents, st.integers(0, 100), st.integers(0, 100), st.booleans()), max_size=16)


@dataclass
class World:
    """One client, two builders and two deals with one backend; `repaid` is what went back as credits."""

    backend: Asking
    client: User
    builders: list[User]
    deals: list[Deal] = field(default_factory=list)

    @classmethod
    def made(cls, backend: Asking, name: str) -> World:
        client, *builders = (User.objects.create(email=f"{name}{n}@example.com", name=f"{name} {n}") for n in range(3))
        world = cls(backend, client, list(builders))
        world.deals = [Deal("test", uuid7(), client.pk, one.pk) for one in builders]
        ledger.post(f"fund:{name}", "In", [(ledger.EXTERNAL, -FUNDS), (ledger.client(client.pk), FUNDS)])
        return world

    def fund(self, number: int, amount: Decimal, lent: Lent, key: str, bps: int | None) -> None:
        """Money comes in, a part of it lent by credits."""
        advanced = lent.prepaid + lent.gift
        if advanced:
            ledger.post(f"lend:{key}", "Credits", [(ledger.CREDITS, -advanced), (ledger.client(self.client.pk), advanced)])
        deal = self.deals[number]
        if bps is None:
            self.backend.amend(deal, amount, key, lent=lent)
        else:
            self.backend.open(deal, amount, bps, key, expiry=FAR, lent=lent)

    def seen(self) -> list[Any]:
        """What anybody may ask of the deals, whatever is still on its way."""
        found = []
        for deal in self.deals:
            place = self.backend.position(deal)
            found.append((place.locked, place.funded, place.released, place.refunded, place.lent, place.held, place.expiry))
        return found

    def money(self) -> list[Decimal]:
        mine = [ledger.balance("client", owner=self.client.pk)]
        return (
            mine + [ledger.balance("earnings", owner=one.pk) for one in self.builders] + [ledger.balance("escrow", subject=d.id) for d in self.deals]
        )


def press(world: World, name: str, number: int, step: tuple[str, int, int, int, bool], bps: int) -> str:
    """One step in one world; the code of the refusal, or nothing."""
    what, size, prepaid, gift, ruling = step
    amount, key, index = D(size) / 100, f"{name}:{number}", number % 2
    deal, other = world.deals[index], world.deals[1 - index]
    try:
        with transaction.atomic():
            match what:
                case "amend":
                    most = amount - fee(amount, bps)
                    back = (most * prepaid / 100).quantize(D("0.01"), rounding="ROUND_DOWN")
                    world.fund(index, amount, Lent(back, ((amount - back) * gift / 100).quantize(D("0.01"), rounding="ROUND_DOWN")), key, None)
                case "release":
                    world.backend.release(deal, amount, key, ruling=ruling)
                case "refund":
                    world.backend.refund(deal, amount, key, ruling=ruling)
                case "move":
                    world.backend.move(deal, other, amount, key, ruling=True)
                case "back":
                    world.backend.move(other, deal, amount, key, ruling=ruling)
                case "extend":
                    world.backend.extend(deal, FAR.replace(year=2028, month=1 + size % 9, day=1), key)
                case "hold" | "free":
                    world.backend.hold(deal, what == "hold", key)
                case "rest":
                    left = world.backend.position(deal).locked
                    (world.backend.release if ruling else world.backend.refund)(deal, left, key, ruling=True)
    except DomainError as refusal:
        return refusal.code
    return ""


@pytest.mark.timeout(600)
@settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(bps=st.sampled_from([0, 333, 1000, 3000]), first=st.tuples(cents, st.integers(0, 100), st.integers(0, 100)), steps=life)
def test_a_chain_and_the_ledger_agree(
    db: None,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    bps: int,
    first: tuple[int, int, int],
    steps: list[tuple[str, int, int, int, bool]],
) -> None:
    use_chain(settings)
    returned: list[Decimal] = []
    monkeypatch.setattr(credits, "give_back", lambda deals, *, prepaid, gift, moment: returned.append(prepaid + gift))
    with transaction.atomic():
        plain, chained = World.made(LedgerEscrow(), "l"), World.made(Web3Escrow(), "w")
        size, prepaid, gift = first
        amount = D(size) / 100
        back = ((amount - fee(amount, bps)) * prepaid / 100).quantize(D("0.01"), rounding="ROUND_DOWN")
        lent = Lent(back, ((amount - back) * gift / 100).quantize(D("0.01"), rounding="ROUND_DOWN"))
        for world, name in ((plain, "l"), (chained, "w")):
            world.fund(0, amount, lent, f"{name}:open", bps)
            world.fund(1, D("50.00"), Lent(), f"{name}:open2", bps)
        for number, step in enumerate(steps):
            if step[0] == "confirm":
                confirm_one(step[1])
                continue
            assert press(plain, "l", number, step, bps) == press(chained, "w", number, step, bps), step
            assert plain.seen() == chained.seen(), step
        confirm_all()
        assert plain.money() == chained.money()
        assert_contract(chained)
        for world in (plain, chained):
            for deal in world.deals:
                place = world.backend.position(deal)
                assert place.settled
                assert place.locked == ledger.balance("escrow", subject=deal.id) >= place.lent >= 0
        assert_books_balance()
        transaction.set_rollback(True)


def assert_contract(world: World) -> None:
    """What the contract is told fits its own rules of what the platform lent, operation by operation."""
    locked = {deal.id: D(0) for deal in world.deals}
    sponsored = dict(locked)
    for one in EscrowOperation.objects.filter(subject_id__in=locked).order_by("number"):
        back = one.prepaid + (D(0) if one.kind == K.RELEASE else one.gift)
        if one.kind in (K.OPEN, K.AMEND):
            locked[one.subject_id] += one.amount
            sponsored[one.subject_id] += back
        elif one.kind in (K.RELEASE, K.REFUND, K.MOVE):
            assert back <= sponsored[one.subject_id], one
            assert one.kind != K.RELEASE or back <= one.amount - fee(one.amount, one.fee_bps), one
            locked[one.subject_id] -= one.amount
            sponsored[one.subject_id] = min(sponsored[one.subject_id] - back, locked[one.subject_id])
            if one.target_id is not None:
                locked[one.target_id] += one.amount
                sponsored[one.target_id] += back
    assert min(locked.values()) >= 0
