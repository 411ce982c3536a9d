"""Who of the staff may do what: the groups of the console and their permissions. Being staff alone opens the door and no room."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import Q, QuerySet

from auditlog.actions import record
from auditlog.events import Event
from port444.accounts.models import User
from port444.kit.errors import NotAllowed

from .models import Plan

PERMISSIONS = dict(Plan._meta.permissions)

GROUPS = {
    "Agent": {"see_people", "open_threads", "view_as", "issue_credits", "refund", "see_incidents"},
    "Senior agent": {
        "see_people",
        "open_threads",
        "view_as",
        "issue_credits",
        "refund",
        "merge_orders",
        "decide_disputes",
        "restrict",
        "approve",
        "see_incidents",
        "work_incidents",
        "read_audit",
        "edit_words",
    },
    "Finance": {"see_people", "issue_credits", "refund", "approve", "read_audit", "export_data"},
    "Security": {"see_people", "open_threads", "view_as", "restrict", "approve", "see_incidents", "work_incidents", "read_audit", "export_data"},
    "Auditor": {"see_people", "see_incidents", "read_audit"},
}


def may(user: Any, permission: str) -> bool:
    """Whether a member of staff has one of PERMISSIONS."""
    if permission not in PERMISSIONS:
        raise LookupError(f"no permission is called {permission!r}")
    return bool(user.is_active and user.is_staff and user.has_perm(f"support.{permission}"))


def may_any(user: Any, permissions: Iterable[str]) -> bool:
    """Whether a member of staff has at least one of these."""
    return any(may(user, permission) for permission in permissions)


def require(user: Any, permission: str) -> None:
    """Raise NotAllowed unless a member of staff has one of PERMISSIONS."""
    if not may(user, permission):
        raise NotAllowed(f"Your group may not do this: {PERMISSIONS[permission].lower()}.", code="no_permission")


def who_may(permission: str) -> QuerySet[User]:
    """The staff who have one of PERMISSIONS, by name."""
    granted = Group.objects.filter(permissions__codename=permission, permissions__content_type__app_label="support")
    staff = User.objects.filter(is_active=True, is_staff=True, suspended_at__isnull=True)
    return staff.filter(Q(is_superuser=True) | Q(groups__in=granted)).distinct().order_by("name", "pk")


def is_support(user: Any) -> bool:
    """Whether a member of staff is in a group of the console at all. Being staff alone opens nothing."""
    return bool(user.is_active and user.is_staff and any(user.has_perm(f"support.{permission}") for permission in PERMISSIONS))


@transaction.atomic
def make_groups(sender: Any, using: str, **signal: Any) -> None:
    """After migrations: every group has just the permissions that are written above."""
    create_permissions(sender, verbosity=0, using=using)
    known = {one.codename: one for one in Permission.objects.using(using).filter(content_type__app_label="support", codename__in=PERMISSIONS)}
    for name, granted in GROUPS.items():
        group, _ = Group.objects.using(using).get_or_create(name=name)
        had = {one.codename for one in group.permissions.all()}
        if had != granted:
            group.permissions.set([known[codename] for codename in granted])
            before, after = {"permissions": sorted(had)}, {"permissions": sorted(granted)}
            record(Event.GROUP_CHANGED, actor=None, target=group, before=before, after=after, name=name)
