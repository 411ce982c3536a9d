"""What people ask for about themselves: a copy of everything, and to have their account closed."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, cast
from uuid import UUID

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from auditlog.actions import record
from auditlog.events import Event
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.exports import person as bundle
from port444.exports.models import Closing, CopyStatus, PersonalCopy
from port444.kit.clock import now
from port444.kit.errors import Conflict, NotAllowed, TooMany
from port444.kit.jobs import enqueue
from port444.kit.language import dated, speaking_to
from port444.kit.locks import alone
from port444.notifications.actions import notify

from .forgetting import InTheWay, anonymise_person, in_sight, unseen

KEPT_DAYS = 7
BETWEEN = timedelta(hours=24)
LOST_AFTER = timedelta(minutes=15)
CLOSING_DAYS = 14
TRY_AGAIN = timedelta(days=1)


@transaction.atomic
def ask_for_copy(user_id: UUID, *, actor: User) -> PersonalCopy:
    """Have everything of the person put into a zip by the queue. Raises TooMany within a day of the last one, Conflict while one is made."""
    person = _own(user_id, actor)
    moment = now()
    last = PersonalCopy.objects.filter(user=person).order_by("-id").first()
    if last is not None and last.status == CopyStatus.ASKED:
        raise Conflict(_("A copy is being made already."), code="copy")
    if last is not None and last.asked_at > moment - BETWEEN:
        raise TooMany(_("You can ask for one copy a day."))
    copy = PersonalCopy.objects.create(user=person, asked_at=moment)
    record(Event.COPY_ASKED, actor=actor, target=copy, user=person.pk)
    enqueue("port444.exports.jobs.make_copy", str(copy.pk))
    return copy


def make_copy(copy_id: UUID) -> None:
    """Make the zip and tell the person. After a crash it is made anew, in the place of what was left; at the same time the second does nothing."""
    with alone(f"copy:{copy_id}") as is_mine:
        copy = PersonalCopy.objects.select_related("user").filter(pk=copy_id, status=CopyStatus.ASKED).first()
        if is_mine and copy is not None:
            _make(copy)


def _make(copy: PersonalCopy) -> None:
    with tempfile.TemporaryFile() as file:
        packed = bundle.write(cast(BinaryIO, file), copy.user, f"{now().astimezone(UTC):%Y-%m-%d %H:%M}", settings.SITE_URL)
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        default_storage.delete(copy.file_name)
        default_storage.save(copy.file_name, File(file))
    with transaction.atomic():
        copy = PersonalCopy.objects.select_for_update(of=("self",), no_key=True).select_related("user").get(pk=copy.pk)
        if copy.status != CopyStatus.ASKED:
            return
        moment = now()
        copy.move_to(CopyStatus.READY, ready_at=moment, until=moment + timedelta(days=KEPT_DAYS), size=size)
        record(Event.PERSON_EXPORTED, actor=copy.user, target=copy.user, rows=packed.rows, files=packed.files, missing=packed.missing, bytes=size)
        with speaking_to(copy.user):
            notify(
                copy.user,
                "account.copy_ready",
                title=_("The copy of your data is ready"),
                body=_("It can be downloaded for %(days)s days, after you have typed your password.") % {"days": KEPT_DAYS},
                url=reverse("exports:own"),
                dedupe_key=f"copy:{copy.pk}",
            )


@transaction.atomic
def remove_copies_batch(moment: datetime, limit: int) -> int:
    """Delete copies whose days are over; how many."""
    rows = PersonalCopy.objects.select_for_update(skip_locked=True, of=("self",), no_key=True).over(moment).order_by("until")[:limit]
    copies = list(rows)
    for copy in copies:
        copy.move_to(CopyStatus.GONE, gone_at=moment)
        record(Event.COPY_REMOVED, actor=None, target=copy, user=copy.user_id)
        enqueue("port444.exports.jobs.remove_file", copy.file_name)
    return len(copies)


@transaction.atomic
def make_lost_copies(moment: datetime, limit: int) -> int:
    """Hand copies that nobody makes to the queue again; how many."""
    lost = list(PersonalCopy.objects.waiting(moment - LOST_AFTER).order_by("asked_at").values_list("pk", flat=True)[:limit])
    for pk in lost:
        enqueue("port444.exports.jobs.make_copy", str(pk))
    return len(lost)


def told_copy(copy: PersonalCopy, *, actor: User) -> None:
    """Note that the file was handed out."""
    record(Event.COPY_TAKEN, actor=actor, target=copy, user=copy.user_id, bytes=copy.size)


@transaction.atomic
def ask_to_close(user_id: UUID, *, actor: User) -> Closing:
    """Close the account in two weeks. Raises InTheWay while anything is open, Conflict when it was asked for already."""
    person = _own(user_id, actor)
    moment = now()
    if reasons := own_words(person, moment):
        raise InTheWay(reasons)
    if Closing.objects.standing().filter(user=person).exists():
        raise Conflict(_("Your account is closing already."), code="closing")
    closing = Closing.objects.create(user=person, asked_at=moment, closes_at=moment + timedelta(days=CLOSING_DAYS))
    record(Event.CLOSING_ASKED, actor=actor, target=closing, user=person.pk, closes_at=closing.closes_at)
    with speaking_to(person):
        notify(
            person,
            "account.closing",
            title=_("Your account closes on %(day)s") % {"day": dated(closing.closes_at, "j F")},
            body=_("Until then everything works as before, and you can keep it with one press. Was it not you? Change your password and keep it."),
            url=reverse("exports:own"),
            dedupe_key=f"closing:{closing.pk}",
        )
    return closing


@transaction.atomic
def keep_account(user_id: UUID, *, actor: User) -> None:
    """Take the closing back. Raises Conflict when there is none."""
    person = _own(user_id, actor)
    closing = Closing.objects.select_for_update(of=("self",)).standing().filter(user=person).first()
    if closing is None:
        raise Conflict(_("Your account is not closing."), code="closing")
    closing.kept_at = now()
    closing.save(update_fields=["kept_at"])
    record(Event.CLOSING_TAKEN_BACK, actor=actor, target=closing, user=person.pk)


def close_due(moment: datetime, limit: int) -> int:
    """Close accounts whose day has come, each in a transaction of its own; how many were closed. What is in the way is told, and it is tried
    again the day after."""
    due = list(Closing.objects.due(moment).order_by("closes_at").values_list("pk", flat=True)[:limit])
    return sum(_close(pk, moment) for pk in due)


@transaction.atomic
def _close(closing_id: UUID, moment: datetime) -> bool:
    closing = Closing.objects.select_related("user").get(pk=closing_id)
    # The builder before the person, as everywhere; what the closing is now shows once its row is locked.
    list(Builder.objects.select_for_update(of=("self",)).filter(user=closing.user_id))
    person = User.objects.select_for_update(of=("self",)).get(pk=closing.user_id)
    closing = Closing.objects.select_for_update(of=("self",)).get(pk=closing_id)
    if closing.kept_at or closing.closed_at or closing.closes_at > moment:
        return False
    reasons = own_words(person, moment)
    if not reasons:
        closing.closed_at = moment
        closing.save(update_fields=["closed_at"])
        record(Event.ACCOUNT_CLOSED, actor=person, target=closing, user=person.pk)
        anonymise_person(person.pk, actor=person)
        return True
    closing.closes_at, words = moment + TRY_AGAIN, "\n".join(reasons)
    was, closing.in_the_way = closing.in_the_way, words
    closing.save(update_fields=["closes_at", "in_the_way"])
    if words != was:
        record(Event.CLOSING_HINDERED, actor=None, target=closing, user=person.pk, reasons=len(reasons))
        with speaking_to(person):
            notify(
                person,
                "account.closing",
                title=_("Your account could not be closed yet"),
                body="\n".join(own_words(person, moment)),
                url=reverse("exports:own"),
                dedupe_key=f"closing:{closing.pk}:{moment:%Y%m%d}",
            )
    return False


def own_words(person: User, moment: datetime) -> list[str]:
    """What is in the way of closing, as the person may know it: that somebody looks into something is not told."""
    looked_at = [_("Something is being looked at: write to support.")] if unseen(person, moment) else []
    return [*in_sight(person, moment), *looked_at]


def _own(user_id: UUID, actor: User) -> User:
    if actor.pk != user_id:
        raise NotAllowed(_("Only they can ask for it."))
    return User.objects.select_for_update(of=("self",), no_key=True).get(pk=user_id)
