"""Exports of whole tables. That data was taken away is itself recorded, before anything lies where it was asked for."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import file_digest
from typing import Any, BinaryIO

from django.apps import apps
from django.conf import settings
from django.db import transaction

from auditlog.actions import record
from auditlog.events import Event
from port444.accounts.models import User
from port444.exports import person as bundle
from port444.exports import places, reading, writing
from port444.exports.columns import Table
from port444.exports.writing import Format, Written
from port444.kit.clock import now
from port444.kit.errors import Invalid
from support.roles import require

Progress = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Made:
    """An export that is finished."""

    written: Written
    place: str


def export_table(
    table: Table,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    file_format: Format = Format.CSV,
    dest: str = places.STANDARD,
    actor: User | None = None,
    progress: Progress | None = None,
) -> Made:
    """Write the rows with since <= moment < until, of one moment, to `dest`. `actor` is None for whoever runs commands."""
    require_taker(actor)
    require_range(since, until)
    stem = f"{table.name}-{_name(since, 'beginning')}-{_name(until or now(), 'now')}"
    with places.opened(dest, stem, file_format.value) as opened:
        with reading.snapshot():
            written = writing.write(opened.file, table.columns, reading.rows_of(table, since, until), file_format, progress)
        _record(table, written, actor=actor, dest=dest, since=since, until=until, format=file_format.value)
        return Made(written, opened.publish(written.sha256))


def export_person(person: User, *, dest: str = places.STANDARD, actor: User | None = None, progress: Progress | None = None) -> Made:
    """Write everything of `person` as a zip to `dest`. Who asks is the person themselves, staff who may, or whoever runs commands."""
    if actor is None or actor.pk != person.pk:
        require_taker(actor)
    moment = now().astimezone(UTC)
    with places.opened(dest, f"person-{person.pk}-{moment:%Y%m%dT%H%M%S}", "zip") as opened:
        packed = bundle.write(opened.file, person, f"{moment:%Y-%m-%d %H:%M}", settings.SITE_URL, progress)
        written = _measured(opened.file, packed.rows)
        _record_person(person, written, packed, actor=actor, dest=dest)
        return Made(written, opened.publish(written.sha256))


def _measured(file: BinaryIO, rows: int) -> Written:
    file.seek(0)
    digest = file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # any file that was opened for bytes
    return Written(rows, file.seek(0, os.SEEK_END), digest)


@transaction.atomic
def _record_person(person: User, written: Written, packed: bundle.Packed, *, actor: User | None, dest: str) -> None:
    record(
        Event.PERSON_EXPORTED,
        actor=actor,
        target=person,
        rows=written.rows,
        files=packed.files,
        missing=packed.missing,
        bytes=written.size,
        sha256=written.sha256,
        dest=dest,
        **operator(actor),
    )


@transaction.atomic
def _record(table: Table, written: Written, *, actor: User | None, **facts: Any) -> None:
    target = apps.get_model(table.model)(pk=None)
    record(
        Event.DATA_EXPORTED,
        actor=actor,
        target=target,
        what=table.name,
        rows=written.rows,
        bytes=written.size,
        sha256=written.sha256,
        **operator(actor),
        **facts,
    )


def require_taker(actor: User | None) -> None:
    """Whoever runs commands may take everything away; staff whom the command names only with the permission."""
    if actor is not None:
        require(actor, "export_data")


def require_range(since: datetime | None, until: datetime | None) -> None:
    if since is not None and until is not None and since >= until:
        raise Invalid("The range ends before it begins: --from has to be earlier than --to.", code="range")


def operator(actor: User | None) -> dict[str, Any]:
    """Who sits at the machine, when nobody else is named."""
    return {} if actor is not None else {"operator": _account()}


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return "operator"


def _name(moment: datetime | None, otherwise: str) -> str:
    return f"{moment:%Y%m%dT%H%M%S}" if moment else otherwise
