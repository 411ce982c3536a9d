"""The row witness: whatever changes a watched table leaves a row for each row changed, with the name of who acts if one is known."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import chain
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.apps import apps
from django.db import IntegrityError, connection, models, transaction
from django.db.models import F
from django.db.models.functions import Concat
from django.test import Client
from django.urls import reverse
from psycopg import ClientCursor

from auditlog.actions.recording import APPEND
from auditlog.models import AuditLog, Watched
from auditlog.models.log import ROW
from port444.accounts.models import AUDITED_ELSEWHERE, User
from port444.builders.models import Builder
from port444.catalog.models import Category, Package, Service
from port444.kit import context, jobs
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.payments.models import BankAccount, PayoutHold, Withdrawal

from .sealed import another

# What is not watched, and why.
UNWATCHED = {
    "closed to changes by itself": {"auditlog", "payments.CreditEntry", "payments.JournalEntry", "payments.LedgerAccount"}
    | {"payments.Posting", "payments.Series"},
    "the outside world of development": {"payments.SandboxCharge", "payments.SandboxTransfer"},
    "talk, told by its own events": {"messaging", "notifications", "orders.ReviewReport"},
    "work of machines, compared with the chain": {
        *("payments.ChainAnchor", "payments.ChainCursor", "payments.ChainDifference", "payments.ChainNonce", "payments.ChainSigner"),
        *("payments.ChainStatus", "payments.ChainTransfer", "payments.EscrowAttempt", "payments.ProviderEvent", "payments.WalletPayment"),
    },
    "calendars and rooms, made anew from calls": {
        *("consultations.Attendance", "consultations.AvailabilityRule", "consultations.CalendarEvent", "consultations.CalendarFeed"),
        *("consultations.CalendarLink", "consultations.CallSettings", "consultations.DayOff", "consultations.ExternalEvent"),
        *("consultations.LinkedCalendar", "consultations.MeetingRoom", "consultations.PushChannel", "consultations.Reminder"),
        "consultations.SlotClaim",
    },
    "words of an order, in its feed": {"orders.Delivery", "orders.Nudge", "orders.Requirement", "orders.Revision", "orders.Suggestion"}
    | {"orders.Delivery_files", "orders.Requirement_files", "orders.Evidence", "orders.Evidence_files"},
    "what is sent to other programs, with a log of its own": {"webhooks.WebhookAttempt", "webhooks.WebhookDelivery"},
    "written once, page by page": {"support.ViewedPage"},
    "what a program was answered, and how much it asks": {"accounts.AnsweredCall", "accounts.ApiAllowance"},
    "lists and counts": {
        "accounts.QueuedMail",
        "accounts.Session",
        "accounts.UserDevice",
        "away.ReturnAlert",
        "catalog.Category",
        "favourites.Favourite",
    }
    | {"catalog.Listing", "catalog.PricePoint", "catalog.PriceSample", "catalog.ServiceDay", "catalog.Term", "catalog.Visit"},
    "of Django and its parts": {"admin", "auth.Permission", "contenttypes", "django_q", "account.EmailConfirmation"},
}


def watched() -> dict[type[models.Model], Watched]:
    own = {model: model.audited for model in apps.get_models() if hasattr(model, "audited")}
    return own | {apps.get_model(label): watched for label, watched in AUDITED_ELSEWHERE.items()}


def test_every_model_is_watched_or_there_is_a_reason() -> None:
    reasons = set().union(*UNWATCHED.values())
    left = {model._meta.label for model in apps.get_models(include_auto_created=True)} - {model._meta.label for model in watched()}
    assert {label for label in left if label not in reasons and label.split(".")[0] not in reasons} == set()


@pytest.mark.parametrize("model", watched(), ids=lambda model: model._meta.label)
def test_each_column_is_in_one_word_and_the_database_was_told(db: None, model: type[models.Model]) -> None:
    """A new column has to be put into one of the words, and a migration has to tell the database (`auditlog.witness.watch`)."""
    audited, meta = watched()[model], model._meta
    words = [word.split() for word in (audited.kept, audited.personal, audited.hidden, audited.ignored)]
    assert sorted(chain.from_iterable(words)) == sorted(str(field.column) for field in meta.concrete_fields if not field.primary_key)
    with connection.cursor() as cursor:
        cursor.execute("SELECT obj_description(%s::regproc, 'pg_proc')", [f"audit_capture_{meta.db_table}"])
        assert json.loads(cursor.fetchone()[0]) == audited.as_told(meta.model_name or "")
        cursor.execute("SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = %s::regclass AND starts_with(tgname, 'audit_')", [meta.db_table])
        assert sorted(cursor.fetchall()) == [(f"audit_{op}", "A") for op in ("delete", "insert", "truncate", "update")]


def seen(after: int = 0, **facts: Any) -> list[AuditLog]:
    return list(AuditLog.objects.filter(event_type__startswith=ROW, pk__gt=after, **facts).order_by("pk"))


def newest() -> int:
    return AuditLog.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def states(rows: list[AuditLog]) -> list[tuple[Any, Any]]:
    return [(row.before_state, row.after_state) for row in rows]


@pytest.fixture
def packages(builder: Builder) -> list[Package]:
    category = Category.objects.create(slug="words", name="Words", position=99)
    service = Service.objects.create(builder=builder, category=category, title="Write", slug="write", summary="Write")
    made = [
        Package(service=service, tier=tier, name=tier, price=Decimal(10 * number), delivery_days=number, revisions=0)
        for number, tier in enumerate(("basic", "standard", "premium"), start=1)
    ]
    return Package.objects.bulk_create(made)


# What is seen


def test_a_row_that_comes_changes_and_goes(client_user: User) -> None:
    place = newest()
    hold = PayoutHold.objects.create(user=client_user, reason="Look at this")
    hold.reason = "Look at that"
    hold.save()
    pk = hold.pk
    hold.delete()
    came, changed, went = seen(place)
    assert [row.event_type for row in (came, changed, went)] == ["row.inserted", "row.updated", "row.deleted"]
    assert {(row.target_type, row.target_id, row.event_category) for row in (came, changed, went)} == {("payouthold", pk, "financial")}
    assert (came.before_state, (came.after_state or {})["reason"]) == (None, "Look at this")
    assert (changed.before_state, changed.after_state) == ({"reason": "Look at this"}, {"reason": "Look at that"})
    assert ((went.before_state or {})["user_id"], went.after_state) == (str(client_user.pk), None)


def test_what_stays_as_it_was_is_no_change(client_user: User) -> None:
    place = newest()
    client_user.save()
    User.objects.filter(pk=client_user.pk).update(last_login=now(), theme="dark")
    assert seen(place) == []


def test_nothing_that_was_there_before_is_told_apart_from_nothing(client_user: User) -> None:
    place, moment = newest(), now()
    User.objects.filter(pk=client_user.pk).update(suspended_at=moment, suspension_reason="For a reason")
    ((before, after),) = states(seen(place))
    assert before == {"suspended_at": None, "suspension_reason": ""}
    assert set(after) == {"suspended_at", "suspension_reason"}


def test_personal_and_secret_values_stay_out(client_user: User) -> None:
    place = newest()
    User.objects.filter(pk=client_user.pk).update(email="other@example.com", phone="+31201234567", password="hash of another")
    (row,) = seen(place)
    assert row.before_state == {"email": "[personal]", "phone": None}
    assert row.after_state == {"email": "[personal]", "phone": "[personal]"}
    assert row.metadata == {"secret_changed": True}
    inserted = AuditLog.objects.get(event_type="row.inserted", target_id=client_user.pk)
    told = json.dumps([inserted.after_state, inserted.metadata, row.before_state, row.after_state])
    assert not any(value in told for value in (client_user.email, client_user.name, client_user.password, "other@example.com", "hash of"))


def test_a_secret_alone_that_changed_is_seen(client_user: User) -> None:
    BankAccount.objects.create(user=client_user, details={"iban": "NL00"}, masked="NL..00")
    place = newest()
    BankAccount.objects.filter(pk=client_user.pk).update(details={"iban": "NL11"})
    (row,) = seen(place)
    assert (row.before_state, row.after_state, row.metadata) == (None, None, {"secret_changed": True})


def test_expressions_give_values(packages: list[Package]) -> None:
    place = newest()
    Package.objects.filter(pk=packages[0].pk).update(price=F("price") + Decimal("2.50"), name=Concat(F("name"), models.Value("!")))
    (row,) = seen(place)
    assert (row.before_state, row.after_state) == ({"name": "basic", "price": 10.0}, {"name": "basic!", "price": 12.5})
    assert (row.amount, row.currency) == (Decimal("12.50"), "USDC")


def test_every_way_to_write_is_seen(packages: list[Package]) -> None:
    """Where the signals of models say nothing."""
    inserted = seen(event_type="row.inserted", target_type="package")
    assert {row.target_id for row in inserted} == {package.pk for package in packages}  # bulk_create
    ids = {package.pk for package in packages}

    place = newest()
    for package in packages:
        package.revisions = 3
    Package.objects.bulk_update(packages, ["revisions"])
    assert {row.target_id for row in seen(place)} == ids
    assert states(seen(place)) == [({"revisions": 0}, {"revisions": 3})] * 3

    place = newest()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE catalog_package SET delivery_days = delivery_days + 1")
        cursor.executemany("UPDATE catalog_package SET revisions = %s WHERE id = %s", [(number, pk) for number, pk in enumerate(ids)])
    assert len(seen(place, after_state__has_key="delivery_days")) == 3
    assert len(seen(place, after_state__has_key="revisions")) == 3

    place = newest()
    values = {"service_id": packages[0].service_id, "tier": "basic", "price": 77, "delivery_days": 1, "revisions": 0}
    Package.objects.bulk_create(
        [Package(pk=packages[0].pk, name="basic", **values)], update_conflicts=True, unique_fields=["pk"], update_fields=["price"]
    )
    assert [row.event_type for row in seen(place)] == ["row.updated"]

    place = newest()
    with connection.cursor() as cursor:
        cursor.execute(
            "MERGE INTO catalog_package AS p USING (VALUES (%s::uuid)) AS v (id) ON p.id = v.id WHEN MATCHED THEN UPDATE SET revisions = 9",
            [packages[0].pk],
        )
        cursor.execute("WITH gone AS (DELETE FROM catalog_package WHERE id = %s RETURNING id) SELECT * FROM gone", [packages[1].pk])
    assert [row.event_type for row in seen(place)] == ["row.updated", "row.deleted"]


def test_what_goes_with_another_row_is_seen(make_user: Callable[..., User]) -> None:
    user = make_user("Gone Soon")
    PayoutHold.objects.create(user=user, reason="Stays")
    place = newest()
    PayoutHold.objects.all().delete()
    user.delete()
    assert [(row.target_type, row.event_type) for row in seen(place)] == [("payouthold", "row.deleted"), ("user", "row.deleted")]


@pytest.mark.django_db(transaction=True)
def test_emptying_a_table_is_seen() -> None:
    place = newest()
    with another(user="port444_owner", autocommit=True) as owner:
        owner.execute("TRUNCATE payments_payouthold")
    (row,) = seen(place)
    assert (row.event_type, row.target_type, row.target_id, row.severity, row.actor_type) == (
        "row.truncated",
        "payouthold",
        None,
        "warning",
        "unknown",
    )


@pytest.mark.django_db(transaction=True)
def test_whoever_comes_to_the_database_is_seen(client_user: User) -> None:
    for role in ("port444_owner", "postgres"):
        place = newest()
        with another(user=role, autocommit=True) as other:
            other.execute("SET application_name = 'psql'")
            other.execute("SET session_replication_role = replica" if role == "postgres" else "SELECT 1")
            other.execute("UPDATE accounts_user SET is_staff = NOT is_staff WHERE id = %s", [client_user.pk])
        (row,) = seen(place)
        assert (row.actor_type, row.actor_id, row.actor_email, row.severity) == ("unknown", None, f"db:{role}/psql", "warning")


@contextmanager
def scratch(columns: str, **kept: Any) -> Iterator[psycopg.Connection[Any]]:
    """A watched table of the owner's, gone afterwards."""
    with another(user="port444_owner") as owner:
        owner.execute(f"CREATE TABLE scratch ({columns})")
        owner.execute("SELECT audit_watch('scratch', 'scratch', 'financial', %s, %s, %s)", [kept["kept"], kept.get("personal", []), []])
        yield owner
        owner.rollback()


