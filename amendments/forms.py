"""The shape of what the two people of an order send about a change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from port444.kit.amounts import plain
from port444.kit.errors import Invalid
from port444.kit.money import ZERO, parse, usd

from .models import MOST_DAYS, AmendmentType
from .terms import LEAST_AMOUNT, LONGEST_DELIVERABLE, LONGEST_DESCRIPTION, LONGEST_REASON, MOST_AMOUNT, MOST_DELIVERABLES, ONE_REVISION, Terms

type Words = str | Promise

WHAT_CHANGES = _("What exactly changes?")

T = AmendmentType
NO, MAY, MUST = 0, 1, 2
FIELDS = ("deliverables", "description", "amount", "days")  # those that not every type takes


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of change as it is chosen: what it is for, and which fields it takes."""

    value: str
    title: Words
    text: Words
    icon_name: str
    description: int = MAY
    amount: int = NO
    days: int = NO
    deliverables: int = NO
    ask: Words = WHAT_CHANGES

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(name for name in FIELDS if getattr(self, name) != NO)


KINDS = {
    kind.value: kind
    for kind in (
        Kind(
            T.ADD_DELIVERABLE,
            _("Extra deliverable"),
            _("Something more is handed over at the end."),
            "package",
            amount=MAY,
            days=MAY,
            deliverables=MUST,
            ask=_("What should the other side know about it?"),
        ),
        Kind(
            T.SCOPE_CHANGE,
            _("Change of scope"),
            _("The work itself becomes another one, or more of it."),
            "pencil",
            description=MUST,
            amount=MAY,
            days=MAY,
            deliverables=MAY,
        ),
        Kind(
            T.OUT_OF_SCOPE_REVISION,
            _("Extra revision"),
            _("One more round of changes than the package has."),
            "undo-2",
            amount=MUST,
            days=MAY,
            ask=_("What should be different?"),
        ),
        Kind(T.TIMELINE_EXTENSION, _("More time"), _("The date moves, the price stays."), "calendar-clock", description=NO, days=MUST),
        Kind(T.TOP_UP, _("Larger budget"), _("The price grows, date and scope stay."), "coins", description=NO, amount=MUST),
    )
}


DAYS_AT_ONCE = format_lazy(_("At most {days} days at once."), days=MOST_DAYS)


