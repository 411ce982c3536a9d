"""Why somebody reads what others wrote."""

from __future__ import annotations

from typing import Any

from django import forms


class OpenThread(forms.Form):
    """Why somebody has to read what two others wrote to each other."""

    reason = forms.CharField(
        max_length=600,
        widget=forms.Textarea({"rows": 3}),
        help_text="It is kept with your name, and security reads it.",
        error_messages={"required": "Say why you have to read it."},
    )

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, label_suffix="")