LAST = "SELECT event_type, target_id, metadata, before_state, after_state FROM audit_log WHERE target_type = 'scratch' ORDER BY id DESC LIMIT 1"


@pytest.mark.usefixtures("db")
def test_columns_may_be_called_anything() -> None:
    names = ["n", "o", "ctx", "c_id", "new_rows", "old_rows", "order", "Mixed Case", "quo'te", "audit_log", "tg_op"]
    listed = ", ".join(f'"{name}" text' for name in names)
    with scratch(f"id int PRIMARY KEY, {listed}", kept=names) as owner:
        owner.execute("INSERT INTO scratch (id) VALUES (1)")
        assert owner.execute(LAST).fetchone() == ("row.inserted", None, {"key": 1}, None, dict.fromkeys(names))
        for name in names:
            owner.execute(f"UPDATE scratch SET \"{name}\" = 'new'")
            assert owner.execute(LAST).fetchone() == ("row.updated", None, {"key": 1}, {name: None}, {name: "new"})


@pytest.mark.usefixtures("db")
def test_a_wide_row_is_kept_whole() -> None:
    names = [f"c{number}" for number in range(130)]
    with scratch(f"id uuid PRIMARY KEY, {', '.join(f'{name} int' for name in names)}", kept=names, personal=[]) as owner:
        owner.execute(f"INSERT INTO scratch SELECT gen_random_uuid(), {', '.join(map(str, range(130)))}")
        row = owner.execute(LAST).fetchone()
        assert row is not None
        assert row[4] == {name: number for number, name in enumerate(names)}
        owner.execute(f"UPDATE scratch SET {', '.join(f'{name} = {name} + 1' for name in names)}")
        row = owner.execute(LAST).fetchone()
        assert row is not None
        assert row[3:] == tuple({name: number + more for number, name in enumerate(names)} for more in (0, 1))


