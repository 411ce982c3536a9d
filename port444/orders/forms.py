"""The shape of what the two people of an order send."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, Self
from uuid import UUID

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.html import escape
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from port444.accounts.models import User
from port444.builders.forms import ListField
from port444.catalog.models import Package, QuestionKind, Service
from port444.kit.amounts import AmountField
from port444.kit.errors import Invalid
from port444.kit.money import usd
from port444.kit.uploads import KINDS, check
from port444.messaging.forms import FilesField

from .actions.asking import MOST_MORE
from .helm import days_words
from .models import REASONS_OF_BUILDER, REASONS_OF_CLIENT, REPLY_LENGTH, DisputeReason, Offer, Requirement, Review
from .terms import (
    HOURS,
    LONGEST_DELIVERABLE,
    LONGEST_SCOPE,
    LONGEST_TITLE,
    MOST_DAYS,
    MOST_DELIVERABLES,
    MOST_REVISIONS,
    OfferTerms,
    terms_of,
)

ACCEPT = ",".join(f".{extension}" for extension in sorted(KINDS))


class CheckedFilesField(FilesField):
    """Files, each checked for its kind, size and content before the action sees it, so that the fault stands at the field."""

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {**super().widget_attrs(widget), "accept": ACCEPT}

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        files = [file for file in (data if isinstance(data, list | tuple) else [data]) if file]
        if self.required and not files and not initial:
            raise ValidationError(gettext("Add a file."), code="required")
        if len(files) > settings.UPLOAD_MAX_FILES:
            raise ValidationError(gettext("At most %(most)s files.") % {"most": settings.UPLOAD_MAX_FILES}, code="too_many_files")
        for file in files:
            try:
                check(file)
            except Invalid as error:
                raise ValidationError(error.message, code=error.code) from None
        return files


def files_help() -> str:
    return gettext("Up to %(most)s files of %(megabytes)s MB each.") % {
        "most": settings.UPLOAD_MAX_FILES,
        "megabytes": settings.UPLOAD_MAX_BYTES // 2**20,
    }


class AnswersForm(forms.Form):
    """The builder's questions as fields named by position. A draft need not be complete."""

    def __init__(self, requirements: Iterable[Requirement], *args: Any, draft: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.requirements = list(requirements)
        for row in self.requirements:
            self.fields[f"q{row.position}"] = _answer_field(row, draft=draft)

    @property
    def answers(self) -> dict[int, str]:
        return {row.position: _said(self.cleaned_data[f"q{row.position}"]) for row in self.requirements if row.kind != QuestionKind.FILE}

    @property
    def uploads(self) -> dict[int, list[Any]]:
        return {row.position: self.cleaned_data[f"q{row.position}"] for row in self.requirements if row.kind == QuestionKind.FILE}


def _said(value: Any) -> str:
    """An answer as it is kept."""
    if isinstance(value, list):
        return "\n".join(value)
    return value.isoformat() if isinstance(value, date) else str(value or "")


def _answer_field(row: Requirement, *, draft: bool) -> forms.Field:
    options: dict[str, Any] = {"label": row.label, "required": row.is_required and not draft, "initial": row.answer}
    options["help_text"] = escape(row.help)  # a form shows help as it is
    options["error_messages"] = {"required": gettext("The builder needs this answer to start.")}
    if row.kind == QuestionKind.FILE:
        kept = [file.name for file in row.files.all()] if not row._state.adding else []  # none in a preview
        words = [row.help, gettext("Here already: %(files)s.") % {"files": ", ".join(kept)} if kept else "", files_help()]
        more = {"required": options["required"] and not kept, "initial": None, "help_text": escape(" ".join(filter(None, words)))}
        return CheckedFilesField(**options | more)
    if row.kind == QuestionKind.CHOICE:
        return forms.ChoiceField(**options, choices=[(option, option) for option in row.options], widget=forms.RadioSelect)
    if row.kind == QuestionKind.CHOICES:
        chosen = {"choices": [(option, option) for option in row.options], "initial": row.answer.splitlines()}
        return forms.MultipleChoiceField(**options | chosen, widget=forms.CheckboxSelectMultiple)
    if row.kind == QuestionKind.DATE:
        faults = options["error_messages"] | {"invalid": gettext("Write a date, as 2026-12-03.")}
        return forms.DateField(
            **options | {"error_messages": faults}, input_formats=["%Y-%m-%d"], widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
        )
    if row.kind == QuestionKind.LINK:
        return forms.URLField(**options, max_length=2000, assume_scheme="https", widget=forms.URLInput(attrs={"placeholder": "https://"}))
    widget = forms.Textarea(attrs={"rows": 5}) if row.kind == QuestionKind.LONG else forms.Textarea(attrs={"rows": 2})
    return forms.CharField(**options, max_length=5000, widget=widget)


class DeliverForm(forms.Form):
    note = forms.CharField(
        label=_("What you hand over"),
        required=False,
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_("What is done, and how to use it. A note, files, or both."),
    )
    uploads = CheckedFilesField(label=_("Files"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["uploads"].help_text = files_help()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors and not cleaned.get("note") and not cleaned.get("uploads"):
            self.add_error("note", gettext("Write what you hand over, or add a file."))
        return cleaned


class AskMoreForm(forms.Form):
    """What the builder needs to go on, once in an order."""

    questions = ListField(
        most=MOST_MORE,
        length=200,
        separator="\n",
        label=_("What do you need to know?"),
        help_text=_("One question a line, five at most. You can ask once; the clock stands until the answers are there."),
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": _("Write what you need to know.")},
    )


class RevisionForm(forms.Form):
    note = forms.CharField(
        label=_("What should be different?"),
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("Be as exact as you can; it becomes the task of this revision."),
        error_messages={"required": _("Say what should be different.")},
    )


class CancelForm(forms.Form):
    reason = forms.CharField(
        label=_("Why"), required=False, max_length=300, widget=forms.Textarea(attrs={"rows": 2}), help_text=_("The other side reads this.")
    )


STARS = [(5, _("5 stars, excellent")), (4, _("4 stars, good")), (3, _("3 stars, fair")), (2, _("2 stars, poor")), (1, _("1 star, bad"))]


class MoreStarsField(forms.TypedChoiceField):
    """One to five stars for a part of it, or nothing."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(coerce=int, empty_value=None, required=False, choices=[("", _("No answer")), *STARS], **kwargs)


class ReviewForm(forms.Form):
    """What one side says of the other. The two questions are for clients."""

    stars = forms.TypedChoiceField(
        label=_("How was it?"), coerce=int, choices=STARS, widget=forms.RadioSelect, error_messages={"required": _("Give one to five stars.")}
    )
    as_described = MoreStarsField(label=_("Was it as described?"))
    communication = MoreStarsField(label=_("How was the communication?"))
    text = forms.CharField(label=_("What should others know?"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 4}))
    private_note = forms.CharField(label=_("A private word"), required=False, max_length=1000, widget=forms.Textarea(attrs={"rows": 2}))

    def __init__(self, *args: Any, about: User, by_client: bool, **kwargs: Any) -> None:
        kwargs.setdefault("auto_id", "review_%s")
        super().__init__(*args, **kwargs)
        name = about.first_name
        self.fields["stars"].label = gettext("How was the work?") if by_client else gettext("How was it to work for %(name)s?") % {"name": name}
        self.fields["text"].help_text = (
            gettext("Everybody can read this.")
            if by_client
            else gettext("%(name)s reads this, and builders who have to do with %(name)s.") % {"name": name}
        )
        self.fields["private_note"].help_text = gettext("Read by %(name)s alone, when the reviews are shown.") % {"name": name}
        if not by_client:
            del self.fields["as_described"], self.fields["communication"]

    @classmethod
    def of(cls, review: Review | None, *, about: User, by_client: bool) -> Self:
        """For writing one, or for changing the one that was written."""
        initial = {name: getattr(review, name) for name in cls.base_fields} if review else {}
        return cls(initial=initial, about=about, by_client=by_client)


class ReplyForm(forms.Form):
    text = forms.CharField(
        label=_("Your reply"),
        max_length=REPLY_LENGTH,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": _("Write a reply.")},
    )


class PlaceForm(forms.Form):
    client_key = forms.UUIDField()
    like = forms.UUIDField(required=False)  # the order that is ordered again


# Custom offers


def _lasting(hours: int) -> str:
    return gettext("%(hours)s hours") % {"hours": hours} if hours < 72 else days_words(hours // 24)


def _lastings() -> list[tuple[int, str]]:
    return [(hours, _lasting(hours)) for hours in HOURS]


class OfferForm(forms.Form):
    """An offer as the builder writes it. With a `package` the service is that of the package."""

    service = forms.ChoiceField(
        label=_("Counts towards"), help_text=_("Its reviews and its questions."), error_messages={"required": _("Choose one of your services.")}
    )
    title = forms.CharField(label=_("What it is"), max_length=LONGEST_TITLE, error_messages={"required": _("Give the offer a name.")})
    scope = forms.CharField(
        label=_("What you do for that price"),
        max_length=LONGEST_SCOPE,
        widget=forms.Textarea(attrs={"rows": 4}),
        error_messages={"required": _("Say what you do for that price.")},
    )
    deliverables = ListField(
        most=MOST_DELIVERABLES,
        length=LONGEST_DELIVERABLE,
        separator="\n",
        required=False,
        label=_("What is handed over"),
        help_text=_("One thing a line."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    price = AmountField(label=_("Price"), positive=True, error_messages={"required": _("Say what it costs.")})
    days = forms.IntegerField(label=_("Days"), min_value=1, max_value=MOST_DAYS, error_messages={"required": _("Say how many days it takes.")})
    revisions = forms.IntegerField(label=_("Revisions"), min_value=0, max_value=MOST_REVISIONS, error_messages={"required": _("None is 0.")})
    hours = forms.TypedChoiceField(label=_("The offer stands for"), coerce=int, choices=_lastings)
    asks_questions = forms.BooleanField(label=_("Ask the questions of the service after the payment"), required=False)

    def __init__(self, services: Sequence[Service], package: Package | None, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        self.package = package
        if package is not None:
            services = [package.service]
            del self.fields["service"]
        else:
            self.fields["service"].choices = [(str(one.pk), one.title) for one in services]  # type: ignore[attr-defined]
        if not any(one.questions for one in services):
            del self.fields["asks_questions"]

    def price_so_far(self) -> Decimal | None:
        """The price that is written now, if it can be read."""
        written: Mapping[str, Any] = getattr(self, "cleaned_data", {}) if self.is_bound else self.initial
        found = written.get("price")
        return found if isinstance(found, Decimal) else None

    def field_of(self, code: str) -> str | None:
        """The field that a refusal is about."""
        name = {"below_floor": "price", "price_range": "price", "service": "service"}.get(code, "")
        return name if name in self.fields else None

    def terms(self) -> OfferTerms:
        data = self.cleaned_data
        return OfferTerms(
            service=self.package.service_id if self.package is not None else UUID(data["service"]),
            title=data["title"],
            scope=data["scope"],
            price=data["price"],
            days=data["days"],
            revisions=data["revisions"],
            deliverables=tuple(data["deliverables"]),
            package=self.package.pk if self.package is not None else None,
            asks_questions=bool(data.get("asks_questions")),
            hours=data["hours"],
        )


class CounterForm(forms.Form):
    """Other terms than those of an offer, as its client proposes them."""

    price = AmountField(label=_("What you would pay"), positive=True, error_messages={"required": _("Say what you would pay.")})
    days = forms.IntegerField(label=_("Days"), min_value=1, max_value=MOST_DAYS, error_messages={"required": _("Say how many days it may take.")})
    revisions = forms.IntegerField(label=_("Revisions"), min_value=0, max_value=MOST_REVISIONS, error_messages={"required": _("None is 0.")})
    scope = forms.CharField(
        label=_("What is done for it"),
        max_length=LONGEST_SCOPE,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_("It begins with the words of the offer. Change what should be different."),
        error_messages={"required": _("Say what is done for it.")},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)

    def terms(self, offer: Offer) -> OfferTerms:
        data = self.cleaned_data
        return replace(terms_of(offer), price=data["price"], days=data["days"], revisions=data["revisions"], scope=data["scope"])


class DeclineOfferForm(forms.Form):
    reason = forms.CharField(required=False, max_length=300)


# Disputes


class FigureField(AmountField):
    """What of the money in escrow would go back to the client; `client` is empty when they read it themselves."""

    def __init__(self, amount: Decimal, client: str, **options: Any) -> None:
        options.setdefault("error_messages", {"required": gettext("Say how much. Nothing is 0.")})
        options.setdefault(
            "help_text", gettext("Of %(amount)s in escrow. From 0 to all of it; what is left goes to the other side.") % {"amount": usd(amount)}
        )
        label = gettext("Back to %(client)s") % {"client": client} if client else gettext("Back to you")
        super().__init__(most=amount, label=label, **options)


class DisputeForm(forms.Form):
    """What one side claims. The reasons are those of the side."""

    reason = forms.ChoiceField(label=_("What is wrong?"), widget=forms.RadioSelect, error_messages={"required": _("Choose what is wrong.")})
    claim = forms.CharField(
        label=_("What happened"),
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text=_("What was agreed, what is not so, and since when. The other side and support read it."),
        error_messages={"required": _("Say what is wrong.")},
    )
    uploads = CheckedFilesField(label=_("Evidence"), required=False)
    client_key = forms.UUIDField(widget=forms.HiddenInput)

    field_order = ["reason", "claim", "to_client", "uploads"]

    def __init__(self, amount: Decimal, client: str, builder: str, *args: Any, by_client: bool, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        reasons = REASONS_OF_CLIENT if by_client else REASONS_OF_BUILDER
        self.fields["reason"].choices = [(one.value, one.label) for one in reasons]  # type: ignore[attr-defined]
        help_text = gettext("Of %(amount)s in escrow. Write %(all)s for all of it; what is left goes to %(builder)s, less the platform fee.") % {
            "amount": usd(amount),
            "all": amount,
            "builder": builder,
        }
        if not by_client:
            help_text = gettext("Of %(amount)s in escrow. Write 0 if all of it should go to you.") % {"amount": usd(amount)}
        self.fields["to_client"] = FigureField(amount, "" if by_client else client, help_text=help_text)
        self.fields["uploads"].help_text = gettext("%(files)s You can add more later.") % {"files": files_help()}
        self.order_fields(self.field_order)

    @property
    def reason_asked(self) -> DisputeReason:
        return DisputeReason(self.cleaned_data["reason"])


class AnswerDisputeForm(forms.Form):
    answer = forms.CharField(
        label=_("How you see it"),
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_("The other side and support read it."),
        error_messages={"required": _("Say how you see it.")},
    )
    uploads = CheckedFilesField(label=_("Evidence"), required=False)

    def __init__(self, amount: Decimal, client: str, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        self.fields["offer"] = FigureField(amount, client)
        self.fields["uploads"].help_text = files_help()
        self.order_fields(["answer", "offer", "uploads"])


class FigureForm(forms.Form):
    def __init__(self, amount: Decimal, client: str, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        self.fields["to_client"] = FigureField(amount, client)


class SettleForm(forms.Form):
    seen = AmountField()


class EvidenceForm(forms.Form):
    text = forms.CharField(label=_("What should be known"), required=False, max_length=5000, widget=forms.Textarea(attrs={"rows": 4}))
    uploads = CheckedFilesField(label=_("Files"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        self.fields["uploads"].help_text = files_help()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors and not cleaned.get("text") and not cleaned.get("uploads"):
            self.add_error("text", gettext("Write something, or add a file."))
        return cleaned


# Ends by agreement


class PartingForm(forms.Form):
    """How the money in escrow is divided, and why. The key comes with the page."""

    reason = forms.CharField(
        label=_("Why"),
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("The other side reads it first."),
        error_messages={"required": _("Say why, so that the other side can agree.")},
    )
    client_key = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, amount: Decimal, client: str, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        self.fields["to_client"] = FigureField(
            amount,
            client,
            positive=True,
            error_messages={"required": gettext("Say how much.")},
            help_text=gettext("Of %(amount)s in escrow. What is left goes to the builder.") % {"amount": usd(amount)},
        )
        self.order_fields(["to_client", "reason"])


class DeclinePartingForm(forms.Form):
    answer = forms.CharField(required=False, max_length=1000)
