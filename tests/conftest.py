"""The cast and the database of all tests.

The test database is made and migrated by the owner's role and used by the serving role, as in production, so that a missing
privilege fails here first.
"""

from __future__ import annotations

import fcntl
import gc
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import pytest
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.db import connection, connections
from django.db.models import Sum
from django.test import TransactionTestCase
from xdist.scheduler import LoadScopeScheduling

from auditlog import queries
from auditlog.actions import sealing
from auditlog.detectors import rows
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit.clock import now
from port444.payments.models import VOID, Compensation, Credit, CreditEntry, CreditStep, CreditUse, EscrowOperation, LedgerAccount, Posting
from tests import copies, power

os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright's event loop runs in the test's thread

OWNER, APP = "port444_owner", "port444_app"


# Tests that start a whole site share it, so that each of these files stays on one worker. What takes longest is begun first. Where
# money lies on a chain, two files share one site.
ON_A_CHAIN = ("tests/e2e/test_change_on_chain.py", "tests/e2e/test_wallet.py")
WHOLE_SITE = ("tests/faults/", "tests/e2e/", "tests/boot/")
LONGEST = ("tests/faults/test_killed.py", "tests/e2e/test_main_job.py", *ON_A_CHAIN, "tests/e2e/test_calls.py", "tests/faults/")
# And these share what takes seconds: a server that starts, a source that is read, a contract that is compiled, a description that is read.
TOGETHER = ("tests/api/test_schemathesis.py", "tests/auditlog/test_cold.py", "tests/auditlog/test_coverage.py", "tests/chain/test_mutant.py")
AT_ONCE = 2  # sites that are walked through at the same time: a third worker does what needs no site, while those two wait


class ByTest(LoadScopeScheduling):  # type: ignore[misc]  # xdist carries no types
    """Hands out tests one by one in their order, so that those which commit rows of the audit log come last on every worker (nobody can
    take those away again), and those that share a site together."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(ON_A_CHAIN):
            return ON_A_CHAIN[0]
        return nodeid.split("::")[0] if has_site(nodeid) or nodeid.startswith(TOGETHER) else nodeid

    def _assign_work_unit(self, node: Any) -> None:
        others = [units for other, units in self.assigned_work.items() if other is not node]
        at_work = sum(any(has_site(scope) and not all(tests.values()) for scope, tests in units.items()) for units in others)
        found = next((scope for scope in self.workqueue if has_site(scope) == (at_work < AT_ONCE)), None)
        if found is not None:
            self.workqueue.move_to_end(found, last=False)
        super()._assign_work_unit(node)


def has_site(scope: str) -> bool:
    return scope.startswith(WHOLE_SITE)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByTest:
    config.option.loadscopereorder = False  # the order is that of the next function
    return ByTest(config, log)


TURN = pytest.StashKey[IO[str]]()


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Where there are several workers, one reads the tests after the other: what the first has rewritten and compiled, the others only load."""
    if "PORT444_COPIES" in os.environ and "PYTEST_XDIST_WORKER" in os.environ:
        turn = session.config.stash[TURN] = (Path(os.environ["PORT444_COPIES"]) / "collecting").open("a")
        fcntl.flock(turn, fcntl.LOCK_EX)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Whole sites first, and of those the longest."""
    if TURN in config.stash:
        config.stash[TURN].close()
    weights = (*LONGEST, *WHOLE_SITE)
    items.sort(key=lambda item: next((place for place, path in enumerate(weights) if item.nodeid.startswith(path)), len(weights)))


def pytest_collection_finish(session: pytest.Session) -> None:
    """What sites begin with is there before the first test: who waited for it would have less time. And what is there by now stays, so that
    nobody has to look again and again for what may be cleared away."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    if any(item.nodeid.startswith("tests/e2e/") for item in session.items) and not session.config.option.collectonly:
        copies.kept(copies.DEMO)


def log_in_as(role: str) -> None:
    connection.close()
    connection.settings_dict["USER"] = role


# What Django knows of models and permissions. It stays: Django's own way of emptying tables writes it anew after every test that commits.
NAMES = {"django_content_type", "auth_permission", "auth_group", "auth_group_permissions"}
# What is as closed as the log itself: nobody empties it.
PROOF = {"audit_seal", "audit_leaves", "audit_anchor", "audit_check", "audit_export", "audit_move"}


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    log_in_as(OWNER)
    connection.settings_dict["TEST"]["TEMPLATE"] = copies.kept(copies.TABLES)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """After the owner has migrated: serve as the app. Tests that commit empty the tables afterwards."""
    with django_db_blocker.unblock():
        log_in_as(APP)
        tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
        power.let_empty(connection.settings_dict["NAME"], set(tables) - NAMES - PROOF)
        power.narrow(connection.settings_dict["NAME"])

    def empty(case: TransactionTestCase) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT empty_tables()")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty)
        patch.setattr(sealing, "NOW", sealing.NOW.replace(power.CLUSTER, power.OWN))
        patch.setattr(rows, "HORIZON", rows.HORIZON.replace(power.CLUSTER, power.OWN))
        yield
    with django_db_blocker.unblock():
        for other in connections.all():
            other.close()
    log_in_as(OWNER)


