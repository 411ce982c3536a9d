"""What a plan can be about. A kind works out what it would come to, locks what it touches, and does it; the life of a plan is the same
for all of them (see `actions.plans`)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from port444.kit.money import ZERO

from .models import ActionType, Plan


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of a preview: money or words before and after. `sum` lines close a group."""

    label: str
    after: str
    before: str = ""
    note: str = ""
    is_sum: bool = False


@dataclass(frozen=True, slots=True)
class Preview:
    """What a plan comes to as things stand now. The same state gives the same preview.

    `facts` is what it rests on besides the figures (positions of escrow, statuses, dates of rows), exact and as JSON has it; when facts or
    figures are others at the execution, the plan goes back. `amount` counts against the limits of its kind. `always` says why a second
    person is needed whatever the amount. `blocked` are reasons for which it cannot be done at all, each a sentence for people.
    """

    title: str
    figures: tuple[Figure, ...]
    amount: Decimal = ZERO
    tells: tuple[str, ...] = ()  # who will read what
    always: str = ""
    blocked: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """As a plan keeps it."""
        made: dict[str, Any] = json.loads(json.dumps(asdict(self), default=str))
        return made

    @property
    def sha256(self) -> str:
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Done:
    """What an execution did: one line for the list of actions, ids of what was made, and what an undo has to know."""

    description: str
    result: Mapping[str, Any] = field(default_factory=dict)
    action: ActionType | None = None  # in the list of actions, where it is not the one of the kind


@dataclass(frozen=True, slots=True)
class Kind:
    """How plans of one kind work. `lock` locks what `execute` will lock, in the house's order, so that the preview after it holds.

    `execute(plan, actor)` runs in the transaction of the lock; `actor` is who asked for it. It raises DomainErrors for refusals and talks to
    no network. `check` reads what was typed: it gives `asked` as it is kept, or raises Invalid. `parties` are people whom it is about besides
    the person and the sides of the orders of the plan, where what was asked for names them; the trigger `support_plan_no_party` knows them, too.
    """

    permission: str
    action: ActionType
    check: Callable[[Mapping[str, Any]], dict[str, Any]]
    preview: Callable[[Plan], Preview]
    lock: Callable[[Plan], None]
    execute: Callable[[Plan, Any], Done]
    parties: Callable[[Plan], Collection[UUID]] = lambda plan: ()


_kinds: dict[str, Kind] = {}


def register(key: str, kind: Kind) -> None:
    """Say how plans of a PlanKind work, or a step of macros that is no plan of its own; called from `apps.py`."""
    _kinds[key] = kind


def is_known(key: str) -> bool:
    return key in _kinds


def of(key: str) -> Kind:
    try:
        return _kinds[key]
    except KeyError:
        raise LookupError(f"nobody registered the kind of plan {key!r}") from None
