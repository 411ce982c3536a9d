"""The form with which a macro begins: which one, and what its steps ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django import forms

from port444.accounts.models import User
from port444.kit.amounts import AmountField
from support import kinds
from support.actions.plans import About
from support.macros import MACROS, Macro
from support.roles import may

from .plans import PlanForm
from .restrict import READS


def _told() -> dict[str, forms.Field]:
    return {
        "told": forms.CharField(label="What the person is told", min_length=10, max_length=300, widget=forms.Textarea({"rows": 2}), help_text=READS)
    }


def _credit() -> dict[str, forms.Field]:
    return {
        "amount": AmountField(label="Credit for the client, USDC"),
        "label": forms.CharField(label="What it is for", max_length=120, initial="For the waiting", help_text=READS),
    }


FIELDS: dict[str, Callable[[], dict[str, forms.Field]]] = {"late_order": _credit, "account_taken": _told}


def macros_of(user: Any) -> list[Macro]:
    """The macros whose every step this member of staff may take, and which can be done here."""
    return [
        macro for macro in MACROS.values() if all(kinds.is_known(step.kind) and may(user, kinds.of(step.kind).permission) for step in macro.steps)
    ]


class MacroForm(PlanForm):
    needs: tuple[str, ...] = ()
    FIELD_OF = {**PlanForm.FIELD_OF, "macro": "macro", "reason": "told", "amount": "amount", "label": "label"}

    macro = forms.ChoiceField(label="What")

    def __init__(self, data: Any = None, *, given: Mapping[str, Any], actor: User) -> None:
        possible = {macro.key: macro for macro in macros_of(actor)}
        self.chosen = possible.get(str((given if data is None else data).get("macro", "")))
        if self.chosen is not None:
            self.needs, self.intro = self.chosen.needs, self.chosen.intro
        super().__init__(data, given=given, actor=actor)
        self.fields["macro"].choices = [(macro.key, macro.name) for macro in possible.values()]  # type: ignore[attr-defined]  # of a ChoiceField
        if self.chosen is None:
            del self.fields["reason"]
            return
        self.fields["macro"].widget = forms.HiddenInput()
        reason = self.fields.pop("reason")
        for name, field in FIELDS.get(self.chosen.key, dict)().items():
            self.fields[name] = field
            if name in given:
                self.initial[name] = given[name]
        self.fields["reason"] = reason

    @property
    def heading(self) -> str:
        return self.chosen.name if self.chosen is not None else ""

    @property
    def is_ready(self) -> bool:
        return self.chosen is not None

    def about(self) -> About:
        order = self.found.get("order")
        return About(target_user=order.client if order is not None else self.found.get("person"), order=order)