@pytest.fixture
def detectors_have_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The detectors have read whatever was recorded, in a transaction of the test that nobody else can read."""
    monkeypatch.setattr(queries, "detected", lambda: queries.Detected(2**61, now() + timedelta(days=3650), 2**62))


@pytest.fixture(autouse=True)
def books_balance(request: pytest.FixtureRequest) -> Iterator[None]:
    """After every test that uses the database: all postings sum to zero, and every balance is the sum of its postings."""
    database = next((name for name in ("transactional_db", "db") if name in request.fixturenames), None)
    marker = request.node.get_closest_marker("django_db")
    if database is None and marker is None:
        yield
        return
    if database is None:
        database = "transactional_db" if marker.kwargs.get("transaction") else "db"
    request.getfixturevalue(database)
    yield
    assert_books_balance()


BOOKS = " OR ".join(
    f"EXISTS (SELECT FROM {model._meta.db_table})"
    for model in (Posting, LedgerAccount, Credit, CreditUse, CreditEntry, EscrowOperation, Compensation)
)


def assert_books_balance() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {BOOKS}")
        if not cursor.fetchone()[0]:  # which is quickly asked: most tests move no money
            return
    assert (Posting.objects.aggregate(total=Sum("amount"))["total"] or 0) == 0
    accounts = LedgerAccount.objects.annotate(posted=Sum("postings__amount"))
    assert [a for a in accounts if a.balance != (a.posted or 0)] == []
    assert_credits_balance()


def assert_credits_balance() -> None:
    """What was given of every credit is left, held, spent, expired or voided, as its entries say and as its uses say; and the platform has
    advanced what lies in deals and nothing else."""
    for credit in Credit.objects.prefetch_related("uses", "entries"):
        of = dict.fromkeys(CreditStep, Decimal(0))
        for entry in credit.entries.all():
            of[CreditStep(entry.step)] += entry.amount
        held, spent = of[CreditStep.HELD] - of[CreditStep.FREED] - of[CreditStep.SPENT], of[CreditStep.SPENT] - of[CreditStep.RETURNED]
        assert of[CreditStep.ISSUED] == credit.amount
        assert credit.amount == credit.remaining + held + spent + of[CreditStep.EXPIRED] + of[CreditStep.VOIDED]
        assert min(credit.remaining, held, spent) >= 0
        assert held + spent == sum(use.amount - use.returned for use in credit.uses.all())
    advanced = Decimal(0)
    for operation in EscrowOperation.objects.exclude(status__in=VOID):
        if operation.kind in ("open", "amend"):  # lent when the invoice was paid, whether escrow has it already or not
            advanced += operation.prepaid + operation.gift
        elif operation.kind != "move" and operation.applied_at is not None:
            advanced -= operation.prepaid + (operation.gift if operation.kind == "refund" else 0)
    advanced -= sum(Compensation.objects.values_list("gift", flat=True))
    row = LedgerAccount.objects.filter(kind="credits").first()
    assert (row.balance if row else 0) == -advanced


PASSWORD = "correct horse battery"


@pytest.fixture
def make_user(db: None) -> Callable[..., User]:
    def make(name: str, **fields: Any) -> User:
        return User.objects.create_user(f"{name.split()[0].lower()}@example.com", PASSWORD, name=name, **fields)

    return make


@pytest.fixture
def client_user(make_user: Callable[..., User]) -> User:
    return make_user("Jonas Vermeer", time_zone="Europe/Amsterdam")


@pytest.fixture
def builder_user(make_user: Callable[..., User]) -> User:
    user = make_user("Anaya Krishnan", is_builder=True, is_client=False, time_zone="Asia/Kolkata")
    Builder.objects.create(user=user, slug="anaya-krishnan", headline="Django and Postgres performance")
    return user


@pytest.fixture
def builder(builder_user: User) -> Builder:
    return builder_user.builder


@pytest.fixture
def stranger(make_user: Callable[..., User]) -> User:
    return make_user("Sam Stranger", is_builder=True)


def in_groups(user: User, *names: str) -> User:
    """Somebody of the support staff: in groups of the console (see `support.roles`)."""
    user.groups.add(*[Group.objects.get(name=name) for name in names])
    return user


@pytest.fixture
def staff(make_user: Callable[..., User]) -> User:
    """Somebody who may do anything in the console."""
    return in_groups(make_user("Olu Staff", is_staff=True), "Senior agent", "Finance", "Security")


@pytest.fixture
def agent(make_user: Callable[..., User]) -> User:
    return in_groups(make_user("Mara Tanaka", is_staff=True), "Agent")


@pytest.fixture
def senior(make_user: Callable[..., User]) -> User:
    return in_groups(make_user("Ines Duarte", is_staff=True), "Senior agent")


@pytest.fixture
def finance(make_user: Callable[..., User]) -> User:
    return in_groups(make_user("Samir Aydin", is_staff=True), "Finance")


@pytest.fixture
def security(make_user: Callable[..., User]) -> User:
    return in_groups(make_user("Noor Haddad", is_staff=True), "Security")


@pytest.fixture
def auditor(make_user: Callable[..., User]) -> User:
    return in_groups(make_user("Piet Keizer", is_staff=True), "Auditor")


@pytest.fixture(autouse=True)
def private_files(tmp_path: Any, settings: Any) -> None:
    settings.STORAGES = {**settings.STORAGES, "default": {**settings.STORAGES["default"], "OPTIONS": {"location": str(tmp_path / "storage")}}}
    settings.HEARTBEAT_FILE = str(tmp_path / "heartbeat")
    settings.AUDIT_COLD_URL = (tmp_path / "cold").as_uri()


@pytest.fixture(autouse=True)
def fresh_limits() -> None:
    """Rate limits are counted in the cache, which all tests of a process share."""
    cache.clear()
