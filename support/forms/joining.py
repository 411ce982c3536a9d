"""Forms of plans that put orders together and apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import QuerySet

from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit.money import usd
from port444.orders.models import JOINABLE, Order
from support.actions.plans import About
from support.deals import newest
from support.models import Plan, PlanKind, PlanStatus

from .plans import PlanForm

MOST_LISTED = 100
PART = "support/plans/_joining.html"


def _choices(*sources: QuerySet[Order]) -> list[tuple[str, str]]:
    found = newest(*(rows.select_related("builder__user") for rows in sources), by="placed_at", limit=MOST_LISTED)
    return [("", "Choose")] + [(str(row.number), f"P4-{row.number} {row.title}, {usd(row.price)}, {row.builder.user.name}") for row in found]


class MergeForm(PlanForm):
    needs = ("order", "other")
    optional = ("person",)
    part = PART
    intro = (
        "Both orders go on as a new one: what is to be delivered and the money in escrow are added, the later date counts. "
        "Payments, invoices and what was delivered stay where they are."
    )
    FIELD_OF: Mapping[str, str] = {**PlanForm.FIELD_OF, "same_order": "other"}

    def __init__(self, data: Any = None, *, given: Mapping[str, Any], actor: User) -> None:
        super().__init__(data, given=given, actor=actor)
        order, person = self.found["order"], self.found["person"]
        self.fields["person"].widget = forms.HiddenInput()
        mergeable = Order.objects.filter(status__in=JOINABLE)
        if order is not None:
            self._offer("other", mergeable.filter(client=order.client_id, builder=order.builder_id).exclude(pk=order.pk))
        elif person is not None:
            shops = Builder.objects.filter(user=person).values_list("pk", flat=True)
            self._offer("order", mergeable.filter(client=person), *(mergeable.filter(builder=shop) for shop in shops))

    def _offer(self, name: str, *sources: QuerySet[Order]) -> None:
        choices = _choices(*sources)
        if self.found[name] is None and len(choices) > 1 and not self.data.get(name):
            self.fields[name].widget = forms.Select(choices=choices)

    def about(self) -> About:
        return replace(super().about(), target_user=self.found["order"].client)


class SplitForm(PlanForm):
    needs = ("order",)
    part = PART
    intro = "A part of the order becomes an order of its own, with its share of escrow, service fee and credits. Neither date moves."
    FIELD_OF: Mapping[str, str] = {
        **PlanForm.FIELD_OF,
        "title": "title",
        "amount_format": "price",
        "amount_places": "price",
        "amount_range": "price",
        "deliverables": "deliverables",
        "revisions": "revisions",
    }

    title = forms.CharField(label="Name of the new order", max_length=90)
    price = forms.CharField(label="Its price, in USDC", max_length=16, widget=forms.TextInput({"inputmode": "decimal", "autocomplete": "off"}))
    deliverables = forms.MultipleChoiceField(label="What it delivers", widget=forms.CheckboxSelectMultiple)
    revisions = forms.IntegerField(label="Revisions that go along", min_value=0, max_value=1000, initial=0)

    def __init__(self, data: Any = None, *, given: Mapping[str, Any], actor: User) -> None:
        super().__init__(data, given=given, actor=actor)
        order = self.found["order"]
        things = list(order.deliverables) if order is not None else []
        if len(things) < 2:
            del self.fields["deliverables"]
        else:
            field = self.fields["deliverables"]
            assert isinstance(field, forms.MultipleChoiceField)
            field.choices = [(str(place), thing) for place, thing in enumerate(things)]
        if order is not None:
            self.fields["price"].help_text = f"Of {usd(order.price)}. The rest stays with P4-{order.number}."
            self.fields["revisions"].help_text = f"Of {order.revisions_left} that are left."

    def about(self) -> About:
        return replace(super().about(), target_user=self.found["order"].client)


class UndoForm(PlanForm):
    needs = ("undoes",)
    part = PART
    intro = "A merge or a split is put back while nothing was delivered and no money has moved since. After that, merge or split anew."

    def clean(self) -> dict[str, Any]:
        said = super().clean()
        done: Plan | None = self.found["undoes"]
        if done is not None and (done.status != PlanStatus.EXECUTED or done.kind not in (PlanKind.MERGE, PlanKind.SPLIT)):
            self.add_error("undoes", "Only a merge or a split that was executed can be undone.")
        return said

    def about(self) -> About:
        done: Plan = self.found["undoes"]
        made = Order.objects.select_related("client").get(pk=UUID(done.result["manifest"]["made"]))
        return About(target_user=made.client, order=made, other_order=done.order if done.kind == PlanKind.SPLIT else None, undoes=done)
