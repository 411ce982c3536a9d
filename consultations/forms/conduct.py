"""The shape of what is said before and after a call."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from .booking import StartField


class NotesForm(forms.Form):
    """What the builder leaves behind after a call."""

    notes = forms.CharField(
        max_length=3000,
        required=False,
        label=_("Notes for the client"),
        help_text=_("What you found, what to do next. The client sees them here."),
        widget=forms.Textarea(attrs={"rows": 5, "data-count": "notes-c"}),
    )


class CancelForm(forms.Form):
    reason = forms.CharField(
        max_length=300, required=False, label=_("Why?"), help_text=_("The other side reads this."), widget=forms.Textarea(attrs={"rows": 2})
    )


class ReportForm(forms.Form):
    """Somebody did not come."""

    note = forms.CharField(
        max_length=600,
        required=False,
        label=_("What happened?"),
        help_text=_("The other side reads this and can answer."),
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class DisputeForm(forms.Form):
    """Somebody came after all, they say."""

    dispute = forms.CharField(
        max_length=600,
        label=_("What happened?"),
        help_text=_("Say when and where you were. The other side and the person who decides read this."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class DecideForm(forms.Form):
    """How staff decides, and why."""

    reason = forms.CharField(
        label=_("Reason"),
        min_length=10,
        max_length=600,
        help_text=_("Both people read it, on the page of the call and by mail."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class MoveForm(forms.Form):
    """Another time for a call, and a word about it."""

    slot = StartField(error_messages={"required": _("Pick a time first.")})
    note = forms.CharField(
        max_length=300, required=False, label=_("Why?"), help_text=_("The other side reads this."), widget=forms.Textarea(attrs={"rows": 2})
    )


class FreeTimeForm(forms.Form):
    """A builder proposes any time, on their own clock. Its fields lie in another form's column and name their own."""

    at = forms.DateTimeField(
        label=_("Date and time"),
        input_formats=["%Y-%m-%dT%H:%M"],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": 300, "form": "free-form"}, format="%Y-%m-%dT%H:%M"),
        error_messages={"invalid": _("Write a date and a time that your clock shows.")},
    )
    note = forms.CharField(max_length=300, required=False, label=_("Why?"), widget=forms.Textarea(attrs={"rows": 2, "form": "free-form"}))


class ConvertForm(forms.Form):
    """Which package a call becomes."""

    package = forms.UUIDField()
    client_key = forms.UUIDField()
