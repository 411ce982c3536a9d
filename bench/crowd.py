"""A site after years: as many orders and conversations as asked for, written by SQL, for `bench/sweeps.py` and `manage.py make_orders`.

Every row keeps the promises of the tables; foreign keys and plain indexes are taken away for the writing and made again behind it. Of
everything that a sweep looks for there is a stock that is not due yet, so that a sweep finds nothing until `bench/sweeps.py` makes it
due.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import psycopg
from django.contrib.postgres.fields import ArrayField
from django.db import models
from tqdm import tqdm

from amendments.models import Amendment
from consultations.models import CalendarEvent, CalendarLink, Consultation, LinkedCalendar, MeetingRoom, Proposal, PushChannel, Reminder
from port444.accounts.models import QueuedMail, Session, User
from port444.away.models import DueMove, ReturnAlert, Span
from port444.builders.models import Builder
from port444.catalog.models import Category, Package, PricePoint, PriceSample, Service
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.messaging.models import Conversation, Message, ReadMarker
from port444.notifications.models import Delivery, Notification
from port444.orders.models import Nudge, Offer, Order, Requirement, Review, Suggestion
from port444.payments.models import (
    ChainTransfer,
    EscrowOperation,
    Invoice,
    JournalEntry,
    LedgerAccount,
    Payment,
    Refund,
    SandboxCharge,
    WalletPayment,
    Withdrawal,
)
from scripts.environment import say

LEAST = 20_000  # below, a stock is too small for anything to be measured
LIVE = 0.88  # the orders behind this share are under way
TALKS = 60  # one of so many older conversations is talk without an order, and could be offered something


@dataclass(frozen=True)
class Size:
    """How many there are of each; everything else follows from the orders."""

    orders: int

    @property
    def clients(self) -> int:
        return self.orders // 5

    @property
    def builders(self) -> int:
        return self.orders // 50 + 1

    @property
    def live(self) -> int:
        """The first order that is under way."""
        return int(self.orders * LIVE) // 8 * 8

    @property
    def calls(self) -> int:
        return self.orders // 10

    @property
    def ahead(self) -> int:
        """The first call that is still to come."""
        return self.calls - self.orders // 100

    @property
    def stock(self) -> int:
        """How many are there of what a sweep can be given at once."""
        return self.orders // 80


def key(kind: str, number: str) -> str:
    """The id of row `number` of a kind (two hexadecimal digits), as SQL; ids grow with the numbers, as those of the site do."""
    return f"(lpad(to_hex(({number})::int), 8, '0') || '-0000-7000-8000-0000000000{kind}')::uuid"


def some_words(number: str, letters: int) -> str:
    """Text that compresses as badly as what people write."""
    return f"left(md5(({number})::text) || ' ' || repeat(md5(({number} + 7)::text) || ' ', {letters // 33 + 1}), {letters})"


CLIENT, BUILDER_USER, BUILDER, SERVICE, PACKAGE = "c1", "b1", "b2", "51", "52"
TALK, ORDER, INVOICE, PAYMENT, CALL, NOTE, MAIL, SPAN = "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8"
HOUR, DAY = "interval '1 hour'", "interval '1 day'"


def fill(size: Size, owner: str, *, zone: str) -> dict[str, int]:
    """Write everything as the owner of the tables; gives the size of each table. `zone` is where everybody lives."""
    with psycopg.connect(owner, autocommit=True) as connection:
        writer = Writer(connection, size, zone)
        with writer.unguarded():
            steps = (
                writer.people,
                writer.shops,
                writer.talks,
                writer.orders,
                writer.money,
                writer.told,
                writer.calls,
                writer.extras,
                writer.away,
            )
            for step in shown(steps, "written"):
                began = time.perf_counter()
                step()
                say(f"{step.__name__}: {time.perf_counter() - began:.0f} s")
        began = time.perf_counter()
        for model in shown(MODELS, "vacuumed"):
            connection.execute(f"VACUUM (ANALYZE) {model._meta.db_table}".encode())
        say(f"vacuum: {time.perf_counter() - began:.0f} s")
        return writer.written


def shown[T](things: Sequence[T], what: str) -> Iterable[T]:
    """The same, with a bar that shows how far it has come."""
    return cast("Iterable[T]", tqdm(things, desc=what, unit="", disable=not sys.stderr.isatty()))


MODELS: list[type[models.Model]] = [
    *(User, Session, QueuedMail, Builder, Service, Package, PriceSample, PricePoint, Conversation, Message, ReadMarker),
    *(Invoice, Payment, SandboxCharge, WalletPayment, ChainTransfer, Refund, Withdrawal, EscrowOperation, LedgerAccount, JournalEntry),
    *(Order, Requirement, Review, Nudge, Offer, Suggestion, Amendment, Notification, Delivery),
    *(Consultation, Reminder, Proposal, MeetingRoom, CalendarLink, LinkedCalendar, PushChannel, CalendarEvent, Span, DueMove, ReturnAlert),
]
NAMED = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE contype = 'f' AND conrelid = ANY(%s::regclass[])
"""
INDEXED = """
    SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i
    WHERE i.indrelid = ANY(%s::regclass[]) AND NOT i.indisunique AND NOT i.indisexclusion
"""


