from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from port444.builders.forms import LANGUAGES, ListField
from port444.builders.models import Level
from port444.kit.amounts import AmountField

from .actions import MOST_OPTIONS, MOST_QUESTIONS, PackageText, Question, ServiceText
from .models import CHOOSING, Category, Frequency, Package, QuestionKind, Service, Tier
from .queries import Search, Sort

CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
MOST_DAYS = 90
RATINGS = [("4.0", _("4.0 or more")), ("4.5", _("4.5 or more")), ("4.8", _("4.8 or more"))]


class WordsField(forms.Field):
    """What somebody types into a search box: any text is welcome, control characters and the far end are not."""

    def to_python(self, value: Any) -> str:
        return " ".join(CONTROL.sub(" ", str(value or "")).split())[:120]


class SearchForm(forms.Form):
    """The filters of the search. A wrong one is left out and named in `ignored`; a search never fails for it."""

    q = WordsField(required=False)
    category = forms.CharField(required=False, label=_("Category"))
    lowest = AmountField(required=False, label=_("Price from"))
    highest = AmountField(required=False, label=_("Price to"))
    days = forms.IntegerField(required=False, min_value=1, max_value=MOST_DAYS, label=_("Delivered within"))
    level = forms.ChoiceField(required=False, choices=[("", _("Any level")), *Level.choices], label=_("Level"))
    rating = forms.ChoiceField(required=False, choices=[("", _("Any")), *RATINGS], label=_("Stars"))
    calls = forms.BooleanField(required=False, label=_("Takes calls"))
    free = forms.BooleanField(required=False, label=_("Free this week"))
    language = forms.ChoiceField(required=False, choices=[("", _("Any language")), *((name, name) for name in LANGUAGES)], label=_("Speaks"))
    sort = forms.ChoiceField(required=False, choices=Sort.choices, label=_("Sort by"))
    literal = forms.BooleanField(required=False)

    def __init__(self, data: Mapping[str, Any], categories: Sequence[Category]) -> None:
        super().__init__(data)
        self.categories = {category.slug: category for category in categories}

    def clean_category(self) -> Category | None:
        slug = self.cleaned_data["category"]
        if slug and slug not in self.categories:
            raise ValidationError(_("There is no such category."), code="category")
        return self.categories.get(slug)

    def search(self) -> Search:
        """What was asked for, without the filters that make no sense."""
        self.is_valid()
        data = self.cleaned_data
        lowest, highest = data.get("lowest"), data.get("highest")
        if lowest is not None and highest is not None and lowest > highest:
            lowest, highest = highest, lowest
        return Search(
            words=data.get("q", ""),
            category=data.get("category"),
            lowest=lowest,
            highest=highest,
            days=data.get("days"),
            level=data.get("level", ""),
            rating=Decimal(data["rating"]) if data.get("rating") else None,
            calls=data.get("calls", False),
            free=data.get("free", False),
            language=data.get("language", ""),
            sort=Sort(data.get("sort") or Sort.BEST),
            literal=data.get("literal", False),
        )

    @property
    def ignored(self) -> list[str]:
        return [f"{self.fields[name].label}: {faults[0]}" for name, faults in self.errors.items()]


class SavedSearchForm(forms.Form):
    name = forms.CharField(max_length=60, label=_("Call it"))
    frequency = forms.ChoiceField(choices=Frequency.choices, initial=Frequency.DAILY, label=_("Mail about new services"))


class ServiceForm(forms.Form):
    title = forms.CharField(max_length=90, help_text=_("What the client gets, for example: Make slow Django pages fast."))
    category = forms.ModelChoiceField(Category.objects.all(), empty_label=_("Choose one"))
    summary = forms.CharField(
        max_length=160, required=False, help_text=_("One line under the title in search. Needed to publish."), label=_("Summary")
    )
    description = forms.CharField(
        max_length=6000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 9}),
        help_text=_("How you work, what is included, what is not. An empty line starts a paragraph. Needed to publish."),
        label=_("Description"),
    )
    tags = ListField(most=8, length=30, required=False, help_text=_("Up to 8 words people search for, with commas between them."))
    offer_floor = AmountField(required=False, positive=True, label=_("Never below"))
    version = forms.IntegerField(required=False, widget=forms.HiddenInput, min_value=1, max_value=2**31 - 1)

    @classmethod
    def initial_of(cls, service: Service) -> dict[str, Any]:
        return {name: getattr(service, name) for name in cls.base_fields}

    def text(self, questions: list[Question]) -> ServiceText:
        data = self.cleaned_data
        return {
            "category_id": data["category"].pk,
            "title": data["title"],
            "summary": data["summary"],
            "description": data["description"],
            "tags": data["tags"],
            "questions": questions,
            "offer_floor": data["offer_floor"],
        }


