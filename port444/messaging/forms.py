from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from port444.kit.ids import uuid7

from .models import ReportReason


class FilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """Any number of files; what they may be is checked by the action."""

    widget = FilesInput

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile[Any]]:
        return [file for file in data or [] if file]


class MessageForm(forms.Form):
    """What the composer sends. `client_key` lets the same press of the button count once."""

    body = forms.CharField(label=_("Message"), required=False, strip=False)
    uploads = FilesField(label=_("Files"), required=False)
    client_key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid7)


class ReportForm(forms.Form):
    reason = forms.ChoiceField(label=_("What is wrong?"), choices=ReportReason.choices, widget=forms.RadioSelect)
    text = forms.CharField(
        label=_("What happened?"),
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("Support sees this and knows what it is about."),
    )