class Writer:
    """Writes the tables one after the other. `placed` and its like are SQL that names a column of the source."""

    def __init__(self, connection: psycopg.Connection[Any], size: Size, zone: str) -> None:
        self.connection, self.size, self.zone = connection, size, zone
        self.moment = f"'{now().isoformat()}'::timestamptz"
        self.written: dict[str, int] = {}

    @contextmanager
    def unguarded(self) -> Iterator[None]:
        """Foreign keys, plain indexes and triggers are gone inside, and back as they were afterwards."""
        tables = [model._meta.db_table for model in MODELS]
        keys = self.connection.execute(NAMED, [tables]).fetchall()
        indexes = self.connection.execute(INDEXED, [tables]).fetchall()
        for table, name, _ in keys:
            self.run(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
        for name, _ in indexes:
            self.run(f"DROP INDEX {name}")
        for table in tables:
            self.run(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield
        began = time.perf_counter()
        self.run("SET maintenance_work_mem = '256MB'")
        for _, definition in shown(indexes, "indexes"):
            self.run(definition)
        say(f"indexes: {time.perf_counter() - began:.0f} s")
        began = time.perf_counter()
        for table, name, definition in shown(keys, "foreign keys"):
            self.run(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}')
        for table in tables:
            self.run(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        say(f"foreign keys: {time.perf_counter() - began:.0f} s")

    def run(self, sql: str) -> int:
        return self.connection.execute(sql.encode()).rowcount

    def write(self, model: type[models.Model], source: str, **given: str) -> None:
        """INSERT ... SELECT from `source`: `given` are the columns as SQL, all others get what Django would give them."""
        values = {}
        for field in model._meta.concrete_fields:
            value = given.pop(field.attname, None) or given.pop(field.name, None) or self.default(field)
            if value is not None:
                values[field.column] = value
        assert not given, f"{model.__name__} has no {given}"
        columns = ", ".join(f'"{column}"' for column in values)
        rows = self.run(f"INSERT INTO {model._meta.db_table} ({columns}) SELECT {', '.join(values.values())} FROM {source}")
        self.written[model._meta.db_table] = self.written.get(model._meta.db_table, 0) + rows

    def default(self, field: Any) -> str | None:
        """What a field gets that was not named; None where the database knows."""
        if field.db_default is not models.NOT_PROVIDED or isinstance(field, models.AutoField):
            return None
        if field.default is now:
            return self.moment
        if field.default is uuid7:
            return "gen_random_uuid()"
        if field.has_default():
            return literal(field, field.get_default())
        if field.null:
            return None
        return "''"

    def numbers(self, count: int, first: int = 0) -> str:
        return f"generate_series({first}, {count - 1}) i"

    # Who meets whom: conversation i and order i are of the same client and builder, and no two are of one pair.
    def client(self, i: str = "i") -> str:
        return f"({i} % {self.size.clients})"

    def builder(self, i: str = "i") -> str:
        return f"(({self.client(i)} * 7 + {i} / {self.size.clients} * 13) % {self.size.builders})"

    def people(self) -> None:
        known = {"password": "'!'", "time_zone": f"'{self.zone}'", "created_at": f"{self.moment} - 800 * {DAY}"}
        clients = self.numbers(self.size.clients)
        self.write(User, clients, id=key(CLIENT, "i"), email="'c' || i || '@bench.example'", name="'Client ' || i", **known)
        rows = self.numbers(self.size.builders)
        self.write(User, rows, id=key(BUILDER_USER, "i"), email="'b' || i || '@bench.example'", name="'Builder ' || i", is_builder="true", **known)
        self.write(
            Builder,
            rows,
            id=key(BUILDER, "i"),
            user_id=key(BUILDER_USER, "i"),
            slug="'builder-' || i",
            headline="'Builds what number ' || i || ' likes to build'",
            about=some_words("i", 600),
            completed_count="i % 70",
        )
        self.write(
            Session,
            clients,
            session_key="md5(i::text)",
            session_data=some_words("i", 200),
            expire_date=f"{self.moment} + {DAY}",
            user_id=key(CLIENT, "i"),
        )
        self.write(
            QueuedMail,
            clients,
            to="'c' || i || '@bench.example'",
            subject="'Welcome'",
            text="''",
            created_at=f"{self.moment} - i * interval '1 second'",
            sent_at=self.moment,
        )

    def shops(self) -> None:
        categories = [str(pk) for pk in Category.objects.order_by("pk").values_list("pk", flat=True)]
        some = f"('{{{','.join(categories)}}}'::uuid[])"
        category = f"{some}[i / 2 % {len(categories)} + 1]"
        services, packages = 2 * self.size.builders, 6 * self.size.builders
        self.write(
            Service,
            self.numbers(services),
            id=key(SERVICE, "i"),
            builder_id=key(BUILDER, "i / 2"),
            category_id=category,
            title="'I will build number ' || i",
            slug="'service-' || i",
            summary=some_words("i", 120),
            description=some_words("i", 1200),
            status="'published'",
            from_price="40 + i % 60",
            least_days="3",
            published_at=f"{self.moment} - 300 * {DAY}",
            market_due_at=f"{self.moment} + {DAY}",
        )
        self.write(
            Package,
            self.numbers(packages),
            id=key(PACKAGE, "i"),
            service_id=key(SERVICE, "i / 3"),
            tier="(array['basic', 'standard', 'premium'])[i % 3 + 1]",
            name="'Package ' || i",
            price="(40 + i / 3 % 60) * (i % 3 + 1)",
            delivery_days="3 + i % 3",
            revisions="2",
            deliverables="array['Pages', 'Tests']",
        )
        # One voice a builder and size, and of each some sales in the window.
        point = {"category_id": f"{some}[i / 3 % {len(categories)} + 1]", "tier": "(array['basic', 'standard', 'premium'])[i % 3 + 1]"}
        builder = key(BUILDER, "i / 3")
        self.write(
            PricePoint,
            self.numbers(3 * self.size.builders),
            builder_id=builder,
            level="(array['new', 'established', 'top'])[i % 7 % 3 + 1]",
            price="(40 + i % 60) * (i % 3 + 1)",
            sales="8",
            due_at=f"{self.moment} + {DAY} * (1 + i % 170)",
            **point,
        )
        self.write(
            PriceSample,
            f"{self.numbers(3 * self.size.builders)}, generate_series(0, 7) n",
            sale=key("53", "i * 8 + n"),
            builder_id=builder,
            price="(36 + i % 60 + n) * (i % 3 + 1)",
            paid_at=f"{self.moment} - {DAY} * (n * 20 + 2)",
            **point,
        )

    def talks(self) -> None:
        size, recent = self.size, f"{self.moment} - {DAY} * 2"
        old = f"{self.moment} - {DAY} * (30 + 700 * (1 - i::float / {size.orders}))"
        resting = f"(i < {size.live} AND i % {TALKS} = 7)"
        at = f"CASE WHEN i >= {size.live} OR {resting} THEN {recent} ELSE {old} END"
        self.write(
            Conversation,
            self.numbers(size.orders),
            id=key(TALK, "i"),
            client_id=key(CLIENT, self.client()),
            builder_id=key(BUILDER_USER, self.builder()),
            created_at=old,
            last_message_at=at,
            rests_at=f"CASE WHEN {resting} THEN {self.moment} + {DAY} * (2 + i % 5) END",
        )
        people = f"CASE WHEN n % 2 = 0 THEN {key(CLIENT, self.client())} ELSE {key(BUILDER_USER, self.builder())} END"
        self.write(
            Message,
            f"{self.numbers(size.orders)}, generate_series(0, 1) n",
            id=key("d0", "i * 2 + n"),
            conversation_id=key(TALK, "i"),
            author_id=people,
            body=some_words("i + n", 180),
            created_at=f"{old} + n * {HOUR}",
        )
        self.write(
            Message,
            self.numbers(size.orders),
            id=key("d1", "i"),
            conversation_id=key(TALK, "i"),
            kind="'notice'",
            icon="'package'",
            body="'Order placed.'",
            subject_type="'order'",
            subject_id=key(ORDER, "i"),
            created_at=at,
        )
        self.write(
            Message,
            f"(SELECT i, n FROM {self.numbers(size.live)}, generate_series(0, 7) n WHERE {resting}) m",
            id=key("d2", "i * 8 + n"),
            conversation_id=key(TALK, "i"),
            author_id=people,
            body=some_words("i + n", 250),
            created_at=f"{recent} + n * {HOUR}",
        )
        self.write(ReadMarker, self.numbers(size.orders), conversation_id=key(TALK, "i"), user_id=key(CLIENT, self.client()), read_at=at)

    def source(self) -> str:
        """The orders: number, state, when they were placed, price, and the builder's number."""
        live = "(array['pending_payment', 'pending_requirements', 'delivered', 'in_revision'])[i % 8 + 1]"
        state = f"""CASE WHEN i >= {self.size.live} THEN coalesce({live}, 'in_progress')
            ELSE CASE i % 20 WHEN 0 THEN 'cancelled' WHEN 1 THEN 'expired' ELSE 'completed' END END"""
        at = f"""CASE WHEN i >= {self.size.live} THEN {self.moment} - 3 * {DAY}
            ELSE {self.moment} - {DAY} * (30 + 700 * (1 - i::float / {self.size.orders})) END"""
        b = self.builder()
        return f"(SELECT i, {state} AS state, {at} AS at, (50 + i % 400)::numeric(12, 2) AS price, {b} AS b FROM {self.numbers(self.size.orders)}) o"

    def orders(self) -> None:
        working, paid = "state IN ('in_progress', 'in_revision', 'delivered', 'completed')", "state NOT IN ('pending_payment', 'expired')"
        later = f"{self.moment} + {DAY} * (2 + i % 5)"
        self.write(
            Order,
            self.source(),
            id=key(ORDER, "i"),
            client_id=key(CLIENT, self.client()),
            builder_id=key(BUILDER, "b"),
            service_id=key(SERVICE, "b * 2 + i % 2"),
            package_id=key(PACKAGE, "(b * 2 + i % 2) * 3 + i % 3"),
            conversation_id=key(TALK, "i"),
            invoice_id=key(INVOICE, "i"),
            title="'I will build number ' || b * 2 + i % 2",
            package_name="'Package'",
            deliverables="""'["Five pages", "Tests of all of them", "A talk about how it works"]'::jsonb""",
            status="state",
            price="price",
            client_fee="round(price * 0.055, 2)",
            builder_fee_bps="1000",
            delivery_days="5",
            revisions_allowed="2",
            placed_at="at",
            pay_until=f"CASE WHEN state = 'pending_payment' THEN {later} ELSE at + {DAY} END",
            paid_at=f"CASE WHEN {paid} THEN at + {HOUR} END",
            requirements_until=f"CASE WHEN state = 'pending_requirements' THEN {later} WHEN {paid} THEN at + 7 * {DAY} END",
            started_at=f"CASE WHEN {working} THEN at + 5 * {HOUR} END",
            due_at=f"CASE WHEN {working} THEN at + 9 * {DAY} END",
            clock_stopped_at=f"CASE WHEN state = 'in_progress' AND i % 8 = 4 THEN {self.moment} - {HOUR} END",
            delivered_at=f"CASE WHEN state IN ('delivered', 'completed') THEN at + 2 * {DAY} END",
            auto_accept_at=f"CASE WHEN state = 'delivered' THEN {later} WHEN state = 'completed' THEN at + 5 * {DAY} END",
            completed_at=f"CASE WHEN state = 'completed' THEN at + 4 * {DAY} END",
            cancelled_at=f"CASE WHEN state = 'cancelled' THEN at + 3 * {DAY} END",
            cancel_cause="CASE WHEN state = 'cancelled' THEN 'late' ELSE '' END",
            expired_at=f"CASE WHEN state = 'expired' THEN at + {DAY} END",
        )
        questions = f"(SELECT i, n FROM {self.source()}, generate_series(0, 1) n WHERE state = 'pending_requirements' OR i % 3 = 0) q"
        self.write(Requirement, questions, order_id=key(ORDER, "i"), position="n", label="'What should it be called?'", is_required="true")
        self.write(
            Review,
            f"(SELECT * FROM {self.source()} WHERE state = 'completed' AND i % 3 = 0) r",
            id=key(ORDER, "i"),
            order_id=key(ORDER, "i"),
            by_client="true",
            builder_id=key(BUILDER, "b"),
            service_id=key(SERVICE, "b * 2 + i % 2"),
            author_id=key(CLIENT, self.client()),
            about_id=key(BUILDER_USER, "b"),
            stars="3 + i % 3",
            text=some_words("i", 200),
            created_at=f"at + 5 * {DAY}",
            shown_at=f"at + 11 * {DAY}",
            counted_at=f"at + 11 * {DAY}",
        )

    def money(self) -> None:
        fee, total = "round(price * 0.055, 2)", "price + round(price * 0.055, 2)"
        self.write(
            Invoice,
            self.source(),
            id=key(INVOICE, "i"),
            number="CASE WHEN state NOT IN ('pending_payment', 'expired') THEN 'INV-' || i END",
            purpose="'order'",
            subject_id=key(ORDER, "i"),
            deal_id=key(ORDER, "i"),
            payer_id=key(CLIENT, self.client()),
            payee_id=key(BUILDER_USER, "b"),
            status="CASE state WHEN 'pending_payment' THEN 'open' WHEN 'expired' THEN 'void' ELSE 'paid' END",
            subtotal="price",
            fee=fee,
            total=total,
            payer_name=f"'Client ' || {self.client()}",
            payee_name="'Builder ' || b",
            return_url="'/orders/' || i || '/'",
            opened_at="at",
            expires_at=f"CASE WHEN state = 'pending_payment' THEN {self.moment} + {DAY} * (2 + i % 5) ELSE at + {DAY} END",
            paid_at=f"CASE WHEN state NOT IN ('pending_payment', 'expired') THEN at + {HOUR} END",
            voided_at=f"CASE WHEN state = 'expired' THEN at + {DAY} END",
        )
        attempts = f"(SELECT * FROM {self.source()} WHERE state <> 'pending_payment') p"
        self.write(
            Payment,
            attempts,
            id=key(PAYMENT, "i"),
            invoice_id=key(INVOICE, "i"),
            provider="CASE WHEN i % 5 = 0 THEN 'wallet' ELSE 'sandbox' END",
            status="CASE WHEN state = 'expired' THEN 'expired' ELSE 'succeeded' END",
            amount=total,
            external_id="'pay-' || i",
            pay_url="'/wallet/' || i || '/'",
            created_at="at",
            expires_at=f"at + {DAY}",
            succeeded_at=f"CASE WHEN state <> 'expired' THEN at + {HOUR} END",
            settled_at=f"CASE WHEN state <> 'expired' THEN at + {HOUR} END",
        )
        self.write(
            SandboxCharge,
            attempts,
            key=key(PAYMENT, "i"),
            amount=total,
            status="CASE WHEN state = 'expired' THEN 'expired' ELSE 'approved' END",
            return_url="'/orders/'",
            created_at="at",
        )
        chain = {"chain_id": "137", "tx_hash": "'0x' || md5(i::text) || md5(i::text)"}
        wallets = f"(SELECT * FROM {self.source()} WHERE state NOT IN ('pending_payment', 'expired') AND i % 5 = 0) w"
        self.write(
            WalletPayment,
            wallets,
            payment_id=key(PAYMENT, "i"),
            token="'0x' || left(md5('t'), 32)",
            treasury="'0x' || left(md5('p'), 32)",
            address="'0x' || md5(i::text)",
            method="'transfer'",
            begun_at="at",
            **chain,
        )
        self.write(
            ChainTransfer,
            wallets,
            log_index="0",
            sender="'0x' || md5(i::text)",
            units="100000000",
            block_number="i",
            block_hash="'0x' || md5(i::text)",
            payment_id=key(PAYMENT, "i"),
            found_at="at",
            noted_at="at",
            **chain,
        )
        operation = {
            "purpose": "'order'",
            "subject_id": key(ORDER, "i"),
            "client_id": key(CLIENT, self.client()),
            "builder_id": key(BUILDER_USER, "b"),
            "amount": "price",
            "fee_bps": "1000",
            "status": "'confirmed'",
            "backend": "'ledger'",
            "created_at": "at",
            "next_try_at": "at",
        }
        funded = f"(SELECT * FROM {self.source()} WHERE state NOT IN ('pending_payment', 'expired')) f"
        until = f"extract(epoch FROM {self.moment} + 200 * {DAY})::int"
        in_escrow = {"confirmed_at": f"at + {HOUR}", "applied_at": f"at + {HOUR}"}
        self.write(
            EscrowOperation,
            funded,
            op_id=f"'order:' || {key(ORDER, 'i')} || ':open'",
            kind="'open'",
            args=f"jsonb_build_object('expiry', {until})",
            **in_escrow,
            **operation,
        )
        ended = {"confirmed_at": f"at + 4 * {DAY}", "applied_at": f"at + 4 * {DAY}"}
        for kind, state in (("release", "completed"), ("refund", "cancelled")):
            rows = f"(SELECT * FROM {self.source()} WHERE state = '{state}') f"
            self.write(EscrowOperation, rows, op_id=f"'order:' || {key(ORDER, 'i')} || ':{kind}'", kind=f"'{kind}'", **ended, **operation)
        held = f"CASE WHEN i >= {self.size.live} THEN price ELSE 0 END"
        self.write(LedgerAccount, funded, kind="'escrow'", subject_id=key(ORDER, "i"), balance=held)
        self.write(
            JournalEntry,
            funded,
            key=f"'escrow:order:' || {key(ORDER, 'i')} || ':open'",
            description="'Into escrow'",
            subject_id=key(ORDER, "i"),
            posted_at="at",
        )
        self.write(
            Refund,
            f"(SELECT * FROM {self.source()} WHERE state = 'cancelled') c",
            payment_id=key(PAYMENT, "i"),
            amount=total,
            reason="'Late'",
            dedupe_key="'refund-' || i",
            status="'completed'",
            requested_at="at",
            completed_at=f"at + 4 * {DAY}",
        )
        self.write(
            Withdrawal,
            self.numbers(self.size.orders // 10),
            user_id=key(BUILDER_USER, f"i % {self.size.builders}"),
            amount="100",
            address="'0x' || md5(i::text)",
            status="'completed'",
            requested_at=f"{self.moment} - {DAY}",
            due_at=f"{self.moment} - {DAY}",
            sending_at=f"{self.moment} - {DAY}",
            completed_at=f"{self.moment} - {DAY}",
        )

    def told(self) -> None:
        """A notification for each order, mailed long ago; and some whose mail waits for the morning."""
        waits = f"(i >= {self.size.orders - self.size.stock})"
        rows = self.source()
        self.write(
            Notification,
            rows,
            id=key(NOTE, "i"),
            user_id=key(CLIENT, self.client()),
            kind="'order.completed'",
            title="'Order ' || i || ' is complete'",
            body=some_words("i", 220),
            url="'/orders/' || i || '/'",
            dedupe_key="'order:' || i || ':completed'",
            created_at="at",
            read_at=f"CASE WHEN i % 10 > 0 AND NOT {waits} THEN at + {HOUR} END",
        )
        self.write(
            Delivery,
            rows,
            id=key(MAIL, "i"),
            notification_id=key(NOTE, "i"),
            channel="'email'",
            address=f"'c' || {self.client()} || '@bench.example'",
            status=f"CASE WHEN {waits} THEN 'pending' ELSE 'sent' END",
            due_at=f"CASE WHEN {waits} THEN {self.moment} + {DAY} ELSE at END",
            sent_at=f"CASE WHEN NOT {waits} THEN at END",
            created_at="at",
        )

    def calls(self) -> None:
        size = self.size
        ahead = f"(i >= {size.ahead})"
        starts = f"CASE WHEN {ahead} THEN {self.moment} + 3 * {DAY} ELSE {self.moment} - {DAY} * (5 + i % 600) END"
        rows = f"(SELECT i, {starts} AS at, {self.builder()} AS b FROM {self.numbers(size.calls)}) c"
        self.write(
            Consultation,
            rows,
            id=key(CALL, "i"),
            builder_id=key(BUILDER, "b"),
            client_id=key(CLIENT, self.client()),
            conversation_id=key(TALK, "i"),
            chain=key(CALL, "i"),
            duration="30",
            price="60",
            client_fee="3.30",
            builder_fee_bps="1000",
            scheduled_at="at",
            ends_at="at + interval '30 minutes'",
            client_zone="'UTC'",
            builder_zone="'UTC'",
            status=f"CASE WHEN {ahead} THEN 'scheduled' ELSE 'completed' END",
            client_notes=some_words("i", 200),
            meeting_url="'https://meet.example/bench'",
            paid_at=f"{self.moment} - 700 * {DAY}",
            completed_at=f"CASE WHEN NOT {ahead} THEN at + {DAY} END",
        )
        self.write(
            Reminder,
            f"{rows}, generate_series(0, 3) n",
            id=key("e1", "i * 4 + n"),
            consultation_id=key(CALL, "i"),
            recipient_id=f"CASE WHEN n % 2 = 0 THEN {key(CLIENT, self.client())} ELSE {key(BUILDER_USER, 'b')} END",
            kind="CASE WHEN n < 2 THEN '24h' ELSE '1h' END",
            due_at=f"at - CASE WHEN n < 2 THEN {DAY} ELSE {HOUR} END",
            status=f"CASE WHEN {ahead} THEN 'due' ELSE 'sent' END",
            settled_at=f"CASE WHEN NOT {ahead} THEN at END",
        )
        self.write(
            MeetingRoom,
            rows,
            chain=key(CALL, "i"),
            consultation_id=key(CALL, "i"),
            provider="'zoom'",
            status=f"CASE WHEN {ahead} THEN 'ready' ELSE 'closed' END",
            url="'https://zoom.example/j/' || i",
            external_id="'room-' || i",
            made="0",
            next_try_at="at + interval '40 minutes'",
        )
        builders = self.numbers(size.builders)
        self.write(
            CalendarLink,
            builders,
            id=key("e2", "i"),
            builder_id=key(BUILDER, "i"),
            provider="'google'",
            account="'b' || i || '@gmail.example'",
            credentials=some_words("i", 600),
            status="CASE WHEN i % 9 = 0 THEN 'off' ELSE 'active' END",
        )
        self.write(
            LinkedCalendar,
            builders,
            id=key("e3", "i"),
            link_id=key("e2", "i"),
            external_id="'b' || i",
            name="'Work'",
            sync_token=some_words("i", 60),
            synced_at=self.moment,
            next_sync_at=f"{self.moment} + {HOUR}",
            is_read="true",
        )
        self.write(
            PushChannel,
            builders,
            calendar_id=key("e3", "i"),
            external_id="'channel-' || i",
            secret="md5(i::text)",
            created_at=f"{self.moment} - {DAY}",
            expires_at=f"{self.moment} + 7 * {DAY}",
        )
        self.write(
            CalendarEvent,
            rows,
            calendar_id=key("e3", "b"),
            chain=key(CALL, "i"),
            consultation_id=key(CALL, "i"),
            status="'written'",
            external_id="'event-' || i",
            written="0",
            written_hash="md5(i::text)",
            next_try_at="at",
        )
        self.write(
            Proposal,
            f"(SELECT * FROM {rows} WHERE i % 10 = 0 AND NOT {ahead}) p",
            consultation_id=key(CALL, "i"),
            kind="'move'",
            made_by_id=key(CLIENT, self.client()),
            starts_at=f"at - {DAY}",
            status="'accepted'",
            answer_by="at - 2 * interval '1 day'",
            answered_at="at - 3 * interval '1 day'",
        )

    def extras(self) -> None:
        """What hangs on orders and talks: changes, reminders, offers and hints."""
        size = self.size
        self.write(
            Amendment,
            f"(SELECT * FROM {self.source()} WHERE state = 'completed' AND i % 10 = 2 OR state = 'in_progress' AND i % 8 = 4) a",
            id=key("f1", "i"),
            order_id=key(ORDER, "i"),
            amendment_type="'timeline_extension'",
            status="CASE WHEN state = 'completed' THEN 'completed' ELSE 'pending' END",
            requested_by_id=key(BUILDER_USER, "b"),
            by_builder="true",
            reason="'More time'",
            description=some_words("i", 300),
            additional_days="2",
            price_before="price",
            due_before=f"at + 9 * {DAY}",
            created_at=f"at + {DAY}",
            expires_at=f"CASE WHEN state = 'completed' THEN at + 4 * {DAY} ELSE {self.moment} + {DAY} * (2 + i % 5) END",
            completed_at=f"CASE WHEN state = 'completed' THEN at + 2 * {DAY} END",
        )
        # Sent long ago for half of the orders; planned for those that wait, the first of two only a little ahead.
        nudges = f"""(SELECT i, 'answers_24h' AS kind, at, b, state FROM {self.source()}
                WHERE state = 'pending_requirements' OR i % 2 = 0 AND i < {size.live}
            UNION ALL SELECT i, 'answers_72h', at, b, state FROM {self.source()} WHERE state = 'pending_requirements'
            UNION ALL SELECT i, 'review_48h', at, b, state FROM {self.source()} WHERE state = 'delivered') n"""
        planned = f"(i >= {size.live})"
        self.write(
            Nudge,
            nudges,
            id=f"CASE kind WHEN 'answers_24h' THEN {key('f2', 'i')} WHEN 'answers_72h' THEN {key('f3', 'i')} ELSE {key('f4', 'i')} END",
            order_id=key(ORDER, "i"),
            recipient_id=key(CLIENT, self.client()),
            kind="kind",
            entered_at=f"CASE WHEN kind = 'review_48h' THEN at + 2 * {DAY} ELSE at + {HOUR} END",
            due_at=f"CASE WHEN {planned} THEN {self.moment} + {DAY} * CASE WHEN kind = 'answers_72h' THEN 4 ELSE 2 END ELSE at + {DAY} END",
            status=f"CASE WHEN {planned} THEN 'planned' ELSE 'sent' END",
            settled_at=f"CASE WHEN NOT {planned} THEN at + {DAY} END",
            notification_id=f"CASE WHEN NOT {planned} THEN {key(NOTE, 'i')} END",
            created_at="at",
        )
        self.write(
            Offer,
            f"(SELECT * FROM {self.source()} WHERE i % 4 = 0 AND i < {size.live}) f",
            id=key("f5", "i"),
            conversation_id=key(TALK, "i"),
            client_id=key(CLIENT, self.client()),
            builder_id=key(BUILDER, "b"),
            service_id=key(SERVICE, "b * 2"),
            package_id=key(PACKAGE, "b * 6"),
            title="'I will build it'",
            scope=some_words("i", 400),
            deliverables="""'["Five pages", "Tests"]'::jsonb""",
            price="price",
            delivery_days="5",
            status="CASE WHEN i % 3 = 0 THEN 'declined' ELSE 'expired' END",
            created_at="at",
            expires_at=f"at + 2 * {DAY}",
            settled_at=f"at + {DAY}",
        )
        self.write(
            Suggestion,
            f"(SELECT * FROM {self.source()} WHERE i % 10 = 3 AND i < {size.live}) s",
            conversation_id=key(TALK, "i"),
            builder_id=key(BUILDER, "b"),
            package_id=key(PACKAGE, "b * 6"),
            price="90",
            list_price="100",
            messages="12",
            rests=f"tstzrange(at, at + 30 * {DAY})",
            status="'dismissed'",
            created_at="at",
            settled_at=f"at + {DAY}",
        )

    def away(self) -> None:
        """One span behind each builder, one ahead of most. What is ahead is on the builder's row, too."""
        rows = self.numbers(self.size.builders)
        first = f"({self.moment} AT TIME ZONE 'UTC')::date"
        for kind, begins, planned in (("old", -60, False), ("next", 20, True)):
            days = {"first_on": f"{first} + {begins}", "last_on": f"{first} + {begins + 6}", "time_zone": "'UTC'"}
            span = {"starts_at": f"({first} + {begins})::timestamptz", "ends_at": f"({first} + {begins + 7})::timestamptz"}
            done = {} if planned else {"reminded_at": self.moment, "welcomed_at": self.moment}
            number = f"i + {0 if not planned else self.size.builders}"
            self.write(Span, rows, id=key(SPAN, number), builder_id=key(BUILDER, "i"), message=f"'{kind}'", **days, **span, **done)
            alerts = f"{rows}, generate_series(0, 1) n"
            told = {} if planned else {"told_at": self.moment}
            self.write(ReturnAlert, alerts, builder_id=key(BUILDER, "i"), user_id=key(CLIENT, "i * 2 + n"), **told)
        self.run(
            f"UPDATE {Builder._meta.db_table} b SET away_from = s.starts_at, away_until = s.ends_at, away_paused_at = s.created_at"
            f" FROM {Span._meta.db_table} s WHERE s.builder_id = b.id AND s.message = 'next'"
        )
        self.write(
            DueMove,
            f"(SELECT * FROM {self.source()} WHERE state = 'completed' AND i % 20 = 5) m",
            span_id=key(SPAN, "b"),
            order_id=key(ORDER, "i"),
            before_at="at",
            moved="interval '7 days'",
        )


def literal(field: Any, value: Any) -> str:
    """A default of Django as SQL."""
    if isinstance(field, models.JSONField):
        return f"'{json.dumps(value)}'::jsonb"
    if isinstance(field, ArrayField):
        return "'{}'"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return f"'{value.astimezone(UTC).isoformat()}'::timestamptz"
    if isinstance(value, int | float):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"