@pytest.mark.usefixtures("db")
def test_what_becomes_nothing_is_kept_and_what_lies_within_a_value_too() -> None:
    columns = "id int PRIMARY KEY, must text NOT NULL, may text, mail text, facts jsonb NOT NULL, more jsonb"
    with scratch(columns, kept=["must", "may", "facts", "more"], personal=["mail"]) as owner:
        owner.execute("INSERT INTO scratch VALUES (1, 'a', 'a', 'a@example.com', '{}', NULL)")
        for change, before, after in (
            ("must = '', may = NULL", {"must": "a", "may": "a"}, {"must": "", "may": None}),
            ("may = ''", {"may": None}, {"may": ""}),
            ("mail = NULL", {"mail": "[personal]"}, {"mail": None}),
            ("mail = ''", {"mail": None}, {"mail": None}),
            ("""facts = '{"a": null}', more = '[null]'""", {"facts": {}, "more": None}, {"facts": {"a": None}, "more": [None]}),
            ("facts = 'null', more = 'null'", {"facts": {"a": None}, "more": [None]}, {"facts": None, "more": None}),
        ):
            owner.execute(f"UPDATE scratch SET {change}")
            row = owner.execute(LAST).fetchone()
            assert row is not None
            assert row[3:] == (before, after)


@pytest.mark.usefixtures("db")
def test_a_table_that_is_watched_anew_keeps_its_triggers() -> None:
    """Making them anew would wait for all who write to it, and all others for that."""
    triggers = "SELECT tgname, oid, tgenabled FROM pg_trigger WHERE tgrelid = 'scratch'::regclass ORDER BY tgname"
    with scratch("id int PRIMARY KEY, name text, other text", kept=["name"]) as owner:
        made = owner.execute(triggers).fetchall()
        assert len(made) == 4
        owner.execute("ALTER TABLE scratch DISABLE TRIGGER audit_delete")
        owner.execute("SELECT audit_watch('scratch', 'scratch', 'financial', '{name,other}')")
        again = owner.execute(triggers).fetchall()
        assert [row for row in again if row in made] == [row for row in made if row[0] != "audit_delete"]
        assert {row[2] for row in again} == {"A"}
        owner.execute("INSERT INTO scratch VALUES (1, 'a', 'b')")
        assert owner.execute(LAST).fetchone() == ("row.inserted", None, {"key": 1}, None, {"name": "a", "other": "b"})


