"""What the demo's support has to do: disputes at each stage, a plan that waits for a second person, and what was given without one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.models import Package
from port444.kit import clock
from port444.kit.ids import uuid7
from port444.orders import actions as orders
from port444.orders.models import Dispute, DisputeReason, Order
from support.actions import draft_plan, submit_plan
from support.actions.plans import About
from support.models import Plan, PlanKind

from . import cast, deals, files
from .deals import Script
from .money import send_refunds
from .stage import HOUR, Stage, Steps

CENT = Decimal("0.01")


def scenes(stages: Iterator[Stage], sellers: Sequence[Builder], buyers: Sequence[User]) -> Iterator[Steps[object]]:
    """Disputes. One waits for the demo builder, one is the demo client's."""
    builder, second, third = sellers[0], sellers[1], sellers[2]
    yield waiting(next(stages), buyers[1], package_of(builder, 1))
    yield with_support(next(stages), buyers[0], package_of(second, 0))
    yield settled(next(stages), buyers[0], package_of(third, 0))


def package_of(builder: Builder, place: int) -> Package:
    packages = Package.objects.filter(service__builder=builder).select_related("service__builder__user").order_by("service_id", "price")
    return packages[place]


def delivered(stage: Stage, client: User, package: Package, days_ago: int) -> Steps[tuple[Order, datetime]]:
    """An order whose delivery is there, and since when."""
    order = yield from deals.order(stage, client, package, Script(days_ago, deals.delivered))
    assert order.delivered_at is not None
    return order, order.delivered_at


def share(order: Order, percent: int) -> Decimal:
    return Decimal(order.price * percent / 100).quantize(CENT)


def waiting(stage: Stage, client: User, package: Package) -> Steps[None]:
    """Opened yesterday, and the builder has not answered."""
    order, handed = yield from delivered(stage, client, package, 3)
    yield max(handed + 2 * HOUR, stage.today - 18 * HOUR)
    opened(
        order,
        "Three of the five pages are fast now. The two reports are as slow as they were; the file has what I measured on our data.",
        share(order, 40),
        "what-i-measured.txt",
    )


def with_support(stage: Stage, client: User, package: Package) -> Steps[None]:
    """Both have spoken, neither gives way."""
    order, handed = yield from delivered(stage, client, package, 5)
    yield handed + 10 * HOUR
    dispute = opened(
        order,
        "Two of the three screens close by themselves on an older phone, and the third is not in the build at all.",
        share(order, 70),
        "what-the-phone-says.txt",
    )
    said = handed + 30 * HOUR
    yield said
    orders.answer_dispute(
        dispute.pk,
        actor=order.builder.user,
        answer="All three are in the build of Friday. They close on a version of Android that our agreement does not name.",
        offer=share(order, 20),
        uploads=[files.picture("screens.png", files.phones, stage.random)],
    )
    yield max(said + 20 * HOUR, stage.today - 30 * HOUR)
    orders.escalate_dispute(dispute.pk, actor=client)


def settled(stage: Stage, client: User, package: Package) -> Steps[None]:
    """The builder gives what was asked for, and so it is over."""
    order, handed = yield from delivered(stage, client, package, 34)
    yield handed + 10 * HOUR
    dispute = opened(order, "The version in black and white is missing, and I need it for the stamp.", share(order, 25), "what-we-agreed.txt")
    yield handed + 26 * HOUR
    words = "True, and I cannot draw it this month. I would rather give that part back."
    orders.answer_dispute(dispute.pk, actor=order.builder.user, answer=words, offer=dispute.to_client)
    send_refunds(order)


def opened(order: Order, claim: str, to_client: Decimal, file: str) -> Dispute:
    return orders.open_dispute(
        order.pk,
        actor=order.client,
        client_key=uuid7(),
        reason=DisputeReason.NOT_AS_AGREED,
        claim=claim,
        to_client=to_client,
        uploads=[files.text(file)],
    )


def plans(today: datetime, staff: Mapping[str, User], buyers: Sequence[User]) -> None:
    """A credit that one person may give alone, and one that waits for a second."""
    agent = staff[cast.AGENT]
    with clock.at(today - timedelta(days=2)):
        credit(agent, buyers[2], "25.00", "Sorry for the wait on the telephone", "Waited 40 minutes for an answer about a call that was moved.")
    with clock.at(today - 5 * HOUR):
        credit(agent, buyers[1], "75.00", "Sorry for the two reports", "Two weeks without her reports. Keeps her while the dispute runs.")


def credit(agent: User, person: User, amount: str, label: str, reason: str) -> Plan:
    asked = {"amount": amount, "label": label, "scope": "all"}
    plan = draft_plan(PlanKind.CREDIT, actor=agent, asked=asked, reason=reason, about=About(target_user=person))
    return submit_plan(plan.pk, actor=agent, seen=plan.figures_sha256)
