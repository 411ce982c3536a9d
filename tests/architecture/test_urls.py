"""Every address of the site, tried by somebody who has no business there. A new address is covered by being in the URL table."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from port444.accounts.models import User
from tests.security.headers import wrong as wrong_headers

from .conftest import World

REFUSED = {403, 404, 405}
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}
LOGIN = "/account/login/"

# Addresses that a stranger may read although the object in them is somebody else's, and why.
PUBLIC = {
    "builders:card": "as the profile",
    "builders:detail": "a profile is shown to everybody",
    "builders:photo": "as the profile",
    "builders:picture": "as the profile",
    "catalog:category": "a category is shown to everybody",
    "catalog:service": "a published service is shown to everybody",
    "catalog:card": "as the service",
    "catalog:cover": "as the service",
    "orders:builder_reviews": "as the profile",
    "orders:service_reviews": "as the service",
    "messaging:start": "everybody may write to a builder; the message is the writer's own",
    "messaging:report_person": "everybody may report a builder",
    "consultations:book": "the hours of a builder are shown to everybody",
    "consultations:times": "as the page",
    "consultations:quote": "as the page",
    "consultations:feed_file": "the signed token in the address is the proof",
    "notifications:unsubscribe": "the signed token in the mail is the proof",
    "pages:topic": "help is for everybody",
    "pages:sitemap_of": "a list of public pages",
}
# Addresses that take a POST from people who are not signed in, and why.
FOR_EVERYBODY = {
    "accounts:language": "as the colours",
    "accounts:theme": "light or dark is kept by the browser",
    "payments:sandbox_callback": "signed by the provider",
    "notifications:unsubscribe": "the signed token in the mail is the proof",
}
# POSTs with somebody else's object in the address that are meant for strangers, and why.
OPEN_TO_STRANGERS = {
    "messaging:start": "everybody may write to a builder",
    "messaging:report_person": "everybody may report a builder; the report is the writer's own",
    "orders:place": "everybody may order a published package; the order is the buyer's own",
    "consultations:hold": "everybody may book a call; the call is the booker's own",
    "favourites:service": "everybody may save a service; the list is their own",
    "favourites:builder": "as a service",
    "away:want": "everybody may ask to hear of a return; the wish is their own",
    "away:forget": "as asking",
    "notifications:unsubscribe": "the signed token in the mail is the proof",
}
# What a job makes later, which no job did here.
NOT_MADE_YET = {"exports:copy", "messaging:picture", "messaging:small"}
COMES_WITH_A_LOOK = {
    "catalog.Visit": "who looks at a service is counted, by a number",
    "accounts.Session": "a message for the next page is kept in it",
    "messaging.ReadMarker": "opening a thread is what reading it means",
}
# Pages of which the log says that somebody looked, and at what.
RECORDED = {
    "support:audit": "reading the log",
    "support:dispute": "looking at both sides of a dispute",
    "support:dispute_file": "opening a file of a dispute",
    "support:panel": "looking at a person's private things",
    "support:person": "looking at a person",
}
# Not of this table: allauth's own pages, tested by allauth and in tests/accounts; the API, tried in tests/api; and the pages of development.
FOREIGN = ("account_", "mfa_", "api:")
DEVELOPMENT = ("notifications:outbox", "notifications:captured")


@dataclass(frozen=True)
class Address:
    """One entry of the URL table."""

    name: str
    pattern: URLPattern
    prefix: str

    @property
    def arguments(self) -> dict[str, Any]:
        return dict(self.pattern.pattern.converters)

    def path(self, world: World) -> str:
        """The address with objects of others in it; made-up values where the registry knows none."""
        url = f"/{self.prefix}{self.pattern.pattern}"
        namespace, _, view = self.name.rpartition(":")
        for arg, converter in self.arguments.items():
            value = world.find(namespace, view, arg)
            kind = type(converter).__name__
            made_up = {"UUIDConverter": uuid.uuid4(), "IntConverter": 1, "SlugConverter": "nobody"}.get(kind, "nobody")
            text = str(made_up if value is None else value)
            for written in (f"<{kind.removesuffix('Converter').lower()}:{arg}>", f"<{arg}>", f"<str:{arg}>"):
                url = url.replace(written, text)
        assert "<" not in url, f"{self.name}: {url}"
        return url

    def methods(self) -> set[str] | None:
        """The methods that the view's decorators let through; None when it states none."""
        view: Any = self.pattern.callback
        while view is not None:
            for cell in getattr(view, "__closure__", None) or ():
                if isinstance(cell.cell_contents, list) and cell.cell_contents and set(cell.cell_contents) <= {"GET", "HEAD", "POST"}:
                    return set(cell.cell_contents)
            view = getattr(view, "__wrapped__", None)
        return None


def table(patterns: list[Any] | None = None, namespace: str = "", prefix: str = "") -> Iterator[Address]:
    for entry in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(entry, URLResolver):
            yield from table(entry.url_patterns, f"{namespace}{entry.namespace}:" if entry.namespace else namespace, f"{prefix}{entry.pattern}")
        elif entry.name:
            yield Address(f"{namespace}{entry.name}", entry, prefix)


ALL = [address for address in table() if not address.name.startswith(FOREIGN)]
CONSOLE = [address for address in ALL if address.name.startswith("admin:")]
OURS = [address for address in ALL if not address.name.startswith(("admin:", *DEVELOPMENT))]
WITH_OBJECTS = [address for address in OURS if address.arguments]


def rows() -> dict[str, int]:
    """How many rows every table has, but for those that come with a look."""
    models = [model for model in apps.get_models() if model._meta.label not in COMES_WITH_A_LOOK]
    counts = ", ".join(f'(SELECT count(*) FROM "{model._meta.db_table}")' for model in models)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {counts}")
        return dict(zip([model._meta.label for model in models], cursor.fetchone(), strict=True))