@pytest.mark.usefixtures("db")
def test_a_changed_key_is_seen_from_both_sides() -> None:
    with scratch("id int PRIMARY KEY, name text", kept=["name"]) as owner:
        owner.execute("INSERT INTO scratch VALUES (1, 'one'), (2, 'two')")
        owner.execute("UPDATE scratch SET id = id + 10 WHERE id = 2")
        rows = owner.execute(LAST.replace("DESC LIMIT 1", "")).fetchall()[2:]
        assert sorted((row[2]["key"], row[3], row[4]) for row in rows) == [(2, {"name": "two"}, None), (12, None, {"name": "two"})]


@pytest.mark.usefixtures("db")
def test_a_column_that_is_not_there_or_is_named_twice_is_refused() -> None:
    for wrong in (["name", "nmae"], ["name", "name"]):
        with pytest.raises(psycopg.errors.RaiseException), scratch("id int PRIMARY KEY, name text", kept=wrong):
            pass


def test_serving_role_may_not_stop_watching(client_user: User) -> None:
    for attack in (
        "SELECT audit_watch('accounts_user', 'user', 'security', '{}')",
        "SELECT audit_unwatch('accounts_user')",
        "ALTER TABLE accounts_user DISABLE TRIGGER audit_update",
        "DROP TRIGGER audit_update ON accounts_user",
        "CREATE TEMPORARY TABLE t (id uuid); CREATE TRIGGER t AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION audit_capture_accounts_user()",
    ):
        with pytest.raises(Exception, match=r"permission denied|must be owner"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(attack)
    place = newest()
    User.objects.filter(pk=client_user.pk).update(language="nl")
    assert len(seen(place)) == 1


# Under load


@pytest.mark.django_db(transaction=True)
def test_before_is_what_was_there_when_it_changed(client_user: User) -> None:
    """Two add to the same row: each sees what the other has left, whatever they read before."""
    hold = PayoutHold.objects.create(user=client_user, reason="0")
    place, barrier = newest(), threading.Barrier(2)

    def add() -> None:
        with another(autocommit=True) as other:
            for _ in range(20):
                read = other.execute("SELECT reason FROM payments_payouthold WHERE id = %s", [hold.pk]).fetchone()
                assert read is not None
                barrier.wait(20)
                other.execute("UPDATE payments_payouthold SET reason = (reason::int + 1)::text WHERE id = %s", [hold.pk])

    threads = [threading.Thread(target=add) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    pairs = {(int((row.before_state or {})["reason"]), int((row.after_state or {})["reason"])) for row in seen(place)}
    assert pairs == {(number, number + 1) for number in range(40)}


@pytest.mark.django_db(transaction=True)
def test_a_thousand_rows_are_joined_and_not_searched_through() -> None:
    """plpgsql keeps the plan of the first call, here of one row; a nested loop in it takes a million steps for a thousand rows."""
    User.objects.bulk_create(User(email=f"{number}@example.com", name="N") for number in range(1000))
    plans: list[str] = []
    place = newest()
    with another(user="postgres", autocommit=True) as admin:
        admin.execute("LOAD 'auto_explain'")
        for setting in ("log_min_duration = 0", "log_nested_statements = on", "log_level = notice", "log_analyze = on", "log_timing = off"):
            admin.execute(f"SET auto_explain.{setting}")
        first = User.objects.values_list("pk", flat=True)[0]
        for _ in range(8):  # after five, a plan for all calls may be kept
            admin.execute("UPDATE accounts_user SET suspension_reason = '', is_client = NOT is_client WHERE id = %s", [first])
        admin.add_notice_handler(lambda notice: plans.append(notice.message_primary or ""))
        admin.execute("UPDATE accounts_user SET is_client = NOT is_client")
    (plan,) = [text for text in plans if "Insert on audit_log" in text]
    assert "Nested Loop" not in plan
    assert "Hash Full Join" in plan or "Merge Full Join" in plan
    assert "JIT" not in plan
    assert len(seen(place)) == 1008
    assert states(seen(place))[-1] in [({"is_client": old}, {"is_client": not old}) for old in (True, False)]


# Who acts


def test_without_a_name_the_connection_is_named(client_user: User) -> None:
    place = newest()
    User.objects.filter(pk=client_user.pk).update(language="nl")
    (row,) = seen(place)
    assert (row.actor_type, row.actor_id, row.actor_email, row.severity) == ("unknown", None, "db:port444_app/port444", "warning")


@pytest.fixture
def acting(client_user: User) -> dict[str, Any]:
    return {
        "source": "web",
        "actor_type": "user",
        "actor_id": client_user.pk,
        "actor_email": client_user.email,
        "ip_address": "203.0.113.9",
        "user_agent": 'It\'s 100% "quoted" \\ %s',
        "request_id": uuid7(),
        "device_id": uuid7(),
        "on_behalf_of": uuid7(),
    }


def test_who_acts_from_where_is_told(client_user: User, acting: dict[str, Any]) -> None:
    place = newest()
    with context.use(**acting):
        User.objects.filter(pk=client_user.pk).update(language="nl")
    (row,) = seen(place)
    told = {name: getattr(row, name) for name in acting if name != "source"}
    assert told == {name: value for name, value in acting.items() if name != "source"}
    assert (row.severity, row.metadata) == ("info", {"source": "web"})


def test_who_acts_may_be_told_as_json(client_user: User, acting: dict[str, Any]) -> None:
    """By hand, and by those who began before a row was told."""
    place = newest()
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('audit.ctx', %s, true)", [json.dumps({name: str(value) for name, value in acting.items()})])
    User.objects.filter(pk=client_user.pk).update(language="nl")
    (row,) = seen(place)
    told = {name: getattr(row, name) for name in acting if name != "source"}
    assert told == {name: value for name, value in acting.items() if name != "source"}
    assert (row.severity, row.metadata) == ("info", {"source": "web"})


@pytest.mark.parametrize("told", ['{"source": "web", "actor_type": "root"}', "(info,root,,,,,,,,{})"])
def test_a_part_that_nobody_plays_is_refused(client_user: User, told: str) -> None:
    values = ["x", "security", "info", "root", None, "", None, "user", None, "X", "", None, None, "{}", None, "", None, None, None, "", ""]
    place = newest()
    with transaction.atomic():
        raw("SELECT set_config('audit.ctx', %s, true)", [told])
        with pytest.raises(IntegrityError, match="no part root"), transaction.atomic():
            User.objects.filter(pk=client_user.pk).update(language="nl")
    with pytest.raises(IntegrityError, match="no part root"), transaction.atomic():
        raw(APPEND, values)
    assert newest() == place


WRITES: dict[str, Callable[[User], object]] = {
    "save": lambda user: user.save(update_fields=["language"]),
    "update": lambda user: User.objects.filter(pk=user.pk).update(language="nl"),
    "raw": lambda user: raw("UPDATE accounts_user SET language = 'nl'"),
    "raw with comments": lambda user: raw("-- why\n /* it */ update accounts_user SET language = %s", ["nl"]),
    "raw with a percent sign": lambda user: raw("UPDATE accounts_user SET language = 'n%%' WHERE id = %s", [user.pk]),
    "named": lambda user: raw("UPDATE accounts_user SET language = %(language)s", {"language": "nl"}),
    "many": lambda user: many("UPDATE accounts_user SET language = %s WHERE id = %s", [("nl", user.pk)]),
    "with": lambda user: raw("WITH w AS (UPDATE accounts_user SET language = 'nl' RETURNING id) SELECT count(*) FROM w"),
    "do": lambda user: raw("DO $$ BEGIN UPDATE accounts_user SET language = 'nl'; END $$"),
    "after a cursor of the server": lambda user: [User.objects.filter(pk=one.pk).update(language="nl") for one in User.objects.iterator()],
}


def raw(sql: str, params: Any = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def many(sql: str, params: list[Any]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(sql, params)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("alone", [False, True], ids=["in a transaction", "alone"])
@pytest.mark.django_db(transaction=True)
def test_every_statement_tells(client_user: User, acting: dict[str, Any], write: Callable[[User], object], *, alone: bool) -> None:
    place = newest()
    client_user.language = "nl"
    with context.use(**acting):
        if alone:
            write(client_user)
        else:
            with transaction.atomic():
                write(client_user)
    (row,) = seen(place)
    assert (row.actor_id, row.request_id) == (client_user.pk, acting["request_id"])
    raw("UPDATE accounts_user SET language = 'en'")
    assert seen(row.pk)[0].actor_type == "unknown", "nothing is left on the connection"


def test_telling_takes_no_query(client_user: User, acting: dict[str, Any], django_assert_num_queries: Any) -> None:
    with context.use(**acting), django_assert_num_queries(1) as queries:
        User.objects.filter(pk=client_user.pk).update(language="nl")
    assert "audit.ctx" not in queries.captured_queries[0]["sql"]
    assert AuditLog.objects.get(event_type="row.updated", target_id=client_user.pk).actor_id == client_user.pk


def test_telling_takes_no_round_trip(client_user: User, acting: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    execute = ClientCursor.execute

    def counted(cursor: Any, query: Any, *arguments: Any, **options: Any) -> Any:
        sent.append(str(query))
        return execute(cursor, query, *arguments, **options)

    monkeypatch.setattr(ClientCursor, "execute", counted)
    with context.use(**acting):
        for language in ("nl", "fr", "de"):
            User.objects.filter(pk=client_user.pk).update(language=language)
    assert ["audit.ctx" in query for query in sent] == [True, False, False], "told once a transaction"


@pytest.mark.django_db(transaction=True)
def test_a_transaction_begins_in_the_message_that_tells(client_user: User, acting: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    messages: list[str] = []
    send, command = ClientCursor._execute_send, psycopg.Connection._exec_command

    def sent(cursor: Any, query: Any, **options: Any) -> None:
        messages.append(query.query.decode())
        send(cursor, query, **options)

    def commanded(connection: Any, query: Any, *arguments: Any) -> Any:
        messages.append(str(query, "ascii"))
        return command(connection, query, *arguments)

    monkeypatch.setattr(ClientCursor, "_execute_send", sent)
    monkeypatch.setattr(psycopg.Connection, "_exec_command", commanded)
    with context.use(**acting), transaction.atomic():
        User.objects.filter(pk=client_user.pk).update(language="nl")
        User.objects.filter(pk=client_user.pk).update(language="fr")
    assert [message.split("'")[0] for message in messages] == [
        "BEGIN; SET LOCAL audit.ctx =  E" if "\\" in acting["user_agent"] else "BEGIN; SET LOCAL audit.ctx = ",
        'UPDATE "accounts_user" SET "language" = ',
        "COMMIT",
    ]
    with context.use(**acting), pytest.raises(IntegrityError), transaction.atomic():
        change_and_fail(client_user)
    assert messages[-1] == "ROLLBACK"
    client_user.refresh_from_db()
    assert (client_user.language, connection.connection.autocommit) == ("fr", True)


def test_the_driver_knows_a_statement_again_whoever_acts(client_user: User, acting: dict[str, Any]) -> None:
    """It keeps statements that it took apart; one that had the name in it would be another each time."""
    taken_apart = []
    for _ in range(3):
        with context.use(**{**acting, "request_id": uuid7()}):
            client_user.save()
        taken_apart.append(psycopg._queries._query2pg_client.cache_info().misses)
    assert taken_apart[1] == taken_apart[2]


def change_and_fail(user: User) -> None:
    User.objects.filter(pk=user.pk).update(language="nl")
    raise IntegrityError


def test_a_point_that_is_gone_back_to_forgets_what_was_told(client_user: User, acting: dict[str, Any]) -> None:
    place = newest()
    with context.use(**acting):
        with pytest.raises(IntegrityError), transaction.atomic():
            change_and_fail(client_user)
        User.objects.filter(pk=client_user.pk).update(language="fr")
        point = transaction.savepoint_create()
        User.objects.filter(pk=client_user.pk).update(language="de")
        transaction.savepoint_rollback(point)
        User.objects.filter(pk=client_user.pk).update(language="it")
    rows = seen(place)
    assert [(row.after_state or {})["language"] for row in rows] == ["fr", "it"]
    assert {row.actor_id for row in rows} == {client_user.pk}


def test_who_acts_may_change_within_a_transaction(client_user: User, stranger: User) -> None:
    place = newest()
    for user in (client_user, stranger, None):
        facts = {"source": "web", "actor_type": "user", "actor_id": user.pk, "actor_email": user.email} if user else {}
        with context.use(**facts):
            User.objects.filter(pk=client_user.pk).update(language=F("language") if user is None else user.name[:2], is_builder=user is None)
    assert [row.actor_id for row in seen(place)] == [client_user.pk, stranger.pk, None]


@pytest.mark.django_db(transaction=True)
def test_no_name_is_left_for_the_next_request(client: Client, client_user: User, stranger: User) -> None:
    """On one connection, one after the other."""
    place = newest()
    for user in (client_user, stranger, client_user):
        client.force_login(user)
        form = {"name": f"{user.name} {newest()}", "phone": "", "time_zone": "UTC", "language": "en", "theme": "dark"}
        assert client.post(reverse("accounts:settings"), form).status_code == 302
    raw("UPDATE accounts_user SET language = 'nl'")
    rows = seen(place, target_type="user")
    assert [(row.actor_id, row.target_id) for row in rows[:3]] == [(user.pk, user.pk) for user in (client_user, stranger, client_user)]
    assert len({row.request_id for row in rows[:3]}) == 3
    assert {(row.actor_type, row.actor_id) for row in rows[3:]} == {("unknown", None)}
    events = AuditLog.objects.events().filter(pk__gt=place, event_type="user.profile_changed").order_by("pk")
    assert [event.request_id for event in events] == [row.request_id for row in rows[:3]]


def test_a_job_acts_for_the_system_under_one_id(client_user: User) -> None:
    place = newest()
    jobs.begin(task={"func": "port444.accounts.jobs.forget"})
    try:
        User.objects.filter(pk=client_user.pk).update(language="nl")
        User.objects.filter(pk=client_user.pk).update(language="fr")
    finally:
        jobs.end()
    User.objects.filter(pk=client_user.pk).update(language="de")
    first, second, third = seen(place)
    assert (first.actor_type, first.metadata, first.severity) == ("system", {"source": "job:port444.accounts.jobs.forget"}, "info")
    assert isinstance(first.request_id, UUID)
    assert second.request_id == first.request_id
    assert (third.actor_type, third.request_id) == ("unknown", None)


def test_the_money_of_a_withdrawal_is_in_its_rows(client_user: User) -> None:
    place, moment = newest(), now()
    Withdrawal.objects.create(
        user=client_user, method="wallet", amount=Decimal("25.00"), fee=Decimal("0.50"), address="0x" + "1" * 40, client_key=uuid7(), due_at=moment
    )
    (row,) = seen(place)
    assert (row.amount, row.currency, row.event_category) == (Decimal("25.00"), "USDC", "financial")
