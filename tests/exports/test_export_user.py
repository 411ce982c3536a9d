"""Everything of one person: nothing is forgotten, and nothing private of others goes with it."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.db import connection, models

from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.demo import cast
from port444.exports.holdings import BESIDE, HELD, LEFT, condition
from port444.exports.person import README, given, parts
from port444.kit.ids import uuid7
from port444.messaging.actions import open_conversation, send_message
from port444.messaging.models import Attachment
from port444.orders.models import Order
from port444.payments.models import BankAccount

TABLES = """
SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
"""


def models_by_table() -> dict[str, type[models.Model]]:
    return {model._meta.db_table: model for model in apps.get_models(include_auto_created=True) if not model._meta.proxy}


def test_every_table_is_handed_over_or_there_is_a_reason(db: None) -> None:
    """A new table has to be put into one of the two lists of port444/exports/holdings.py."""
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        there = {name for (name,) in cursor.fetchall()}
    assert HELD.keys() & LEFT.keys() == set()
    assert sorted(there - HELD.keys() - LEFT.keys()) == []
    assert sorted((HELD.keys() | LEFT.keys()) - there) == []
    assert set(models_by_table()) <= there


def test_every_column_that_names_a_person_is_looked_for_or_there_is_a_reason() -> None:
    known = models_by_table()
    naming = {
        f"{table}.{field.column}"
        for table, model in known.items()
        for field in model._meta.concrete_fields
        if field.is_relation and field.related_model is User
    }
    asked = {
        name
        for name in naming
        for table, column in [name.split(".")]
        if table in HELD and re.search(rf"\bt\.{column} = ", condition(HELD[table].where))
    }
    assert len(naming) > 50
    assert sorted(naming - asked - BESIDE.keys()) == []
    assert sorted(BESIDE.keys() - naming) == []
    assert all(why for why in BESIDE.values())


def test_no_secret_is_handed_over() -> None:
    secret = re.compile(r"password|secret|digest|token|credential|session_key|session_data|signature|etag|pay_url")
    for table, held in HELD.items():
        names = {str(field.column) for field in given(held, models_by_table()[table])}
        assert {name for name in names if secret.search(name)} == set(), table


def unpacked(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as bundle:
        assert bundle.testzip() is None
        return {name: bundle.read(name) for name in bundle.namelist()}


def lines(found: dict[str, bytes], table: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in found.get(f"data/{table}.jsonl", b"").splitlines()]


@pytest.mark.usefixtures("demo")
def test_a_person_of_the_demo(folder: Path) -> None:
    person = User.objects.get(email=cast.BUILDER)
    person.phone = "+31201234567"
    person.save()
    details: dict[str, Any] = {"iban": "NL91ABNA0417164300"}
    BankAccount.objects.update_or_create(user=person, defaults={"details": details, "masked": "NL91 **** 4300"})
    call_command("export_user", person.email, dest=str(folder / "person.zip"))
    found = unpacked(folder / "person.zip")

    (account,) = lines(found, "accounts_user")
    assert (account["email"], account["phone"], "password" in account) == (person.email, person.phone, False)
    orders = lines(found, "orders_order")
    mine = Order.objects.filter(client=person) | Order.objects.filter(builder__user=person)
    assert {row["id"] for row in orders} == {str(pk) for pk in mine.values_list("pk", flat=True)} != set()
    assert {row["builder"] for row in orders} == {"you"}
    assert {row["client"] for row in orders} == set(User.objects.filter(orders__in=mine).values_list("name", flat=True))
    messages = lines(found, "messaging_message")
    assert {row["author"] for row in messages} >= {"you", None, "Jonas Vermeer"}
    assert lines(found, "payments_bankaccount")[0]["details"] == {"iban": "NL91ABNA0417164300"}
    assert lines(found, "audit_log")

    # As CSV it is the same.
    for name, content in found.items():
        if name.endswith(".csv"):
            rows = list(csv.reader(io.StringIO(content.decode(), newline="")))
            again = lines(found, name.removeprefix("data/").removesuffix(".csv"))
            assert rows[0] == list(again[0])
            assert len(rows) == len(again) + 1
    # The addresses of others are nowhere.
    others = User.objects.exclude(pk=person.pk)
    everything = b"\n".join(content for name, content in found.items() if not name.startswith("files/")).decode()
    assert [email for email in others.values_list("email", flat=True) if email in everything] == []
    assert person.password not in everything

    words = found[README].decode()
    assert person.name in words
    assert "data/orders_order: Your orders, as client and as builder" in words
    entry = AuditLog.objects.get(event_type="user.exported")
    assert (entry.target_id, entry.actor_id) == (person.pk, None)
    assert entry.metadata["rows"] == sum(len(lines(found, part.table)) for part in parts())


def test_files_are_those_of_the_person(client_user: User, builder_user: User, folder: Path) -> None:
    talk = open_conversation(client_user, builder_user, actor=client_user)
    for owner, name, content in ((client_user, "../mine.txt", b"mine"), (builder_user, "theirs.txt", b"theirs"), (client_user, "gone.txt", b"gone")):
        one = Attachment(pk=uuid7(), conversation=talk, owner=owner, name=name, mimetype="text/plain", size=len(content), sha256="0" * 64)
        one.file.save(name, ContentFile(content), save=False)
        one.save()
    Attachment.objects.get(name="gone.txt").file.storage.delete(str(Attachment.objects.get(name="gone.txt").file))
    call_command("export_user", str(client_user.pk), dest=str(folder / "person.zip"))
    found = unpacked(folder / "person.zip")
    files = {name: content for name, content in found.items() if name.startswith("files/")}
    assert list(files.values()) == [b"mine"]
    assert [".." in name.replace("mine.txt", "") and "/../" in name for name in files] == [False]
    assert len(lines(found, "messaging_attachment")) == 3
    assert "gone.txt is not in our storage any more" in found[README].decode()
    assert "1 of 2 files" in found[README].decode()


def test_what_others_keep_private_stays_out(client_user: User, builder_user: User, stranger: User, folder: Path) -> None:
    talk = open_conversation(client_user, builder_user, actor=client_user)
    send_message(talk.pk, actor=builder_user, body="For both of us", client_key=uuid7())
    other = open_conversation(stranger, builder_user, actor=stranger)
    send_message(other.pk, actor=stranger, body="Not for Jonas", client_key=uuid7())
    call_command("export_user", client_user.email, dest=str(folder / "person.zip"))
    found = unpacked(folder / "person.zip")
    (message,) = lines(found, "messaging_message")
    assert (message["body"], message["author"]) == ("For both of us", "Anaya Krishnan")
    everything = b"\n".join(found.values())
    assert b"Not for Jonas" not in everything
    assert builder_user.email.encode() not in everything


def test_nobody_and_no_permission(client_user: User, agent: User, folder: Path) -> None:
    with pytest.raises(CommandError, match="Nobody has"):
        call_command("export_user", "nobody@example.com", dest=str(folder / "person.zip"))
    with pytest.raises(CommandError, match="group may not"):
        call_command("export_user", client_user.email, dest=str(folder / "person.zip"), actor=agent.email)
    assert list(folder.iterdir()) == []
    assert not AuditLog.objects.filter(event_type="user.exported").exists()
