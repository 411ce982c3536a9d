"""Everything of one person as a zip: a table each as JSON lines and as CSV, the files they uploaded, and a page that says what is there."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, BinaryIO
from uuid import UUID

from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.search import SearchVectorField
from django.core.files.storage import default_storage
from django.db import connection, models

from port444.accounts.models import User
from port444.builders.models import Builder, PortfolioPicture
from port444.kit.sealed import SealedField
from port444.messaging.models import Attachment

from . import reading, writing
from .columns import Column, Kind
from .holdings import HELD, LEFT, Held, condition
from .reading import Row
from .writing import Format

PIECE = 1 << 20
README = "README.txt"
INTRODUCTION = """\
{name}: everything that {site} holds of you
Taken on {moment} (UTC)

The folder "data" has each table twice: as .jsonl (one JSON object a line, for programs) and as .csv (for spreadsheets; text that begins as a
formula does is marked by an apostrophe). Amounts are in USDC and have two decimals. Times are in UTC. The folder "files" has the files that
you uploaded. Other people stand there by the name that you see on the site, and support as "support".

What is there:

"""
REST = """
What is not there, and why:

  Passwords, what your second factors are made of, and keys to calendars: they let somebody in, and you know or have them.
"""
FORMATS = (Format.JSONL, Format.CSV)


@dataclass(frozen=True, slots=True)
class Part:
    """A table as it is handed over."""

    table: str
    words: str
    query: str
    columns: tuple[Column, ...]
    sealed: Mapping[int, SealedField]


@dataclass(frozen=True, slots=True)
class Packed:
    rows: int
    files: int
    missing: int


def write(file: BinaryIO, person: User, moment: str, site: str, progress: Callable[[int], object] | None = None) -> Packed:
    """The zip into `file`. Files of the storage are read after the database."""
    counts: dict[str, int] = {}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as bundle:
        with reading.snapshot():
            for part in parts():
                counts[part.table] = _table(bundle, part, person.pk, progress)
            uploads = [*_uploads(person.pk)]
        missing = [name for name, stored in uploads if not _file(bundle, name, stored)]
        bundle.writestr(README, _readme(person, moment, site, counts, [name for name, _ in uploads], missing))
    file.flush()
    return Packed(sum(counts.values()), len(uploads) - len(missing), len(missing))


def _table(bundle: zipfile.ZipFile, part: Part, person_id: UUID, progress: Callable[[int], object] | None) -> int:
    """A table in both formats; nothing is written of one that has no rows."""
    rows = 0
    for file_format in FORMATS:
        pieces = (opened(part, piece) for piece in reading.rows(part.query, {"me": person_id}))
        first = next(pieces, None)
        if first is None:
            return 0
        with bundle.open(f"data/{part.table}.{file_format}", "w", force_zip64=True) as member:
            written = writing.write(member, part.columns, _again(first, pieces), file_format)  # type: ignore[arg-type]  # a member of a zip is written to like a file
        rows = written.rows
    if progress:
        progress(rows)
    return rows


def _again(first: Sequence[Row], rest: Iterator[Sequence[Row]]) -> Iterator[Sequence[Row]]:
    yield first
    yield from rest


def opened(part: Part, rows: Sequence[Row]) -> Sequence[Row]:
    """Rows with what the database holds encrypted in plain words."""
    if not part.sealed:
        return rows
    return [tuple(_unsealed(part.sealed.get(place), cell) for place, cell in enumerate(row)) for row in rows]


def _unsealed(field: SealedField | None, cell: Any) -> Any:
    return cell if field is None or cell is None else json.dumps(field.from_db_value(cell, None, connection))


def _uploads(person_id: UUID) -> Iterator[tuple[str, str]]:
    """What the person uploaded: its name in the zip and where it lies."""
    mine = Attachment.objects.filter(owner=person_id).order_by("pk")
    for pk, name, stored in mine.values_list("pk", "name", "file").iterator():
        if stored:
            yield f"files/{pk}-{_plain(name)}", stored
    photo = Builder.objects.filter(user=person_id).values_list("photo", flat=True).first()
    if photo:
        yield f"files/photo-{_plain(photo.rpartition('/')[2])}", photo
    for name in PortfolioPicture.objects.filter(piece__builder__user=person_id).order_by("pk").values_list("file", flat=True):
        yield f"files/portfolio-{_plain(name.rpartition('/')[2])}", name


def _plain(name: str) -> str:
    """A name that leads nowhere else, whatever unpacks it."""
    return "".join(c if c.isalnum() or c in "-_. " else "_" for c in name).strip(". ")[-100:] or "file"


def _file(bundle: zipfile.ZipFile, name: str, stored: str) -> bool:
    try:
        with default_storage.open(stored, "rb") as source, bundle.open(name, "w", force_zip64=True) as member:
            while chunk := source.read(PIECE):
                member.write(chunk)
    except FileNotFoundError:
        return False
    return True


def _readme(person: User, moment: str, site: str, counts: Mapping[str, int], uploads: Sequence[str], missing: Sequence[str]) -> str:
    lines = [INTRODUCTION.format(name=person.name, site=site, moment=moment)]
    lines += [f"  data/{table}: {HELD[table].words} ({_rows(count)})\n" for table, count in counts.items() if count]
    lines.append(f"  files: {len(uploads) - len(missing)} of {len(uploads)} files that you uploaded\n")
    lines += [f"    {name} is not in our storage any more\n" for name in missing]
    empty = [HELD[table].words for table, count in counts.items() if not count]
    lines.append("\nOf this we hold nothing: " + "; ".join(empty) + ".\n" if empty else "")
    lines.append(REST)
    reasons: dict[str, list[str]] = {}
    for table, why in LEFT.items():
        reasons.setdefault(why, []).append(table)
    lines += [f"  {', '.join(tables)}: {why}.\n" for why, tables in reasons.items()]
    return "".join(lines)


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


@cache
def parts() -> tuple[Part, ...]:
    """All that is handed over, by the name of the table."""
    known = {model._meta.db_table: model for model in apps.get_models(include_auto_created=True) if not model._meta.proxy}
    return tuple(_part(table, held, known[table]) for table, held in sorted(HELD.items()))


def _part(table: str, held: Held, model: type[models.Model]) -> Part:
    fields = given(held, model)
    columns = tuple(_column(field, held.instead or {}) for field in fields)
    sealed = {place: field for place, field in enumerate(fields) if isinstance(field, SealedField)}
    key = model._meta.pk.column if model._meta.pk else "id"
    where = condition(held.where)
    query = f'{reading.selected(columns)} FROM {table} t WHERE {where} ORDER BY t."{key}"'
    return Part(table, held.words, query, columns, sealed)


def given(held: Held, model: type[models.Model]) -> list[Any]:
    """The columns that are handed over."""
    fields = {str(field.column): field for field in model._meta.concrete_fields}
    named = {*held.only.split(), *held.without.split(), *(held.instead or {})}
    if unknown := named - set(fields):
        raise LookupError(f"{model._meta.db_table} has no columns {sorted(unknown)}")
    if held.only:
        return [fields[name] for name in held.only.split()]
    return [field for name, field in fields.items() if name not in held.without.split()]


def _column(field: Any, instead: Mapping[str, str]) -> Column:
    """A column as it is printed: people by name."""
    column = f't."{field.column}"'
    if field.column in instead:
        return Column(field.name, kind_of(field), condition(instead[field.column]))
    if field.is_relation and field.related_model is User:
        return Column(field.name, Kind.TEXT, _shown(column))
    if field.is_relation and field.related_model is Builder:
        return Column(field.name, Kind.TEXT, _shown(f"(SELECT sb.user_id FROM builders_builder sb WHERE sb.id = {column})"))
    if isinstance(field, models.GenericIPAddressField):
        return Column(field.name, Kind.TEXT, f"host({column})")
    if isinstance(field, ArrayField):
        return Column(field.name, Kind.JSON, f"to_jsonb({column})")
    return Column(str(field.column), kind_of(field), column)


def _shown(person: str) -> str:
    shown = f"SELECT CASE WHEN su.id = {condition('{me}')} THEN 'you' WHEN su.is_staff THEN 'support' ELSE su.name END"
    return f"({shown} FROM accounts_user su WHERE su.id = {person})"


def kind_of(field: Any) -> Kind:
    target = field.target_field if field.is_relation else field
    kinds: tuple[tuple[type[Any] | tuple[type[Any], ...], Kind], ...] = (
        ((models.JSONField, SealedField), Kind.JSON),
        (models.DateTimeField, Kind.MOMENT),
        (models.UUIDField, Kind.ID),
        (models.BooleanField, Kind.FLAG),
        (models.IntegerField, Kind.NUMBER),
    )
    if isinstance(target, models.DecimalField):
        return Kind.MONEY if target.decimal_places == 2 else Kind.EXACT
    if isinstance(target, models.BinaryField | SearchVectorField):
        raise LookupError(f"{field} cannot be handed over")
    return next((kind for of, kind in kinds if isinstance(target, of)), Kind.TEXT)
