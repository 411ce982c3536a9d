"""Every action records. What writes and does not say so in the log is in one of the two lists below, with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings

from auditlog.actions import record
from auditlog.events import Event
from auditlog.models import AuditLog, Category, Severity
from port444.accounts.models import User
from port444.orders.models import Order, OrderStatus

from .paths import Source, Unit, Way

# Parts that write no facts about the marketplace. A name stands for everything that begins with it.
PARTS = {
    "auditlog.actions.keeping": "The checks are the log's own proof; what is odd about them opens an incident.",
    "auditlog.actions.sealing": "The seals are the log's own proof; what is odd about them opens an incident.",
    "auditlog.actions.verifying": "The checks are the log's own proof; what is odd about them opens an incident.",
    "consultations.actions.channels": "Subscriptions at calendar providers come and go by themselves; connecting a calendar is recorded.",
    "consultations.actions.copies": "Copies in calendars follow their call, whose moves are recorded; the row of a copy says how it stands.",
    "consultations.actions.reading": "Reading busy times from a calendar that was connected, which is recorded.",
    "port444.payments.escrow.chain.anchoring": "Writes what the log's seal is on the chain; the anchor is a proof of the log itself.",
    "port444.payments.providers.sandbox": "Plays a payment company: the outside world. Its answers are recorded as any provider's are.",
    "port444.kit": "Queue and time table, told by the code that is running.",
}
# Never record, by name.
UNRECORDED = {
    # Shares and leases of work: who does it next, when it is tried again
    "consultations.actions.attendance._take": "A lease on asking a provider; what it answers is recorded.",
    "consultations.actions.meetings._take": "A lease on making a room; the room is recorded when it is there.",
    "consultations.actions.links.read_soon": "Puts a reading into the queue.",
    "consultations.actions.links.list_calendars": "What the account's calendars are called; which are used is the builder's recorded choice.",
    "consultations.actions.links.close_link": "Tells the provider of a disconnecting that is recorded.",
    "consultations.actions.cal_com.watch_cal_com": "A subscription at a calendar provider; connecting the calendar is recorded.",
    "port444.orders.actions.nudges.put_off_nudge": "Has a reminder tried again later.",
    "port444.payments.escrow.chain.engine.Round._note_sent": "The operation's step is recorded; the rest is when its attempt was sent.",
    "port444.payments.escrow.chain.engine.Round._sign": "Reserves the number of a transaction; the step to signed is recorded.",
    "port444.payments.escrow.chain.engine.Round._spend_on_nothing": "A transaction of nothing that frees the queue of an account.",
    "port444.payments.escrow.chain.pulse.beat": "A sign of life.",
    # Mail and notifications: the row of each delivery says how it went
    "port444.accounts.actions.forget": "Cleans up sent mails and ended sessions.",
    "port444.accounts.actions.queue_mail": "A mail tells of an act, which is recorded.",
    "port444.accounts.actions.send_mail": "A mail tells of an act, which is recorded.",
    "port444.accounts.callers.find_token": "Notes when a token was last used.",
    "port444.accounts.callers.once": "Keeps what a call was answered, in the transaction of what it did, which is recorded.",
    "port444.accounts.models.QueuedMailQuerySet.claim": "A lease on sending a mail.",
    "port444.notifications.actions._claim": "A lease on sending a notification.",
    "port444.notifications.actions._settle": "The row of the delivery says how it went.",
    "port444.away.actions.returning.remind_batch": "Sends a notification and notes that it was sent.",
    "port444.away.actions.returning.tell_batch": "Sends a notification and notes that it was sent.",
    "port444.away.actions.returning.welcome_batch": "Sends a notification and notes that it was sent.",
    "port444.orders.actions.nudges.send_nudges_batch": "Sends reminders by the clock; each one's row says what became of it. By hand is recorded.",
    "consultations.actions.reminders.send_reminder": "Sends a reminder by the clock; its row says what became of it.",
    "port444.messaging.actions.post_notice": "A line that tells of an act, written and recorded with it.",
    "auditlog.actions.backtesting.try_version": "Figures beside a draft, by the queue; writing the draft and putting it into force are recorded.",
    "auditlog.actions.detecting.run_detectors": "Notes how far the log is read; what is found is recorded with its incident.",
    "auditlog.detectors.spilled.Spilled.save": "A file of its own, beside the database, that is gone after the run.",
    "support.api.door.prove": "The code is used up, which is recorded; what it was given for is recorded by its action.",
    "auditlog.actions.detecting.forget_sightings": "What the detectors remember is worked out from the log itself.",
    "support.views.plans.approve": "The code of the second factor marks the session; the approval is recorded by its action.",
    "support.views.incidents.agree_to_close": "The code of the second factor marks the session; that somebody agreed is recorded by its action.",
    "support.actions.alerts.on_incident": "With the opening or the rise of an incident.",
    "support.actions.alerts._tell_staff": "With the opening or the rise of an incident; its own events name who was told.",
    "support.actions.alerts.send_alert": "Sends an alert by the clock; its row says what became of it.",
    "port444.webhooks.actions.sending.claim": "A lease on sending a webhook.",
    "port444.webhooks.actions.sending.forget_batch": "Cleans up the log of what was sent.",
    # Traces of looking
    "consultations.actions.feeds.note_feed_read": "When a calendar program last asked.",
    "port444.catalog.actions.visits.note_visit": "That somebody looked at a service, by a number that names nobody.",
    "port444.messaging.previews.make": "A picture of a file whose upload is recorded; the row says how far it is.",
    "port444.messaging.actions.mark_read": "How far somebody has read.",
    "port444.notifications.actions.read_about": "What somebody has read.",
    "port444.notifications.actions.read_all": "What somebody has read.",
    "port444.notifications.actions.read_notification": "What somebody has read.",
    "port444.orders.actions.nudges.note_opened": "That somebody has looked, so that no reminder is sent.",
    "support.actions.viewings.note_answer": "How a page of a viewing was answered; the viewing is recorded.",
    "support.actions.viewings.note_page": "The log of the pages of a viewing, which is recorded.",
    # Numbers that follow from what is recorded
    "port444.catalog.actions.sales.count_sales_batch": "Statistics of sales, which are recorded.",
    "port444.catalog.actions.listings.forget_words_batch": "Words that no service has any more.",
    "port444.catalog.actions.searches.look_at_search": "When somebody last looked at what a search of theirs found.",
    "port444.catalog.actions.searches.tell_found_batch": "Told through the outbox, which keeps what was told.",
    "port444.catalog.actions.visits.count_visits_batch": "Statistics of looks.",
    "port444.catalog.actions.sales.note_sale": "Statistics of sales, which are recorded.",
    "port444.catalog.actions.sales.refresh_services_batch": "Compares prices, which are recorded.",
    "port444.catalog.actions.services.count_order": "Counts an order, which is recorded.",
    "port444.payments.ledger.post": "Every posting belongs to a recorded act of the same transaction, and the ledger itself never changes.",
    # What is seen on the chain, before anything is done about it
    "port444.payments.actions.chain.note_problem": "That the chain could not be asked.",
    "port444.payments.actions.chain.status_of": "A row for what the chain says.",
    "port444.payments.actions.chain.take_snapshot": "What the chain says; a difference from the books is recorded.",
    "port444.payments.escrow.chain.transfers._store": "Transfers as the chain shows them; what they pay is recorded with the payment.",
    "port444.payments.escrow.chain.transfers.find_transfers": "How far the chain was read.",
    # Called by name from a table of handlers, inside the transaction of somebody who records
    "consultations.actions.booking.payment_begun": "With the start of a payment.",
    "consultations.actions.conversion.credit_used": "With the use of a credit.",
    "consultations.actions.conversion.credit_returned": "With the return of a credit.",
    "port444.orders.actions.purchase.order_funded": "With the funding of escrow.",
    "port444.payments.actions.own_wallet.collection_failed": "With the failing of an escrow operation.",
    "port444.payments.actions.wallet.answer_wallet": "A person presses a button of the outside world's test wallet.",
}
# Record, but not on each way: on the others nothing is written in truth, which the source alone does not show, or what is not a fact.
MOSTLY = {
    "port444.payments.actions.compensations.return_payment": "Asked again gives the refund that is there, and that was recorded.",
    "support.roles.make_groups": "A group that is new or changed is recorded; migrating again finds the same and says nothing.",
    "support.actions.alerts.hold_for": "Holds are recorded; that there was nothing to hold any more takes a mark off.",
    "consultations.actions.absences.look_at_attendance": "Notes that it has looked, when there is nothing to say or both are asked.",
    "consultations.actions.attendance._presence_noted": "The provider told nothing new.",
    "consultations.actions.attendance.note_marked_absent": "The builder has marked nothing new.",
    "consultations.actions.attendance.note_zoom_sighting": "Told again.",
    "consultations.actions.attendance.join_call": "Going in again within the same visit.",
    "consultations.api.slots.set_availability": "Nothing is different.",
    "consultations.actions.availability.set_availability": "Nothing is different.",
    "consultations.actions.booking._secure": "The claim of a time follows its call, whose confirming is recorded.",
    "consultations.actions.booking.call_paid": "Confirming is recorded; giving back too late a payment is recorded as a refund.",
    "consultations.actions.cal_com._take_over": "The room is as it was.",
    "consultations.actions.links.choose_calendars": "Nothing is different.",
    "consultations.actions.meetings._put_off": "Tried again later, with the room that the call has.",
    "consultations.actions.meetings._record": "The provider was asked in vain.",
    "consultations.actions.proposals.propose_from_calendar": "Not possible: the builder is told, and the copy is put back.",
    "port444.away.actions.planning.change_away": "Nothing is different.",
    "port444.away.actions.planning.plan_away": "The same form again.",
    "port444.away.actions.returning.forget": "There was no wish.",
    "port444.away.actions.returning.want_to_know": "Asked again.",
    "port444.builders.actions.portfolio.change_piece": "Nothing is different.",
    "port444.builders.actions.profiles.change_builder": "Nothing is different.",
    "port444.builders.actions.profiles.set_call_prices": "Nothing is different.",
    "port444.exports.actions.own._close": "The same is in the way as a day before; it is tried again.",
    "port444.favourites.actions.drop": "It was not saved.",
    "port444.catalog.actions.services.change_service": "Nothing is different.",
    "port444.catalog.actions.services.hide_hints": "Nothing is different.",
    "port444.messaging.actions.open_conversation": "The conversation is there already.",
    "port444.messaging.actions.start_conversation": "The same form again.",
    "port444.payments.actions.chain.book_own_withdrawal": "All of it was asked for, and is booked and recorded as such.",
    "port444.payments.actions.chain.settle_owners": "Notes that a block is final.",
    "port444.payments.actions.invoices.settle_invoice": "No money has come.",
    "port444.payments.actions.own_wallet.note_own_wallet": "Notes that a transfer was used, after the payment is recorded.",
    "port444.payments.actions.payments.record_answer": "An answer that has been overtaken is kept and changes nothing.",
    "port444.payments.actions.repayment.undo_funding": "Nothing was lent.",
    "port444.payments.actions.withdrawals.hold_withdrawal": "The hold stands already.",
    "port444.payments.actions.withdrawals.hold_withdrawals_of": "The hold stands already.",
    "port444.payments.escrow.books.confirm": "Confirmed again, in another block: it is in the books, and recorded, already.",
    "port444.payments.escrow.chain.engine.Round._sign": UNRECORDED["port444.payments.escrow.chain.engine.Round._sign"],
    "port444.payments.escrow.chain.engine.Round._stamp": "When an operation is looked at again; why it waits is recorded.",
    "port444.payments.escrow.web3._insert": "Asked again.",
    "port444.payments.providers.wallet._moved": "Asked again.",
    "port444.webhooks.actions.sending.settle": "The log of each try says how it went; stopping a webhook is recorded.",
}


@pytest.fixture(scope="module")
def source() -> Source:
    return Source(Path(settings.BASE_DIR))


@pytest.fixture(scope="module")
def found(source: Source) -> dict[str, set[bool]]:
    """Who writes without a record: whether it records on other ways."""
    silent: dict[str, set[bool]] = {}
    for unit in source.units():
        ways = ways_through(source, unit)
        if Way(writes=True) in ways:
            silent.setdefault(".".join(unit.name), set()).add(any(way.records for way in ways))
    return silent


def ways_through(source: Source, unit: Unit) -> frozenset[Way]:
    block = source.through(unit.body, unit.name)
    return block.on | block.out | block.broken


def is_of_a_part(name: str) -> bool:
    return any(name.startswith(part + ".") for part in PARTS)


def test_there_are_actions_and_most_of_them_record(source: Source) -> None:
    units = list(source.units())
    recording = [unit for unit in units if any(way.records for way in ways_through(source, unit))]
    assert len(units) > 200
    assert len(recording) > 130


def test_no_action_writes_without_a_record(found: dict[str, set[bool]]) -> None:
    silent = {name for name, records in found.items() if not is_of_a_part(name)}
    assert sorted(silent - UNRECORDED.keys() - MOSTLY.keys()) == []


def test_what_is_listed_as_recording_mostly_does_record(found: dict[str, set[bool]]) -> None:
    never = {name for name, records in found.items() if records == {False} and not is_of_a_part(name)}
    assert sorted(never - UNRECORDED.keys()) == []


def test_no_exception_is_left_over(found: dict[str, set[bool]], source: Source) -> None:
    """An exception that nothing needs any more would hide the next action of that name."""
    assert sorted((UNRECORDED.keys() | MOSTLY.keys()) - found.keys()) == []
    names = {".".join(name) for name in source.functions}
    assert [part for part in PARTS if not any(name.startswith(part + ".") for name in names)] == []


@pytest.mark.parametrize(
    ("code", "silent"),
    [
        ("@transaction.atomic\ndef act(row):\n    row.save()\n    record(1)\n", False),
        ("@transaction.atomic\ndef act(row):\n    row.save()\n", True),
        ("@transaction.atomic\ndef act(row):\n    row.save()\n    if row.good:\n        record(1)\n", True),
        ("@transaction.atomic\ndef act(row):\n    if row.same:\n        return\n    row.save()\n    record(1)\n", False),
        ("@transaction.atomic\ndef act(row):\n    row.save()\n    if row.bad:\n        raise ValueError\n    record(1)\n", False),
        ("@transaction.atomic\ndef act(rows):\n    for row in rows:\n        row.save()\n        record(1)\n", False),
        (
            "@transaction.atomic\ndef act(rows):\n    for row in rows:\n        row.save()\n        if row:\n            break\n        record(1)\n",
            True,
        ),
        ("def act(row):\n    with transaction.atomic():\n        _write(row)\n\n\ndef _write(row):\n    row.save()\n", True),
        ("def act(row):\n    with transaction.atomic():\n        _write(row)\n\n\ndef _write(row):\n    row.save()\n    record(1)\n", False),
        ("def act(row):\n    Order.objects.filter(pk=row).update(price=1)\n", True),
        ("def act(words):\n    words.update({1: 2})\n", False),
    ],
)
def test_the_walk_sees_ways_that_write_without_a_record(tmp_path: Path, code: str, silent: bool) -> None:
    (tmp_path / "auditlog").mkdir()
    (tmp_path / "auditlog" / "play.py").write_text(f"from auditlog.actions.recording import record\n{code}")
    source = Source(tmp_path)
    assert any(Way(writes=True) in ways_through(source, unit) for unit in source.units()) is silent


def test_what_staff_decide_is_at_least_a_warning() -> None:
    """The log's own housekeeping is done by the clock; by hand it becomes a warning as money does."""
    mild = [event for event in Event if event.category == Category.ADMINISTRATIVE and event.severity == Severity.INFO]
    assert [event for event in mild if not event.key.startswith("audit.")] == []


def test_what_staff_do_to_money_is_a_warning(staff: User, client_user: User) -> None:
    for actor in (staff, client_user, None):
        record(Event.CREDIT_ISSUED, actor=actor, target=client_user)
    assert list(AuditLog.objects.events().order_by("pk").values_list("severity", flat=True)) == ["warning", "info", "info"]


@pytest.mark.usefixtures("db")
def test_a_move_is_told_once_and_by_itself() -> None:
    order = Order(status=OrderStatus.PENDING_PAYMENT)
    order.turn_to("cancelled")
    first, second = (AuditLog.objects.get(pk=record(Event.ORDER_CANCELLED, actor=None, target=order, after={"why": "late"})) for _ in range(2))
    assert (first.before_state, first.after_state) == ({"status": "pending_payment"}, {"status": "cancelled", "why": "late"})
    assert (second.before_state, second.after_state) == (None, {"why": "late"})


def test_names_of_events_are_their_own() -> None:
    assert len({event.key for event in Event}) == len(Event)
    assert [event for event in Event if event.key.count(".") != 1] == []
