from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account.forms import SignupForm as BaseSignupForm
from django import forms
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from port444.kit import lazy
from port444.kit.clock import now

from . import zones
from .models import Scope, Theme, User, check_zone

if TYPE_CHECKING:
    import phonenumbers
else:
    phonenumbers = lazy.load("phonenumbers")

ROLES = [("hire", _("Hire somebody")), ("work", _("Offer my work")), ("both", _("Both"))]


class ZoneField(forms.ChoiceField):
    """A time zone from the list, named by its place and its present distance from UTC."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("label", _("Time zone"))
        super().__init__(choices=lambda: zones.choices(now()), **options)
        self.widget.attrs["data-guess-zone"] = ""

    def validate(self, value: Any) -> None:
        # Any zone is taken: a browser may name one that the list does not show.
        forms.Field.validate(self, value)
        check_zone(value)


def clean_name(name: str) -> str:
    name = " ".join(name.split())
    if "<" in name or "://" in name or not any(letter.isalpha() for letter in name):
        raise forms.ValidationError(_("Write your name as people should see it."), code="name")
    return name


class SignupForm(BaseSignupForm):  # type: ignore[misc]  # allauth carries no types
    """What is asked of a new person beside e-mail and password."""

    name = forms.CharField(label=_("Your name"), max_length=80, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    role = forms.ChoiceField(label=_("What brings you here?"), choices=ROLES, initial="hire", widget=forms.RadioSelect)
    time_zone = ZoneField(initial="UTC", help_text=_("All times are shown in it."))

    field_order = ["name", "email", "password1", "role", "time_zone"]

    def clean_name(self) -> str:
        return clean_name(self.cleaned_data["name"])

    def try_save(self, request: HttpRequest) -> Any:
        if self.account_already_exists:  # as much work as for a new account, so that the time it takes tells nobody
            User().set_password(self.cleaned_data["password1"])
        return super().try_save(request)

    def save(self, request: HttpRequest) -> User:
        # allauth writes the person and the address one after the other; half an account must not stay behind.
        with transaction.atomic():
            user: User = super().save(request)
        return user


class ProfileForm(forms.Form):
    """What a person says about themselves."""

    name = forms.CharField(label=_("Name"), max_length=80, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    phone = forms.CharField(
        label=_("Phone"),
        max_length=40,
        required=False,
        help_text=_("In international form, for example +31 20 123 4567. Only used for text messages that you have asked for."),
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "tel"}),
    )
    time_zone = ZoneField(help_text=_("All times are shown in it."))
    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES)
    theme = forms.ChoiceField(label=_("Colours"), choices=Theme.choices, widget=forms.RadioSelect)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        chosen = self.initial.get("time_zone", "UTC")
        zone = self.fields["time_zone"]
        assert isinstance(zone, ZoneField)
        zone.choices = zones.choices(now(), chosen=[chosen])
        if chosen != "UTC":
            del zone.widget.attrs["data-guess-zone"]

    def clean_name(self) -> str:
        return clean_name(self.cleaned_data["name"])

    def clean_phone(self) -> str:
        phone = self.cleaned_data["phone"].strip()
        if not phone:
            return ""
        try:
            number = phonenumbers.parse(phone, None)
        except phonenumbers.NumberParseException:
            number = None
        if number is None or not phonenumbers.is_valid_number(number):
            raise forms.ValidationError(_("This is no phone number. Begin with + and the country, for example +31 20 123 4567."), code="phone")
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


class TokenForm(forms.Form):
    """A token for a program."""

    name = forms.CharField(label=_("What it is for"), max_length=60, help_text=_("For example: nightly report."))
    scopes = forms.MultipleChoiceField(
        label=_("What it may do"), widget=forms.CheckboxSelectMultiple, error_messages={"required": _("Choose at least one.")}
    )
    days = forms.TypedChoiceField(
        label=_("How long it lasts"), coerce=int, choices=[(7, _("A week")), (30, _("30 days")), (90, _("90 days")), (366, _("A year"))], initial=90
    )

    def __init__(self, user: User, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        field: Any = self.fields["scopes"]
        field.choices = [(value, words) for value, words in Scope.choices if value != Scope.CONSOLE or user.is_staff]
