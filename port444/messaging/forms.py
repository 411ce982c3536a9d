from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile

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

    body = forms.CharField(label="Message", required=False, strip=False)
    uploads = FilesField(label="Files", required=False)
    client_key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid7)


class ReportForm(forms.Form):
    reason = forms.ChoiceField(label="What is wrong?", choices=ReportReason.choices, widget=forms.RadioSelect)
    text = forms.CharField(
        label="What happened?",
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Support sees this and knows what it is about.",
    )
