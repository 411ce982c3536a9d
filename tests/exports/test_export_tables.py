"""Whole tables as files: what is in them, in each format, and between which moments."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from pyarrow import parquet

from auditlog.actions import record
from auditlog.events import Event
from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.exports import reading
from port444.exports.columns import Kind, Table
from port444.exports.tables import CREDITS, LEDGER, ORDERS, TABLES
from port444.kit.clock import now
from port444.orders.models import Order
from port444.payments.models import Credit, Posting

Take = Callable[..., Path]


def as_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def as_json(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def count_of(table: Table) -> int:
    return int(apps.get_model(table.model)._default_manager.count())


def plain(row: dict[str, Any], table: Table) -> list[str]:
    """A row of any format as CSV has it."""
    cells = []
    for column in table.columns:
        value = row[column.name]
        if value is None or value == "":
            cells.append("")
        elif column.kind is Kind.JSON:
            cells.append(json.dumps(json.loads(value) if isinstance(value, str) else value, sort_keys=True))
        elif isinstance(value, bool):
            cells.append("true" if value else "false")
        elif isinstance(value, datetime):
            cells.append(f"{value:%Y-%m-%dT%H:%M:%S.%fZ}")
        elif column.kind is Kind.EXACT and value != "":
            cells.append(f"{Decimal(value).normalize():f}")
        else:
            cells.append(str(value))
    return [cell.lstrip("'") for cell in cells]


def held(table: Table) -> list[list[Any]]:
    """The rows as the database holds them, without the words in which exports ask for them."""
    columns = ", ".join(f"({column.sql})" for column in table.columns)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM {table.source} ORDER BY {table.at}, {table.key}")
        return [[value_of(column.kind, value) for column, value in zip(table.columns, row, strict=True)] for row in cursor.fetchall()]


def value_of(kind: Kind, value: Any) -> Any:
    """What the database, JSON lines or Parquet has, as the one value that it stands for."""
    if value is None:
        return None
    match kind:
        case Kind.MONEY | Kind.EXACT:
            return Decimal(value)
        case Kind.MOMENT:
            return (datetime.fromisoformat(value) if isinstance(value, str) else value).astimezone(UTC)
        case Kind.JSON:
            return json.loads(value) if isinstance(value, str) else value
        case Kind.TEXT | Kind.ID:
            return str(value)
    return value


@pytest.mark.usefixtures("demo")
def test_the_tables_of_the_demo(take: Take) -> None:
    """Told once, looked at three times."""
    every_table_is_in_all_formats_what_the_database_holds(take)
    figures_are_those_of_the_tables(take)
    from_is_included_and_to_is_not(take)


def every_table_is_in_all_formats_what_the_database_holds(take: Take) -> None:
    for name, table in TABLES.items():
        expected, until = held(table), now() + timedelta(days=1)
        rows, names = len(expected), [column.name for column in table.columns]
        assert rows == (count_of(table) if name != "audit_logs" else AuditLog.objects.count())
        assert rows > 0 or name == "incidents", name
        first = as_csv(take(name, "csv", until=until))
        second = as_json(take(name, "jsonl", until=until))
        third = parquet.read_table(take(name, "parquet", until=until)).to_pylist()
        if name == "audit_logs":  # each export adds a row of its own to it
            first, second, third = first[:rows], second[:rows], third[:rows]
        assert [list(row) for row in (first + second + third)] == [names] * (3 * rows)
        for found in (second, third):
            told = [[value_of(column.kind, row[column.name]) for column in table.columns] for row in found]
            for number, (one, other) in enumerate(zip(told, expected, strict=True)):
                assert one == other, (name, number)
        assert [plain(row, table) for row in first] == [plain(row, table) for row in second], name


def figures_are_those_of_the_tables(take: Take) -> None:
    postings = as_csv(take("ledger"))
    assert len(postings) == Posting.objects.count() > 50
    assert sum(Decimal(row["amount"]) for row in postings) == 0
    assert {row["amount"][-3] for row in postings} == {"."}
    assert any(row["amount"].startswith("-") for row in postings)
    orders = as_json(take("orders", "jsonl"))
    assert {row["number"] for row in orders} == {f"P4-{number}" for number in Order.objects.values_list("number", flat=True)}
    for row, order in zip(orders, Order.objects.order_by("placed_at", "pk").select_related("client", "builder__user"), strict=True):
        assert (row["price"], row["client_email"], row["builder_email"]) == (f"{order.price:.2f}", order.client.email, order.builder.user.email)
        assert datetime.fromisoformat(row["placed_at"]) == order.placed_at
        assert row["placed_at"].endswith("Z")
    for row in as_csv(take("credits")):
        parts = [Decimal(row[name]) for name in ("remaining", "held", "spent", "expired", "voided")]
        assert Decimal(row["amount"]) == sum(parts) == Credit.objects.get(pk=row["credit_id"]).amount


def from_is_included_and_to_is_not(take: Take) -> None:
    moments = list(Order.objects.order_by("placed_at").values_list("placed_at", flat=True))
    since, until = moments[2], moments[-2]
    expected = [moment for moment in moments if since <= moment < until]
    assert 0 < len(expected) < len(moments)
    found = [datetime.fromisoformat(row["placed_at"]) for row in as_csv(take("orders", since=since, until=until))]
    assert found == expected
    just = take("orders", "jsonl", since=since + timedelta(microseconds=1), until=until + timedelta(microseconds=1))
    assert [datetime.fromisoformat(row["placed_at"]) for row in as_json(just)] == [moment for moment in moments if since < moment <= until]


def test_a_range_of_nothing_is_a_header(db: None, take: Take) -> None:
    path = take("orders", since=datetime(2001, 1, 1, tzinfo=UTC), until=datetime(2001, 1, 2, tzinfo=UTC))
    assert path.read_bytes() == ",".join(column.name for column in ORDERS.columns).encode() + b"\r\n"
    assert parquet.read_table(take("orders", "parquet", until=datetime(2001, 1, 2, tzinfo=UTC))).num_rows == 0


FORMULAS = ["=1+1", "+1", "-1", "@SUM(1)", "\tx", "\rx", "\nx", "  =1", "\u00a0=1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_begins_as_a_formula(client_user: User, take: Take, text: str) -> None:
    record(Event.LOGIN, actor=client_user, target=client_user, description=text, amount=Decimal("-5.00"))
    (row,) = [row for row in as_csv(take("audit_logs")) if row["description"]]
    assert row["description"] == f"'{text}"
    assert row["amount"] == "-5.00"
    (plain_row,) = [row for row in as_json(take("audit_logs", "jsonl")) if row["description"]]
    assert plain_row["description"] == text


def test_text_that_only_looks_odd_stays(client_user: User, take: Take) -> None:
    text = 'He said "no", then\nleft; 5 - 3 = 2 \u20ac \U0001f600'
    record(Event.LOGIN, actor=client_user, target=client_user, description=text)
    assert [row["description"] for row in as_csv(take("audit_logs")) if row["description"]] == [text]


def test_money_of_the_log_keeps_every_decimal(client_user: User, take: Take) -> None:
    record(Event.LOGIN, actor=client_user, target=client_user, amount=Decimal("0.000001"))
    record(Event.LOGIN, actor=client_user, target=client_user, amount=Decimal("7"))
    assert [row["amount"] for row in as_csv(take("audit_logs")) if row["amount"]] == ["0.000001", "7.00"]


def test_it_is_recorded_with_its_digest(db: None, take: Take, finance: User) -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    path = take("ledger", since=since)
    entry = AuditLog.objects.get(event_type="data.exported")
    assert (entry.actor_id, entry.metadata["what"], entry.metadata["rows"], entry.target_type) == (None, "ledger", 0, "posting")
    assert entry.metadata["sha256"] == sha256(path.read_bytes()).hexdigest()
    assert datetime.fromisoformat(entry.metadata["since"]) == since
    assert entry.metadata["operator"]
    take("orders", actor=finance.email)
    entry = AuditLog.objects.filter(event_type="data.exported").latest("id")
    assert (entry.actor_id, entry.actor_email, "operator" in entry.metadata) == (finance.pk, finance.email, False)


def test_staff_need_the_permission(agent: User, client_user: User, take: Take, folder: Path) -> None:
    with pytest.raises(CommandError, match="group may not"):
        take("orders", actor=agent.email)
    with pytest.raises(CommandError, match="Nobody of the staff"):
        take("orders", actor=client_user.email)
    assert list(folder.iterdir()) == []
    assert not AuditLog.objects.filter(event_type="data.exported").exists()


def test_a_name_that_is_taken_stays(db: None, folder: Path) -> None:
    path = folder / "orders.csv"
    path.write_text("mine")
    with pytest.raises(CommandError, match="there already"):
        call_command("export_orders", dest=str(path))
    assert (path.read_text(), [one.name for one in folder.iterdir()]) == ("mine", ["orders.csv"])
    assert not AuditLog.objects.filter(event_type="data.exported").exists()


def test_a_name_that_is_taken_meanwhile_stays(db: None, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "orders.csv"

    def slow(*args: Any) -> Any:
        path.write_text("mine")
        yield []

    monkeypatch.setattr(reading, "rows_of", slow)
    with pytest.raises(CommandError, match="there already"):
        call_command("export_orders", dest=str(path))
    assert (path.read_text(), [one.name for one in folder.iterdir()]) == ("mine", ["orders.csv"])


def test_a_failure_leaves_nothing(db: None, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any) -> Any:
        yield [("x",) * len(ORDERS.columns)]
        raise OSError("the disk is full")

    monkeypatch.setattr(reading, "rows_of", broken)
    with pytest.raises(CommandError, match="the disk is full"):
        call_command("export_orders", dest=str(folder / "orders.csv"))
    assert list(folder.iterdir()) == []
    assert not AuditLog.objects.filter(event_type="data.exported").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--from", "soon"], "not a date or moment"),
        (["--from", "2026-02-01", "--to", "2026-02-01"], "ends before it begins"),
        (["--format", "xml"], "invalid choice"),
        (["--dest", "/nowhere/at/all.csv"], "There is no folder"),
        (["--dest", "ftp://host/x"], "not an address of cold storage"),
    ],
)
def test_wrong_arguments_are_worded(db: None, folder: Path, options: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        call_command("export_orders", *options)
    assert not AuditLog.objects.filter(event_type="data.exported").exists()


def test_a_folder_gets_a_file_with_a_name_and_a_store_gets_its_hash(db: None, folder: Path) -> None:
    call_command("export_orders", since=datetime(2026, 1, 1, tzinfo=UTC), until=datetime(2026, 2, 1, tzinfo=UTC), dest=str(folder))
    (path,) = folder.iterdir()
    assert path.name == "orders-20260101T000000-20260201T000000.csv"
    store = folder / "store"
    call_command("export_orders", until=datetime(2026, 2, 1, tzinfo=UTC), dest=store.as_uri(), file_format="jsonl")
    (stored,) = (one for one in store.rglob("*") if one.is_file())
    assert stored.parent.name == "exports"
    assert stored.name == f"orders-beginning-20260201T000000-{sha256(b'').hexdigest()[:16]}.jsonl"


def test_a_bucket_gets_it_under_its_hash(db: None, s3: Any) -> None:
    for file_format in ("csv", "parquet"):
        call_command("export_orders", dest="s3://plain/taken", file_format=file_format, until=datetime(2026, 2, 1, tzinfo=UTC))
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket="plain", Prefix="taken/")["Contents"]]
    assert sorted(key.rpartition(".")[2] for key in keys) == ["csv", "parquet"]
    for key in keys:
        content = s3.get_object(Bucket="plain", Key=key)["Body"].read()
        assert key.startswith("taken/exports/orders-beginning-20260201T000000-")
        assert sha256(content).hexdigest()[:16] in key
        assert AuditLog.objects.filter(event_type="data.exported", metadata__sha256=sha256(content).hexdigest()).count() == 1


def test_standard_output_has_rows_alone(db: None, folder: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    call_command("export_credits", dest="-")
    out, err = capfdbinary.readouterr()
    assert out == ",".join(column.name for column in CREDITS.columns).encode() + b"\r\n"
    assert b"0 rows" in err


@pytest.mark.django_db(transaction=True)
def test_all_is_of_one_moment_and_by_a_cursor_on_the_server(make_user: Callable[..., User], monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that come while it reads are not in it; what is in memory is a piece."""
    user = make_user("Snap Shot")
    with transaction.atomic():
        for _ in range(5):
            record(Event.LOGIN, actor=user, target=user)
    monkeypatch.setattr(reading, "PIECE", 2)
    table = TABLES["audit_logs"]
    with reading.snapshot():
        pieces = reading.rows_of(table)
        first = next(pieces)
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_cursors WHERE name LIKE '_django_curs%%'")
            assert cursor.fetchone()[0] == 1
            cursor.execute("SHOW transaction_isolation")
            assert cursor.fetchone()[0] == "repeatable read"
            cursor.execute("SHOW transaction_read_only")
            assert cursor.fetchone()[0] == "on"
        sizes = [len(first), *(len(piece) for piece in pieces)]
    assert max(sizes) == 2
    assert sum(sizes) == AuditLog.objects.count()


def test_names_of_columns_are_stable_words() -> None:
    for table in TABLES.values():
        names = [column.name for column in table.columns]
        assert len(set(names)) == len(names)
        assert all(name.isidentifier() and name.islower() for name in names)
    assert LEDGER.columns[10].name == "amount"


def test_the_page_of_columns_says_what_there_is() -> None:
    page = (Path(settings.BASE_DIR) / "docs/exports.md").read_text()
    for name, table in TABLES.items():
        section = page.split(f"### `export_{name}`\n")[1].split("\n#")[0]
        told = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in section.splitlines() if line.startswith("| `")]
        assert told == [(f"`{column.name}`", column.kind.value, column.words) for column in table.columns]