class PackageForm(forms.Form):
    """One column of the three; empty columns are not saved."""

    is_offered = forms.BooleanField(required=False, label=_("Offer this package"))
    name = forms.CharField(max_length=60, required=False)
    price = AmountField(required=False, positive=True)
    delivery_days = forms.IntegerField(required=False, min_value=1, max_value=MOST_DAYS, label=_("Days"))
    revisions = forms.IntegerField(required=False, min_value=0, max_value=20)
    deliverables = ListField(
        most=12, length=120, separator="\n", required=False, label=_("Included, one a line"), widget=forms.Textarea(attrs={"rows": 5})
    )

    def __init__(self, data: Mapping[str, Any] | None, tier: Tier, package: Package | None) -> None:
        self.tier = tier
        super().__init__(data, prefix=tier.value, initial=self.initial_of(package))
        self.fields["price"].widget.attrs["aria-describedby"] = f"{tier}-hint id_{tier}-price_error"

    @staticmethod
    def initial_of(package: Package | None) -> dict[str, Any]:
        if package is None:
            return {"revisions": 1}
        names = ("is_offered", "name", "price", "delivery_days", "revisions", "deliverables")
        return {name: getattr(package, name) for name in names}

    @property
    def is_used(self) -> bool:
        """Somebody offers this package, or has begun to write it."""
        data = self.cleaned_data
        return bool(data.get("is_offered") or data.get("name") or data.get("price") or data.get("delivery_days") or data.get("deliverables"))

    def clean(self) -> dict[str, Any]:
        if self.is_used:
            wanted = {"name": _("Give it a name."), "price": _("Set a price."), "delivery_days": _("Say in how many days.")}
            for name, words in wanted.items():
                if name not in self.errors and not self.cleaned_data.get(name):
                    self.add_error(name, words)
        return self.cleaned_data

    def text(self) -> PackageText:
        data = self.cleaned_data
        return {
            "tier": self.tier.value,
            "name": data["name"],
            "price": data["price"],
            "delivery_days": data["delivery_days"],
            "revisions": data["revisions"] or 0,
            "deliverables": data["deliverables"],
            "is_offered": data["is_offered"],
        }


class QuestionForm(forms.Form):
    """One question to the client; a row without a question is not saved."""

    label = forms.CharField(max_length=200, required=False, label=_("Question"))
    help = forms.CharField(
        max_length=200, required=False, label=_("Help"), help_text=_("Stands under the question: what you need it for, or an example.")
    )
    kind = forms.ChoiceField(choices=QuestionKind.choices, required=False, label=_("Answer"))
    required = forms.BooleanField(required=False, label=_("Must be answered"))
    options = ListField(
        most=MOST_OPTIONS, length=100, separator="\n", required=False, label=_("Options, one a line"), widget=forms.Textarea(attrs={"rows": 3})
    )

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if data.get("label") and data.get("kind") in CHOOSING and "options" in data and len(data["options"]) < 2:
            self.add_error("options", _("A choice needs at least two options."))
        if data.get("options") and not data.get("label") and "label" not in self.errors:
            self.add_error("label", _("Write the question that these options answer."))
        return data

    def question(self) -> Question | None:
        data = self.cleaned_data
        if not data["label"]:
            return None
        kind = data["kind"] or QuestionKind.TEXT.value
        return {"label": data["label"], "kind": kind, "required": data["required"], "options": data["options"], "help": data["help"]}


class Editor:
    """The whole form of a service: its words, three packages and eight questions."""

    def __init__(self, data: Mapping[str, Any] | None = None, service: Service | None = None) -> None:
        packages = {package.tier: package for package in service.packages.all()} if service else {}
        asked: list[Any] = list(service.questions) if service else []
        self.saved: dict[Tier, Decimal | None] = {Tier(tier): package.price for tier, package in packages.items()}
        self.text = ServiceForm(data, initial=ServiceForm.initial_of(service) if service else None)
        self.packages = [PackageForm(data, tier, packages.get(tier)) for tier in Tier]
        self.questions = [
            QuestionForm(data, prefix=f"q{i}", initial=asked[i] if i < len(asked) else {"required": True}) for i in range(MOST_QUESTIONS)
        ]

    @staticmethod
    def moved(data: QueryDict, step: str) -> QueryDict:
        """The form as it was sent, with one question a place up or down; `step` is its number and where, as "3:up"."""
        number, _, way = step.partition(":")
        here = int(number) if number in map(str, range(MOST_QUESTIONS)) else -1
        there = here + {"up": -1, "down": 1}.get(way, 0)
        moved = data.copy()
        if here >= 0 and there in range(MOST_QUESTIONS):
            for name in QuestionForm.base_fields:
                one, other = data.getlist(f"q{here}-{name}"), data.getlist(f"q{there}-{name}")
                moved.setlist(f"q{here}-{name}", other)
                moved.setlist(f"q{there}-{name}", one)
        return moved

    @property
    def forms(self) -> list[forms.Form]:
        return [self.text, *self.packages, *self.questions]

    @property
    def has_errors(self) -> bool:
        return any(form.errors for form in self.forms)

    @property
    def blank_from(self) -> int:
        """How many question rows are in use."""
        used = [i for i, form in enumerate(self.questions) if form["label"].value() or form.errors]
        return max(used, default=-1) + 1

    def is_valid(self) -> bool:
        return all([form.is_valid() for form in self.forms])  # noqa: C419 - every form is asked, so that all errors show at once

    def words(self) -> ServiceText:
        return self.text.text([question for form in self.questions if (question := form.question())])

    def offers(self) -> list[PackageText]:
        return [form.text() for form in self.packages if form.is_used]

    @property
    def version(self) -> int | None:
        version: int | None = self.text.cleaned_data["version"]
        return version


class Prices:
    """The prices of an editor as they stand there, typed or saved, whatever else in it is not ready; what is no price is None."""

    def __init__(self, editor: Editor) -> None:
        self.category: Category | None = cleaned(editor.text["category"])
        self.typed: dict[Tier, Decimal | None] = {form.tier: cleaned(form["price"]) for form in editor.packages}
        self.offered = {form.tier for form in editor.packages if form["is_offered"].value()}


def cleaned(field: forms.BoundField) -> Any:
    """What a field holds, or None while it makes no sense."""
    try:
        return field.field.clean(field.value()) or None
    except ValidationError:
        return None
