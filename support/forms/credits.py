"""Forms of plans that give credits and take them back."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any
from uuid import UUID

from django import forms

from port444.catalog.models import Category
from port444.kit.amounts import AmountField
from port444.kit.clock import now
from port444.payments.models import Credit, CreditScope
from support.actions.plans import About

from .plans import PlanForm

READS = "The person reads this, word for word."


def _categories() -> list[tuple[str, str]]:
    return [("", "None"), *Category.objects.order_by("name").values_list("slug", "name")]


class CreditForm(PlanForm):
    intro = "A credit is used by itself when the person next orders. port444 bears it: builders are paid in full, and it is never paid out."
    FIELD_OF = {
        **PlanForm.FIELD_OF,
        "amount": "amount",
        "amount_format": "amount",
        "amount_places": "amount",
        "amount_range": "amount",
        "amount_zero": "amount",
        "label": "label",
        "scope": "scope",
        "builder": "builder",
        "category": "category",
        "last_day": "last_day",
    }

    amount = AmountField(label="Amount in USDC")
    label = forms.CharField(
        label="What it is for", max_length=120, help_text=READS, widget=forms.TextInput({"placeholder": "Sorry for the late delivery"})
    )
    last_day = forms.DateField(label="Last day", widget=forms.DateInput({"type": "date"}), help_text="That day counts, to its end in UTC.")
    scope = forms.ChoiceField(label="Pays for", choices=CreditScope.choices)
    builder = forms.SlugField(
        label="Builder", required=False, max_length=80, help_text="For a credit for one builder: the last part of the address of the profile."
    )
    category = forms.ChoiceField(label="Category", required=False, choices=_categories)

    def __init__(self, data: Any = None, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.initial.setdefault("last_day", now().astimezone(UTC).date() + timedelta(days=90))
        self.initial.setdefault("scope", CreditScope.ALL)

    def clean(self) -> dict[str, Any]:
        said = super().clean()
        scope = said.get("scope")
        for name, needed in (("builder", CreditScope.BUILDER), ("category", CreditScope.CATEGORY)):
            if scope == needed and not said.get(name) and name not in self.errors:
                self.add_error(name, "Say which one.")
        return said


class VoidForm(PlanForm):
    needs = ()
    intro = "What is left of the credit is gone at once. What a checkout holds or an order was paid with stays; what comes back of it does not."
    FIELD_OF = {**PlanForm.FIELD_OF, "credit": "credit", "told": "told"}

    credit = forms.CharField(max_length=36, help_text="The id, from the page of the credit.")
    told = forms.CharField(label="What the person is told", min_length=10, max_length=300, widget=forms.Textarea({"rows": 2}), help_text=READS)

    def __init__(self, data: Any = None, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        said = self.initial.get("credit") if data is None else data.get("credit")
        self.row = self._row(str(said or ""))
        if self.row is not None:
            self.fields["credit"].widget = forms.HiddenInput()
            self.fields["told"].help_text = f'Of {self.row.user.name}, "{self.row.label}". {READS}'

    @staticmethod
    def _row(said: str) -> Credit | None:
        try:
            return Credit.objects.select_related("user").filter(pk=UUID(said)).first()
        except ValueError:
            return None

    def clean(self) -> dict[str, Any]:
        said = super().clean()
        if self.row is None and said.get("credit"):
            self.add_error("credit", "No credit has this id.")
        return said

    def about(self) -> About:
        return About(target_user=self.row.user if self.row is not None else None)