def browser(user: User | None = None) -> Client:
    """Somebody's browser; a view that fails is an answer like another, 500."""
    client = Client(raise_request_exception=False)
    if user is not None:
        client.force_login(user)
    return client


def is_sign_in(response: Any) -> bool:
    return response.status_code == 302 and str(response["Location"]).startswith(LOGIN)


Try = Callable[[Address, str], list[object]]


def offenders(addresses: list[Address], world: World, attempt: Try, may_write: Collection[str] = ()) -> list[str]:
    """What went wrong at which address. Each attempt is undone; none may leave a row behind but at those that `may_write`."""
    found = []
    before = rows()
    for address in addresses:
        with transaction.atomic():
            wrong = attempt(address, address.path(world))
            after = rows()
            wrong += [
                f"{name}: {after[name] - count:+d} rows" for name, count in before.items() if after[name] != count and address.name not in may_write
            ]
            transaction.set_rollback(True)
        found += [f"{address.name}: {word}" for word in wrong]
    return found


def test_the_table_is_walked() -> None:
    found = {address.name for address in ALL}
    assert {"accounts:theme", "messaging:thread", "payments:start", "admin:payments_withdrawal_sent"} <= found


def test_lists_of_exceptions_name_addresses_that_exist() -> None:
    exceptions = {
        name
        for name in (*PUBLIC, *FOR_EVERYBODY, *OPEN_TO_STRANGERS, *RECORDED)
        if name.partition(":")[0] in {a.name.partition(":")[0] for a in OURS}
    }
    assert exceptions - {address.name for address in OURS} == set()


def test_every_view_states_its_methods() -> None:
    """require_GET, require_POST or require_http_methods."""
    assert [address.name for address in OURS if not address.methods()] == []


def test_other_methods_are_refused(world: World) -> None:
    """Above all: what changes something is not done by following a link."""
    client = browser(world.stranger)

    def attempt(address: Address, path: str) -> list[object]:
        others = METHODS - (address.methods() or METHODS)
        return [(method, status) for method in sorted(others) if (status := client.generic(method, path).status_code) != 405]

    assert offenders(OURS, world, attempt) == []


def test_nobody_writes_without_signing_in(world: World) -> None:
    def attempt(address: Address, path: str) -> list[object]:
        response = browser().post(path)
        refused = is_sign_in(response) or response.status_code in REFUSED
        expected = response.status_code < 500 if address.name in FOR_EVERYBODY else refused
        return [] if expected else [response.status_code]

    assert offenders(OURS, world, attempt, FOR_EVERYBODY) == []


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}], ids=["page", "htmx"])
def test_stranger_writes_nothing_to_what_is_not_theirs(world: World, headers: dict[str, str]) -> None:
    client = browser(world.stranger)

    def attempt(address: Address, path: str) -> list[object]:
        status = client.post(path, headers=headers).status_code
        expected = status < 500 if address.name in OPEN_TO_STRANGERS else status in REFUSED
        return [] if expected else [status]

    assert offenders(WITH_OBJECTS, world, attempt, OPEN_TO_STRANGERS) == []


def test_stranger_sees_nothing_that_is_not_theirs(world: World) -> None:
    client = browser(world.stranger)

    def attempt(address: Address, path: str) -> list[object]:
        status = client.get(path).status_code
        expected = status < 400 if address.name in PUBLIC else status in REFUSED
        return [] if expected else [status]

    assert offenders(WITH_OBJECTS, world, attempt) == []


@pytest.mark.parametrize("who", ["client", "builder", "stranger", "staff", "nobody"])
def test_looking_writes_nothing_and_fails_nowhere(world: World, who: str) -> None:
    client = browser(getattr(world, who, None))

    def attempt(address: Address, path: str) -> list[object]:
        response = client.get(path)
        failed = [response.status_code] if response.status_code >= 500 else []
        return [*failed, *wrong_headers(response, signed_in=who != "nobody")]

    assert offenders(OURS, world, attempt, RECORDED) == []


def test_owner_finds_what_the_stranger_does_not(world: World) -> None:
    """The registry of objects is right: for its owners, or staff, the same address is no 404."""
    missing, lost = [], []
    for address in WITH_OBJECTS:
        namespace, _, view = address.name.rpartition(":")
        if any(world.find(namespace, view, arg) is None for arg in address.arguments):
            missing.append(address.name)
            continue
        found = set()
        for user in (world.staff,) if namespace == "support" else (world.client, world.builder):
            with transaction.atomic():
                client, path = browser(user), address.path(world)
                found.add((client.get if "GET" in (address.methods() or ()) else client.post)(path).status_code)
                transaction.set_rollback(True)
        if (found <= {404} and address.name not in NOT_MADE_YET) or max(found) >= 500:
            lost.append((address.name, found))
    assert missing == [], "name their objects in tests/architecture/conftest.py"
    assert lost == []


def test_console_is_closed_to_people(world: World) -> None:
    client = browser(world.stranger)
    found, before = [], rows()
    for address in CONSOLE:
        path = f"/{address.prefix}{address.pattern.pattern}"
        path = path.replace("<uuid:user_id>", str(world.client.pk)).replace("<path:object_id>", str(world.client.pk))
        for method in ("GET", "POST"):
            response = client.generic(method, path)
            sent_away = response.status_code == 302 and response["Location"].startswith(("/console/", LOGIN))
            if not sent_away and response.status_code not in REFUSED:
                found.append((address.name, method, response.status_code))
    assert found == []
    assert rows() == before
