"""What opens a calendar, typed by its owner."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

SECRET = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}


class PasswordForm(forms.Form):
    """An account at a CalDAV server. Apple's address is known."""

    url = forms.URLField(
        max_length=500,
        label=_("Address of the server"),
        assume_scheme="https",
        help_text=_("For example https://caldav.fastmail.com. Your provider's help pages name it."),
        widget=forms.URLInput(attrs={"autocomplete": "off", "inputmode": "url"}),
    )
    name = forms.CharField(max_length=254, label=_("User name"), help_text=_("Often your e-mail address."), widget=forms.TextInput(attrs=SECRET))
    password = forms.CharField(
        max_length=500, label=_("Password for apps"), strip=False, widget=forms.PasswordInput(attrs={**SECRET, "autocomplete": "new-password"})
    )

    def __init__(self, *args: Any, address: str = "", label: str = "", **options: Any) -> None:
        super().__init__(*args, **options)
        if address:
            del self.fields["url"]
            self.fields["name"].label, self.fields["name"].help_text = "Apple Account", gettext("The e-mail address that you sign in with.")
            self.fields["password"].label = gettext("App-specific password")
            self.fields["password"].help_text = gettext("Made at account.apple.com under Sign-In and Security. Not the password of your account.")
        else:
            self.fields["password"].help_text = gettext("Make one for port444 alone, if your provider can. It is kept encrypted.")
        self.address = address

    @property
    def given(self) -> tuple[str, ...]:
        return self.address or self.cleaned_data["url"], self.cleaned_data["name"], self.cleaned_data["password"]


class KeyForm(forms.Form):
    """An API key."""

    key = forms.CharField(
        max_length=500,
        label=_("API key"),
        help_text=_("Made in Cal.com under Settings, Developer, API keys. It is kept encrypted."),
        widget=forms.PasswordInput(attrs={**SECRET, "autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, address: str = "", label: str = "", **options: Any) -> None:
        super().__init__(*args, **options)

    @property
    def given(self) -> tuple[str, ...]:
        return (self.cleaned_data["key"],)
