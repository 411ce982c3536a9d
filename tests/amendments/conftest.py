"""An order in any state and an amendment of it in any state, reached through the actions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from decimal import Decimal
from typing import Any

import pytest

from amendments import actions
from amendments.actions import Terms
from amendments.models import Amendment, AmendmentStatus, AmendmentType
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.models import Package
from port444.kit.ids import uuid7
from port444.orders import actions as orders
from port444.orders.models import Order, OrderStatus
from port444.payments.actions import Grant, issue_credit, pay_with_test_wallet
from port444.payments.escrow import books
from port444.payments.models import Credit, CreditSource, EscrowOperation, Invoice
from tests.orders.conftest import ANSWERS, MakeOrder, make_order, package, service, traces

__all__ = ["make_order", "package", "service"]

A, T, S = AmendmentStatus, AmendmentType, OrderStatus

SCOPE = Terms(T.SCOPE_CHANGE, "You found more tables.", "Also the reports.", Decimal("60.00"), 3, 0, ("Two reports",))
TOP_UP = Terms(T.TOP_UP, "It was more work than we thought.", amount=Decimal("40.00"))
REVISION = Terms(T.OUT_OF_SCOPE_REVISION, "One more round.", "The search, once more.", Decimal("36.00"), 0, 1)
TIME = Terms(T.TIMELINE_EXTENSION, "I was ill.", days=5)
DELIVERABLE = Terms(T.ADD_DELIVERABLE, "A page was forgotten.", deliverables=("The sixth page",))
ALL = (SCOPE, TOP_UP, REVISION, TIME, DELIVERABLE)

Propose = Callable[..., Amendment]


@pytest.fixture
def order(make_order: MakeOrder) -> Order:
    """In work."""
    return make_order(S.IN_PROGRESS)


@pytest.fixture
def propose(builder_user: User) -> Propose:
    """The builder proposes, unless somebody else is named."""

    def make(order: Order, terms: Terms = SCOPE, actor: User | None = None) -> Amendment:
        return actions.propose(order.pk, actor=actor or builder_user, client_key=uuid7(), terms=terms)

    return make


class Chain:
    """The worker's part, without a chain: what is on its way is confirmed or given up when a test says so."""

    def waiting(self) -> list[EscrowOperation]:
        return list(EscrowOperation.objects.open().order_by("number"))

    def confirm(self) -> None:
        """Confirm everything that is on its way, and what follows from it."""
        while found := self.waiting():
            books.confirm(found[0].op_id)

    def give_up(self, reason: str = "The token is paused.") -> None:
        """Nothing that is on its way can take effect, ever."""
        while found := self.waiting():
            books.give_up(found[0].op_id, reason)


@pytest.fixture
def chain(settings: Any) -> Chain:
    settings.ESCROW_BACKEND = "web3"
    settings.CHAIN_ID = 31337
    settings.ESCROW_ADDRESS = "0x" + "e5" * 20
    settings.CHAIN_TREASURY_ADDRESS = "0x" + "11" * 20
    settings.CHAIN_PLATFORM_ADDRESS = "0x" + "22" * 20
    return Chain()


@pytest.fixture
def chain_order(chain: Chain, client_user: User, package: Package) -> Order:
    """In work, its money in the contract."""
    order = orders.place_order(package.pk, actor=client_user, client_key=uuid7())
    pay_with_test_wallet(order.invoice_id, actor=client_user)  # type: ignore[arg-type]
    chain.confirm()
    return orders.answer_requirements(order.pk, actor=client_user, answers=ANSWERS)


@pytest.fixture
def give(client_user: User) -> Callable[..., Credit]:
    """A credit of the client, from a call with this builder or as a gift."""

    def make(amount: str, builder: Builder | None = None) -> Credit:
        source = CreditSource.CONSULTATION if builder else CreditSource.PROMO
        grant = Grant(Decimal(amount), source, "a call", builder_id=builder.pk if builder else None)
        return issue_credit(client_user, grant, actor=None)

    return make


def now_of(row: Any) -> Any:
    """The row as it is stored."""
    return type(row).objects.with_people().get(pk=row.pk)


@pytest.fixture
def nothing_happens() -> Callable[..., AbstractContextManager[None]]:
    """Asserts that the block writes nothing at all: no row of any kind, no job, no message."""

    @contextmanager
    def check(order: Order) -> Iterator[None]:
        before = (traces(order), all_rows())
        yield
        assert (traces(order), all_rows()) == before

    def all_rows() -> list[Any]:
        return [list(table.objects.order_by("pk").values()) for table in (Amendment, Invoice)]

    return check
