"""State machines: a NEXT table beside the status field, and one writer of the status."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar

from django.db import models
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from .errors import Stale, WrongState
from .language import within

FIELD: str = "status"
Fits = Callable[[Any], bool]
# On which row somebody wants to act only if it still is as they saw it.
_expected: ContextVar[tuple[Any, Fits] | None] = ContextVar("expected", default=None)


@contextmanager
def expected(row: models.Model, fits: Fits) -> Iterator[None]:
    """Inside, the row is acted on only if it fits still: looked at now, and again by whoever locks it (see `meet`). Raises Stale."""
    if not fits(row):
        raise Stale
    token = _expected.set((row.pk, fits))
    try:
        yield
    finally:
        _expected.reset(token)


def meet[Row: models.Model](row: Row) -> Row:
    """The row that was locked just now. Around every `lock(pk)` of a thing with states. Raises Stale when it is not as somebody expects."""
    asked = _expected.get()
    if asked is not None and asked[0] == row.pk:
        _expected.set(None)  # who has locked it may change it, and lock it again
        if not asked[1](row):
            raise Stale
    return row


class StateMachine(models.Model):
    """A row with a `status` that changes only through `move_to`.

    `NEXT` maps a status to those that may follow; a status that is absent is terminal. `called` is what people call a row.
    """

    NEXT: ClassVar[Mapping[str, frozenset[str]]] = {}
    called: ClassVar[str | Promise] = ""
    status: Any
    # The move that nobody has written down yet: from where, and to where. The log takes it.
    untold_move: tuple[str, str] | None = None

    class Meta:
        abstract = True

    def can_move_to(self, status: str) -> bool:
        return status in self.NEXT.get(self.status, frozenset())

    def move_to(self, status: str, **stamps: Any) -> None:
        """Move to `status` and write `stamps` with it. The row must be locked. Raises WrongState."""
        self.turn_to(status, **stamps)
        self.save(update_fields=[FIELD, *stamps])

    move_to.alters_data = True  # type: ignore[attr-defined]  # Django's own mark: templates may not call it

    def turn_to(self, status: str, **stamps: Any) -> None:
        """The same without writing, for many rows that one `bulk_update` writes. Raises WrongState."""
        if not self.can_move_to(status):
            name, is_now = str(self.called or self._meta.verbose_name), self.status_words()
            raise WrongState(
                _("This %(name)s is %(status)s already.") % {"name": name, "status": is_now}
                if status == self.status
                else _("This %(name)s is %(status)s and cannot become %(next)s.") % {"name": name, "status": is_now, "next": words_of(self, status)}
            )
        self.untold_move = (self.untold_move[0] if self.untold_move else str(self.status), str(status))
        self.status = status
        for field, value in stamps.items():
            setattr(self, field, value)

    turn_to.alters_data = True  # type: ignore[attr-defined]

    def status_words(self) -> str:
        return words_of(self, self.status)


def words_of(row: StateMachine, status: str) -> str:
    """The label of a status inside a sentence, e.g. "in progress"."""
    choices: dict[str, object] = dict(getattr(row._meta.get_field(FIELD), "flatchoices", ()))
    return within(choices.get(status, status))


def known_status(name: str, choices: type[models.TextChoices]) -> models.CheckConstraint:
    """The constraint that keeps a status inside its enum, whoever writes it."""
    return models.CheckConstraint(condition=models.Q(status__in=choices.values), name=name)