class AmountField(forms.CharField):
    """An amount of money as people write it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=20, **options)
        self.widget.attrs |= {"inputmode": "decimal", "autocomplete": "off", "class": "in"}

    def clean(self, value: Any) -> Decimal:
        text = super().clean(value)
        if not text.replace(",", ""):
            return ZERO
        try:
            amount = parse(plain(text.strip().removeprefix("$").removesuffix("$").strip()).replace(",", ""))
        except Invalid as error:
            raise forms.ValidationError(error.message, code=error.code) from None
        if self.required and not amount:
            raise forms.ValidationError(self.error_messages["required"], code="required")
        if amount and not LEAST_AMOUNT <= amount <= MOST_AMOUNT:
            between = {"least": usd(LEAST_AMOUNT), "most": usd(MOST_AMOUNT)}
            raise forms.ValidationError(gettext("Between %(least)s and %(most)s.") % between, code="amount_range")
        return amount


class LinesField(forms.CharField):
    """One thing a line."""

    def clean(self, value: Any) -> tuple[str, ...]:
        found = tuple(line.strip(" -*\t") for line in super().clean(value).splitlines() if line.strip(" -*\t"))
        if self.required and not found:
            raise forms.ValidationError(self.error_messages["required"], code="required")
        if len(found) > MOST_DELIVERABLES:
            raise forms.ValidationError(gettext("At most %(most)s at once.") % {"most": MOST_DELIVERABLES}, code="deliverables_many")
        if any(len(line) > LONGEST_DELIVERABLE for line in found):
            raise forms.ValidationError(gettext("Each has at most %(most)s characters.") % {"most": LONGEST_DELIVERABLE}, code="deliverable_long")
        return found


class ProposeForm(forms.Form):
    """A change as one side proposes it. The fields are those that its type takes; what others carry is not read."""

    deliverables = LinesField(
        label=_("What is delivered on top"),
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("One thing a line. Each can be checked off at the end."),
        error_messages={"required": _("Name what is delivered on top.")},
    )
    description = forms.CharField(
        label=WHAT_CHANGES,
        max_length=LONGEST_DESCRIPTION,
        widget=forms.Textarea(attrs={"rows": 4}),
        error_messages={"required": _("Describe what changes, so that both of you mean the same.")},
    )
    amount = AmountField(label=_("Price on top"), error_messages={"required": _("Say by how much the price grows.")})
    days = forms.IntegerField(
        label=_("Days on top"),
        min_value=0,
        max_value=MOST_DAYS,
        widget=forms.NumberInput(attrs={"inputmode": "numeric", "class": "in"}),
        error_messages={
            "required": _("Say how many days more are needed."),
            "invalid": _("Write a whole number of days."),
            "max_value": DAYS_AT_ONCE,
            "min_value": _("Days can be added, not taken away."),
        },
    )
    reason = forms.CharField(
        label=_("Why, in a sentence"),
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("The first thing that the other side reads."),
        error_messages={"required": _("Say in one sentence why.")},
    )

    def __init__(self, kind: Kind, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        self.kind = kind
        for name in FIELDS:
            wanted = getattr(kind, name)
            if wanted == NO:
                del self.fields[name]
            else:
                self.fields[name].required = wanted == MUST
        if "description" in self.fields:
            self.fields["description"].label = str(kind.ask)

    def clean_days(self) -> int:
        days = self.cleaned_data["days"] or 0
        if self.kind.days == MUST and not days:
            raise forms.ValidationError(gettext("Say how many days more are needed."), code="required")
        return int(days)

    def terms(self) -> Terms:
        """What has been filled in so far; what is at fault is left out."""
        data = getattr(self, "cleaned_data", {})
        return Terms(
            amendment_type=self.kind.value,
            reason=data.get("reason", ""),
            description=data.get("description", ""),
            amount=data.get("amount", ZERO),
            days=data.get("days", 0),
            revisions=ONE_REVISION if self.kind.value == T.OUT_OF_SCOPE_REVISION else 0,
            deliverables=data.get("deliverables", ()),
        )


def initial(terms: Terms) -> dict[str, Any]:
    """`terms` as the form shows them."""
    return {
        "deliverables": "\n".join(terms.deliverables),
        "description": terms.description,
        "amount": f"{terms.amount:.2f}" if terms.amount else "",
        "days": terms.days or "",
        "reason": terms.reason,
    }


def kind_of(data: Mapping[str, Any]) -> Kind | None:
    return KINDS.get(str(data.get("type", "")))


class KeyForm(forms.Form):
    """Which press of the button this is: the same key proposes once."""

    client_key = forms.UUIDField(
        error_messages={"required": _("This form is out of date. Load the page again."), "invalid": _("This form is out of date.")}
    )


class DeclineForm(forms.Form):
    reason = forms.CharField(
        label=_("Why not?"),
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": _("Say why, so that the other side knows what to do next.")},
    )

    def __init__(self, *args: Any, reason_needed: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = reason_needed


class AskForm(forms.Form):
    note = forms.CharField(
        label=_("What should be different?"),
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Price, days or content: the new version comes to you to be approved."),
        error_messages={"required": _("Say what should be different.")},
    )


class ExtraRevisionForm(forms.Form):
    """One more revision than the package has, proposed in one press."""

    note = forms.CharField(
        label=_("What should be different?"),
        max_length=LONGEST_DESCRIPTION,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("Be as exact as you can; it becomes the task of this revision."),
        error_messages={"required": _("Say what should be different.")},
    )
    amount = AmountField(label=_("Price"), error_messages={"required": _("Say what you offer for it.")})
    days = forms.IntegerField(
        label=_("Days"),
        min_value=0,
        max_value=MOST_DAYS,
        widget=forms.NumberInput(attrs={"inputmode": "numeric", "class": "in"}),
        error_messages={"required": _("Say how many days it may take."), "max_value": DAYS_AT_ONCE},
    )
