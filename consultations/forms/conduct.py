"""The shape of what is said before and after a call."""

from __future__ import annotations

from django import forms


class NotesForm(forms.Form):
    """What the builder leaves behind after a call."""

    notes = forms.CharField(
        max_length=3000,
        required=False,
        label="Notes for the client",
        help_text="What you found, what to do next. The client sees them here.",
        widget=forms.Textarea(attrs={"rows": 5, "data-count": "notes-c"}),
    )


class CancelForm(forms.Form):
    reason = forms.CharField(
        max_length=300, required=False, label="Why?", help_text="The other side reads this.", widget=forms.Textarea(attrs={"rows": 2})
    )
