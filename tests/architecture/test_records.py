"""Every address of the records (Django's own admin), tried by every group of staff: each sees what it may, nobody adds, changes or deletes
anything, and a button does nothing without its permission or with an empty form. A new page of the admin is covered by being registered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.db import models, transaction
from django.db.models import Max

from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.kit.console import ReadOnlyAdmin

from .conftest import World
from .test_console import member
from .test_urls import CONSOLE, Address, browser, rows

__all__ = ["member"]

# What is around the pages of the rows.
FRAME = {"index", "login", "logout", "password_change", "password_change_done", "autocomplete", "jsi18n", "view_on_site", "app_list"}
ARGUMENTS = {"verb": "retry", "outcome": "confirmed", "kind": "csv"}  # of buttons that take words
# Of which this small world has no row: what is swept, what needs a chain or a bank, and what nobody here has done.
EMPTY = {
    "accounts.QueuedMail",
    "accounts.UserDevice",
    "auditlog.AuditExport",
    "auditlog.IncidentLog",
    "catalog.PricePoint",
    "consultations.Absence",
    "consultations.Attendance",
    "consultations.MeetingRoom",
    "messaging.Report",
    "notifications.Preference",
    "orders.Delivery",
    "orders.Nudge",
    "orders.Review",
    "orders.Revision",
    "payments.BankAccount",
    "payments.ChainDifference",
    "payments.ChainStatus",
    "payments.ChainTransfer",
    "payments.Compensation",
    "payments.PayoutBatch",
    "payments.PayoutHold",
    "payments.Refund",
    "payments.WalletPayment",
    "support.ThreadOpening",
}
READS = {"audit.read", "person.seen"}  # what a look may leave in the log
RECORDS = [address for address in CONSOLE if address.name.removeprefix("admin:") not in FRAME]


def permissions_of(address: Address) -> tuple[str, ...] | None:
    """What a button takes; None for the pages of rows."""
    view: Any = address.pattern.callback
    while view is not None:
        if hasattr(view, "permissions"):
            return tuple(view.permissions)
        view = getattr(view, "__wrapped__", None)
    return None


def page_of(address: Address) -> tuple[type[models.Model], ReadOnlyAdmin, str]:
    """Whose rows these are, and what the page is of them: changelist, change, add, delete, history."""
    name, _, verb = address.name.removeprefix("admin:").rpartition("_")
    found = {f"{model._meta.app_label}_{model._meta.model_name}": (model, page) for model, page in admin.site._registry.items()}
    model, page = found[name]
    assert isinstance(page, ReadOnlyAdmin)
    return model, page, verb


def tried(world: World, member: tuple[User, set[str]]) -> Iterator[tuple[Address, str, bool, str]]:
    """Address, path, whether this group may see it, and what it is: a button, or a page of rows by its name."""
    _, granted = member
    for address in RECORDS:
        needed = permissions_of(address)
        if needed is not None:
            path = address.path(World(**{**vars(world), "objects": {**world.objects, **ARGUMENTS}}))
            yield address, path, set(needed) <= granted, "button"
            continue
        model, page, verb = page_of(address)
        path = f"/{address.prefix}{address.pattern.pattern}"
        if "<path:object_id>" in path:
            row = model._default_manager.order_by("-pk").first()
            if row is None:
                continue
            path = path.replace("<path:object_id>", str(quote(row.pk)))
        yield address, path, page.seen_with in granted, verb


def newest() -> int:
    return AuditLog.objects.aggregate(newest=Max("id"))["newest"] or 0


def changed(before: dict[str, int], log: int) -> list[str]:
    after = rows()
    found = [f"{name}: {after[name] - count:+d} rows" for name, count in before.items() if after[name] != count and name != "auditlog.AuditLog"]
    return found + sorted(set(AuditLog.objects.filter(id__gt=log).values_list("event_type", flat=True)) - READS)


def test_every_button_says_what_it_takes() -> None:
    """By `needs`: what it does not say, everybody who sees the row could do."""
    stock = {"changelist", "change", "add", "delete", "history"}
    silent = [address.name for address in RECORDS if permissions_of(address) is None and address.name.rpartition("_")[2] not in stock]
    assert silent == []


def test_the_world_has_a_row_of_nearly_everything(world: World) -> None:
    assert {model._meta.label for model in admin.site._registry if not model._default_manager.exists()} - EMPTY == set()


def test_a_group_looks_at_what_it_may(world: World, member: tuple[User, set[str]]) -> None:
    client, wrong = browser(member[0]), []
    before, log = rows(), newest()
    for address, path, allowed, what in tried(world, member):
        status = client.get(path).status_code
        if what == "button":
            expected = status in (200, 404, 405) if allowed else status in (403, 405)
        else:
            expected = status == (200 if allowed and what not in ("add", "delete") else 403)
        if not expected:
            wrong.append((address.name, status))
    assert wrong == []
    assert changed(before, log) == []


def test_nobody_adds_changes_or_deletes(world: World, member: tuple[User, set[str]]) -> None:
    """Nor does an empty form: what is pressed says that it was."""
    client, wrong = browser(member[0]), []
    before, log = rows(), newest()
    for address, path, allowed, what in tried(world, member):
        with transaction.atomic():
            status = client.post(path, {} if what == "button" else {"post": "yes", "action": "delete_selected", "_selected_action": "1"}).status_code
        if what == "button":
            expected = status in (404, 409, 422) if allowed else status == 403
        elif what in ("changelist", "history"):
            expected = status == (200 if allowed else 403)
        else:
            expected = status == 403
        if not expected:
            wrong.append((address.name, status))
    assert wrong == []
    assert changed(before, log) == []


def test_what_cannot_be_undone_is_behind_a_second_factor() -> None:
    """Whatever takes the right to approve."""
    for address in RECORDS:
        view: Any = address.pattern.callback
        if "approve" in (permissions_of(address) or ()):
            assert view.proved, address.name
