"""Orders of the demo: each is a scene, from the first message to how far the order has come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

from amendments import actions as amendments
from amendments.models import Amendment, AmendmentType
from amendments.terms import Terms as Change
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.catalog.models import Package
from port444.kit.ids import uuid7
from port444.messaging.actions import open_conversation, send_message
from port444.orders import actions as orders
from port444.orders.models import Order
from port444.payments.actions import expire_invoice, pay_with_test_wallet

from . import cast, files
from .money import send_refunds
from .stage import DAY, HOUR, Stage, Steps


@dataclass(frozen=True)
class Script:
    """One order: how many days ago it was placed, and how it goes on from that moment."""

    days_ago: int
    scene: Callable[[Stage, Order, datetime], Steps[object]]


def scenes(stages: Iterator[Stage], chance: Random, sellers: Sequence[Builder], buyers: Sequence[User]) -> Iterator[Steps[object]]:
    """Orders in every state, between all of them. The first client and the first builder see every scene; the others fill the place."""
    packages = list(Package.objects.filter(service__builder__in=sellers).select_related("service__builder__user").order_by("service_id", "price"))
    own = [package for package in packages if package.service.builder_id == sellers[0].pk]
    others = [package for package in packages if package not in own]
    for number, script in enumerate(SCRIPTS):
        client = buyers[0] if number % 2 else chance.choice(buyers[1:])
        yield order(next(stages), client, own[number % len(own)], script)
    for number, script in enumerate(SCRIPTS):
        yield order(next(stages), buyers[number % len(buyers)], chance.choice(others), script)
    if buyers[0].email == cast.CLIENT:
        for number, script in enumerate(CHANGES + REVIEWS):
            yield order(next(stages), buyers[0], own[(number + 1) % len(own)], script)


def order(stage: Stage, client: User, package: Package, script: Script) -> Steps[Order]:
    """Talk, place an order and play its scene; gives the order as it is then."""
    placed = stage.today - script.days_ago * DAY - stage.minutes(30, 300)
    builder = package.service.builder
    yield placed
    conversation = open_conversation(client, builder.user, actor=client)
    title = package.service.title
    wish = title[0].lower() + title[1:]
    say(conversation.pk, client, f"Hello {builder.user.first_name}, can you {wish}? When could you start?")
    yield placed + timedelta(minutes=12)
    say(conversation.pk, builder.user, "Yes, gladly. I can start as soon as you order and answer my questions.")
    yield placed + timedelta(minutes=20)
    made = orders.place_order(package.pk, actor=client, client_key=uuid7())
    yield from script.scene(stage, made, placed)
    return Order.objects.get(pk=made.pk)


def unpaid(stage: Stage, order: Order, placed: datetime) -> Steps[None]:
    yield from ()


def expired(stage: Stage, order: Order, placed: datetime) -> Steps[None]:
    assert order.invoice is not None
    yield placed + 3 * HOUR
    expire_invoice(order.invoice.pk)


def paid(stage: Stage, order: Order, placed: datetime) -> Steps[datetime]:
    """Paid, and the questions wait; gives the moment from which the scene goes on."""
    assert order.invoice is not None
    yield placed + timedelta(minutes=24)
    pay_with_test_wallet(order.invoice.pk, actor=order.client)
    order.refresh_from_db()
    return placed + HOUR


def working(stage: Stage, order: Order, placed: datetime) -> Steps[datetime]:
    """The questions are answered; gives the moment when work began."""
    started = (yield from paid(stage, order, placed)) + stage.minutes(60, 240)
    rows = list(order.requirements.all())
    if rows:
        answers = {row.position: answer(row.label) for row in rows if row.kind != "file"}
        uploads = {row.position: [files.text("facts.csv")] for row in rows if row.kind == "file" and row.is_required}
        yield started
        orders.answer_requirements(order.pk, actor=order.client, answers=answers, uploads=uploads)
    yield started + HOUR
    say(order.conversation_id, order.builder.user, "Thank you, that is all I need. I will write when I have something to show.", order)
    return started


def delivered(stage: Stage, order: Order, placed: datetime) -> Steps[datetime]:
    started = yield from working(stage, order, placed)
    work = timedelta(hours=24 * order.delivery_days * stage.random.uniform(0.3, 0.9))
    handed = min(started + min(work, 2 * DAY), stage.today - 4 * HOUR)
    seen = order.client.email == cast.CLIENT or order.builder.user.email == cast.BUILDER  # nobody looks at the others
    pictures = [files.picture(name, files.bars, stage.random) for name in ("before-and-after.png", "report.pdf")] if seen else []
    yield handed
    note = "Here it is, with a short note on what I did and what to look at first."
    orders.deliver(order.pk, actor=order.builder.user, note=note, uploads=[*pictures, files.text("notes.txt")])
    return handed


def revision(stage: Stage, order: Order, placed: datetime) -> Steps[datetime]:
    asked = min((yield from delivered(stage, order, placed)) + 5 * HOUR, stage.today - 2 * HOUR)
    yield asked
    note = "Very close. The second part should be shorter, and the dates are in the wrong order."
    orders.request_revision(order.pk, actor=order.client, note=note)
    return asked


def change_asked(stage: Stage, order: Order, placed: datetime) -> Steps[None]:
    """The builder has proposed something more, and the client has not answered."""
    yield from working(stage, order, placed)
    yield stage.today - 20 * HOUR
    say(order.conversation_id, order.client, "One more thing: the invoice export dies for big customers. Is that the same cause?", order)
    yield stage.today - 19 * HOUR
    propose(
        order,
        order.builder.user,
        AmendmentType.ADD_DELIVERABLE,
        "Not the same cause, and outside of what we agreed on. Here is a fair price.",
        description="The export builds all rows in memory. I can stream it and add a test with 50,000 rows.",
        amount="60.00",
        days=2,
        deliverables=("The invoice export, streamed",),
    )


def time_asked(stage: Stage, order: Order, placed: datetime) -> Steps[None]:
    """The builder needs two days more, and the client has not answered."""
    yield from working(stage, order, placed)
    yield stage.today - 6 * HOUR
    why = "The second part turned out to be larger than it looked. Two days more, and it is done well."
    propose(order, order.builder.user, AmendmentType.TIMELINE_EXTENSION, why, days=2)


def end_proposed(stage: Stage, order: Order, placed: datetime) -> Steps[None]:
    """The client would like to stop half-way, and the builder has not answered."""
    yield from working(stage, order, placed)
    yield stage.today - 5 * HOUR
    orders.propose_parting(
        order.pk,
        actor=order.client,
        client_key=uuid7(),
        to_client=(order.price / 2).quantize(Decimal("0.01")),
        reason="Our plans have changed. The first half helps us as it is; shall we leave it at that?",
    )


def changed(stage: Stage, order: Order, placed: datetime) -> Steps[None]:
    """A change in force: the first version was sent back once, the second approved and paid."""
    started = yield from working(stage, order, placed)
    yield started + 20 * HOUR
    first = propose(
        order,
        order.client,
        AmendmentType.SCOPE_CHANGE,
        "The report should cover the mobile pages too.",
        description="Three more pages, measured like the others.",
        amount="40.00",
        days=6,
    )
    yield started + 22 * HOUR
    note = "Gladly. Three pages are a day of work each, so 60 and ten days would be right."
    amendments.ask_for_changes(first.pk, actor=order.builder.user, note=note)
    yield started + 25 * HOUR
    terms = change(
        AmendmentType.SCOPE_CHANGE,
        "The report should cover the mobile pages too.",
        description="Three more pages, measured like the others.",
        amount="60.00",
        days=10,
        deliverables=("Three mobile pages in the report",),
    )
    second = amendments.revise(first.pk, actor=order.client, client_key=uuid7(), terms=terms)
    yield started + 27 * HOUR
    amendments.approve(second.pk, actor=order.builder.user)
    second.refresh_from_db()
    assert second.invoice_id is not None
    yield started + 28 * HOUR
    pay_with_test_wallet(second.invoice_id, actor=order.client)


def change_declined(stage: Stage, order: Order, placed: datetime) -> Steps[None]:
    started = yield from working(stage, order, placed)
    yield started + 8 * HOUR
    asked = propose(
        order,
        order.client,
        AmendmentType.OUT_OF_SCOPE_REVISION,
        "One more round at the end, to be safe.",
        description="Once our team has used it for a day.",
        amount="20.00",
        days=1,
    )
    yield started + 10 * HOUR
    amendments.decline(asked.pk, actor=order.builder.user, reason="Let us see first whether you need it; what is small I do anyway.")
    yield started + DAY
    note = "Here it is. Tell me if the team finds anything."
    orders.deliver(order.pk, actor=order.builder.user, note=note, uploads=[files.text("notes.txt")])
    yield from accept(stage, order, started + 2 * DAY)


def completed(stage: Stage, order: Order, placed: datetime) -> Steps[None]:
    handed = yield from delivered(stage, order, placed)
    yield from accept(stage, order, handed + 9 * HOUR)


def revised(stage: Stage, order: Order, placed: datetime) -> Steps[None]:
    asked = yield from revision(stage, order, placed)
    yield asked + DAY
    orders.deliver(order.pk, actor=order.builder.user, note="Shortened, and the dates are right now.", uploads=[files.text("second.txt")])
    yield from accept(stage, order, asked + DAY + 6 * HOUR)


def accept(stage: Stage, order: Order, moment: datetime) -> Steps[None]:
    """Accepted and reviewed, by both or by the client alone."""
    yield moment
    orders.accept_delivery(order.pk, actor=order.client)
    stars, text = stage.random.choice(cast.PRAISE)
    yield moment + HOUR
    talk = min(5, stars + stage.random.randint(0, 1))
    review = orders.leave_review(order.pk, actor=order.client, stars=stars, as_described=stars, communication=talk, text=text)
    if stage.random.random() < 0.8:
        yield moment + 5 * HOUR
        review_client(stage, order)
        if stage.random.random() < 0.4:
            yield moment + DAY
            orders.reply_to_review(review.pk, actor=order.builder.user, text=stage.random.choice(cast.REPLIES))
    elif review.shown_at < stage.today:
        yield review.shown_at
        orders.publish_reviews(order.pk)


def review_client(stage: Stage, order: Order) -> None:
    stars, text = stage.random.choice(cast.CLIENT_PRAISE)
    orders.leave_review(order.pk, actor=order.builder.user, stars=stars, text=text, private_note="It was a pleasure.")


def client_waits(stage: Stage, order: Order, placed: datetime) -> Steps[None]:
    """Accepted yesterday; the client has reviewed it, and the builder has not."""
    yield from delivered(stage, order, placed)
    yield stage.today - DAY
    orders.accept_delivery(order.pk, actor=order.client)
    yield stage.today - 20 * HOUR
    orders.leave_review(order.pk, actor=order.client, stars=5, as_described=5, communication=4, text=cast.PRAISE[0][1])


def builder_waits(stage: Stage, order: Order, placed: datetime) -> Steps[None]:
    """The same the other way round."""
    yield from delivered(stage, order, placed)
    yield stage.today - 2 * DAY
    orders.accept_delivery(order.pk, actor=order.client)
    yield stage.today - 30 * HOUR
    review_client(stage, order)


def forgotten(stage: Stage, order: Order, placed: datetime) -> Steps[None]:
    """Delivered, and the client said nothing until the time was over."""
    yield from delivered(stage, order, placed)
    order.refresh_from_db()
    assert order.auto_accept_at is not None
    yield order.auto_accept_at
    orders.auto_accept(order.pk)


def cancelled_early(stage: Stage, order: Order, placed: datetime) -> Steps[None]:
    moment = yield from paid(stage, order, placed)
    if order.requirements.exists():
        yield moment + HOUR
        orders.cancel_order(order.pk, actor=order.client, reason="Our plans changed this morning, sorry.")
        send_refunds(order)


def cancelled_by_builder(stage: Stage, order: Order, placed: datetime) -> Steps[None]:
    started = yield from working(stage, order, placed)
    yield started + DAY
    orders.cancel_order(order.pk, actor=order.builder.user, reason="I fell ill and will not be able to finish in time.")
    send_refunds(order)


def unanswered(stage: Stage, order: Order, placed: datetime) -> Steps[None]:
    yield from paid(stage, order, placed)
    if order.requirements_until is not None:
        yield order.requirements_until
        orders.cancel_unanswered(order.pk)
        send_refunds(order)


def say(conversation_id: UUID, author: User, text: str, order: Order | None = None) -> None:
    send_message(conversation_id, actor=author, body=text, client_key=uuid7(), subject=("order", order.pk) if order else None)


def answer(label: str) -> str:
    return cast.ANSWERS.get(label, "It is all in the read-me of our repository. Write to me if something is missing there.")


def propose(order: Order, person: User, kind: str, reason: str, **more: Any) -> Amendment:
    return amendments.propose(order.pk, actor=person, client_key=uuid7(), terms=change(kind, reason, **more))


def change(kind: str, reason: str, *, description: str = "", amount: str = "0.00", days: int = 0, deliverables: tuple[str, ...] = ()) -> Change:
    revisions = 1 if kind == AmendmentType.OUT_OF_SCOPE_REVISION else 0
    return Change(kind, reason, description, Decimal(amount), days, revisions, deliverables)


SCRIPTS = (
    Script(80, unanswered),
    Script(70, revised),
    Script(61, completed),
    Script(52, completed),
    Script(40, completed),
    Script(36, completed),
    Script(31, revised),
    Script(26, forgotten),
    Script(20, completed),
    Script(17, cancelled_early),
    Script(15, cancelled_by_builder),
    Script(9, working),  # late by now
    Script(6, revision),
    Script(3, delivered),
    Script(3, working),
    Script(2, working),
    Script(2, expired),
    Script(1, paid),
    Script(0, unpaid),
)

# Between the demo client and the demo builder: what a change of an order can come to.
CHANGES = (Script(4, change_asked), Script(8, changed), Script(23, change_declined), Script(2, time_asked), Script(3, end_proposed))
# And who still has to review whom.
REVIEWS = (Script(5, client_waits), Script(6, builder_waits))
