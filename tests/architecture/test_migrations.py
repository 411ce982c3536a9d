"""Migrations keep the site running: none from now on locks a big table for as long as it is big, or takes away what the code before it reads.

squawk reads the SQL of each. What landed before this rule is named in `landed.txt`, for good. A migration that has to break a rule says
why in a comment, which names the rule:

    # squawk-ignore renaming-column: nobody has read this column since 0007
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration

OURS = ("port444", "auditlog", "consultations", "amendments", "support")
LANDED = Path(__file__).with_name("landed.txt")
SQUAWK = str(Path(sys.executable).with_name("squawk"))
# Taste, or kept by others: `migrate` sets the timeouts, Django names the types and quotes.
NOT_OURS = (
    "ban-char-field",
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "prefer-identity",
    "prefer-robust-stmts",
    "prefer-text-field",
    "prefer-timestamp-tz",
    "require-enum-value-ordering",
    "require-table-schema",
    "require-timeout-settings",
)
EXCUSE = re.compile(r"# squawk-ignore ([a-z-]+): \S.{9,}")


def faults(sql: str) -> list[tuple[str, str]]:
    """The rules that `sql` breaks, and where."""
    command = [SQUAWK, "--reporter", "Json", "--pg-version", "15.0", *(f"--exclude={rule}" for rule in NOT_OURS), "--stdin-filepath", "m.sql"]
    done = subprocess.run(command, check=False, input=sql, capture_output=True, text=True)
    assert done.stdout, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return [(fault["rule_name"], fault["message"]) for fault in found]


def sql_of(loader: MigrationLoader, migration: Migration) -> str:
    return "\n".join(loader.collect_sql([(migration, False)]))


def excused(migration: Migration) -> set[str]:
    source = Path(str(sys.modules[type(migration).__module__].__file__)).read_text()
    return set(EXCUSE.findall(source))


def ours(loader: MigrationLoader) -> dict[str, Migration]:
    found = {f"{app}.{name}": migration for (app, name), migration in loader.disk_migrations.items()}
    return {key: migration for key, migration in sorted(found.items()) if type(migration).__module__.split(".")[0] in OURS}


@pytest.fixture(scope="module")
def loader() -> MigrationLoader:
    return MigrationLoader(None, replace_migrations=False)


def test_new_migrations_let_the_site_run(db: None, loader: MigrationLoader) -> None:
    landed, wrong = set(LANDED.read_text().split()), []
    real = MigrationLoader(connection, replace_migrations=False)
    for key, migration in ours(loader).items():
        if key not in landed:
            wrong += [f"{key}: {rule}: {words}" for rule, words in faults(sql_of(real, migration)) if rule not in excused(migration)]
    assert wrong == [], f"see {__name__.replace('.', '/')}.py and docs/operate.md, Upgrades"


def test_what_landed_is_named_once_and_exists(loader: MigrationLoader) -> None:
    landed = LANDED.read_text().split()
    assert landed == sorted(set(landed))
    assert set(landed) <= set(ours(loader))


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ('CREATE INDEX "i" ON "orders_order" ("a")', "require-concurrent-index-creation"),
        ('DROP INDEX "i"', "require-concurrent-index-deletion"),
        ('ALTER TABLE "orders_order" ADD COLUMN "a" integer NOT NULL', "adding-required-field"),
        ('ALTER TABLE "orders_order" ALTER COLUMN "a" SET NOT NULL', "adding-not-nullable-field"),
        ('ALTER TABLE "orders_order" ALTER COLUMN "a" TYPE bigint', "changing-column-type"),
        ('ALTER TABLE "orders_order" RENAME COLUMN "a" TO "b"', "renaming-column"),
        ('ALTER TABLE "orders_order" RENAME TO "b"', "renaming-table"),
        ('ALTER TABLE "orders_order" ADD CONSTRAINT "c" CHECK ("a" > 0)', "constraint-missing-not-valid"),
        ('ALTER TABLE "orders_order" ADD CONSTRAINT "c" UNIQUE ("a")', "disallowed-unique-constraint"),
        ('ALTER TABLE "orders_order" DROP COLUMN "a"', "ban-drop-column"),
    ],
)
def test_what_blocks_is_refused(statement: str, rule: str) -> None:
    assert rule in {found for found, _ in faults(f"BEGIN;\n{statement};\nCOMMIT;")}


@pytest.mark.parametrize(
    "statements",
    [
        'BEGIN; ALTER TABLE "orders_order" ADD COLUMN "a" integer NULL; COMMIT;',
        'CREATE INDEX CONCURRENTLY "i" ON "orders_order" ("a");',
        'BEGIN; ALTER TABLE "orders_order" ADD CONSTRAINT "c" CHECK ("a" > 0) NOT VALID; COMMIT;',
        'ALTER TABLE "orders_order" VALIDATE CONSTRAINT "c";',
        'BEGIN; CREATE TABLE "t" ("id" uuid NOT NULL PRIMARY KEY, "a" integer NOT NULL CHECK ("a" > 0)); CREATE INDEX "i" ON "t" ("a"); COMMIT;',
    ],
)
def test_what_lets_others_go_on_passes(statements: str) -> None:
    assert faults(statements) == []


def test_an_excuse_names_the_rule_and_the_reason() -> None:
    assert EXCUSE.findall("# squawk-ignore renaming-column: nobody has read it since 0007") == ["renaming-column"]
    assert EXCUSE.findall("# squawk-ignore renaming-column:\n# squawk-ignore renaming-column") == []
