"""The forms with which plans begin. A kind has one, a subclass of `PlanForm`, registered in `apps.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django import forms

from port444.accounts.models import User
from port444.orders.models import Dispute, Order
from support.actions.plans import LONGEST_REASON, About
from support.models import Plan, PlanKind
from support.queries import ORDER


def _person(said: str) -> User | None:
    try:
        return User.objects.filter(pk=UUID(said)).first()
    except ValueError:
        return User.objects.filter(email__iexact=said).first()


def _order(said: str) -> Order | None:
    number = ORDER.fullmatch(said)
    return Order.objects.with_people().filter(number=int(number[1])).first() if number else None


def _number(said: str, mark: str) -> int:
    digits = said.upper().removeprefix(mark)
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else 0


def _dispute(said: str) -> Dispute | None:
    return Dispute.objects.select_related("order__client", "order__builder__user").filter(number=_number(said, "D-")).first()


def _plan(said: str) -> Plan | None:
    return Plan.objects.select_related("order", "other_order").filter(number=_number(said, "A-")).first()


FIND: dict[str, Callable[[str], Any]] = {"person": _person, "order": _order, "other": _order, "dispute": _dispute, "undoes": _plan}
LABELS = {"person": "Person", "order": "Order", "other": "Other order", "dispute": "Dispute", "undoes": "Plan to undo"}
HINTS = {"person": "E-mail or id", "order": "P4-1052", "other": "P4-1052", "dispute": "D-7", "undoes": "A-612"}
UNKNOWN = {
    "person": "Nobody has this e-mail or id.",
    "order": "No order has this number.",
    "other": "No order has this number.",
    "dispute": "No dispute has this number.",
    "undoes": "No plan has this number.",
}


class PlanForm(forms.Form):
    """What a kind asks for before its figures can be worked out.

    `needs` names what the plan is about: person, order, other, dispute, undoes. They come with the link to the page (`?person=<id>`,
    `?order=1052`) or are typed; `found` has the rows, None where there is none, from the beginning on, so that fields can depend on them.
    `optional` is what may be left out. The other fields are what the kind's `check` is given as `asked`; a refusal by an action goes to
    the field that `FIELD_OF` names for its code. `part` is a template that is shown above the figures of plans of the kind, with `plan`
    and `preview`.
    """

    needs: tuple[str, ...] = ("person",)
    optional: tuple[str, ...] = ()
    intro: str = ""
    part: str = ""
    FIELD_OF: Mapping[str, str] = {"reason_missing": "reason", "reason_long": "reason"}

    reason = forms.CharField(
        label="Reason",
        max_length=LONGEST_REASON,
        widget=forms.Textarea({"rows": 3}),
        help_text="Staff read it, now and later. The ticket or the order belongs here.",
    )

    def __init__(self, data: Any = None, *, given: Mapping[str, Any], actor: User) -> None:
        said, about = (given if data is None else data), (*self.needs, *self.optional)
        self.actor = actor
        self.found: dict[str, Any] = {name: self._find(name, said.get(name)) for name in about}
        super().__init__(data, label_suffix="", initial={name: given[name] for name in given if name in about or name in self.base_fields})
        for name in about:
            widget = forms.HiddenInput() if self.found[name] is not None else forms.TextInput({"placeholder": HINTS[name]})
            self.fields[name] = forms.CharField(label=LABELS[name], max_length=254, required=name in self.needs, widget=widget)
        self.order_fields([*about, *(name for name in self.fields if name not in about and name != "reason"), "reason"])

    @staticmethod
    def _find(name: str, said: Any) -> Any:
        words = str(said or "").strip()
        return FIND[name](words) if words and len(words) <= 254 and "\x00" not in words else None

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        for name, row in self.found.items():
            if row is None and said.get(name):
                self.add_error(name, UNKNOWN[name])
        return said

    @property
    def heading(self) -> str:
        """Where the kind's own name says too little."""
        return ""

    @property
    def is_ready(self) -> bool:
        """Whether it asks for all; before, it asks what it is about to ask for."""
        return True

    @property
    def asked(self) -> dict[str, Any]:
        """What the kind's `check` gets."""
        return {name: value for name, value in self.cleaned_data.items() if name != "reason" and name not in self.found}

    def about(self) -> About:
        """What the plan is about. A kind that follows from an order who is meant says so here."""
        found = self.found
        return About(
            target_user=found.get("person"),
            order=found.get("order"),
            other_order=found.get("other"),
            dispute=found.get("dispute"),
            undoes=found.get("undoes"),
        )


class NoteForm(forms.Form):
    """What who decides a plan says about it."""

    note = forms.CharField(max_length=600, required=False)


_forms: dict[str, type[PlanForm]] = {}


def register(key: PlanKind, form: type[PlanForm]) -> None:
    """Say which form plans of `key` begin with; called from `apps.py`. A kind without one is drafted by pages of its own."""
    _forms[key] = form


def form_of(key: str) -> type[PlanForm] | None:
    return _forms.get(key)
