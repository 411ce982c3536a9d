"""What is asked of who looks through somebody's eyes."""

from __future__ import annotations

from django import forms


class ViewingForm(forms.Form):
    """Why somebody's pages are looked at."""

    FIELD_OF = {"reason_missing": "reason", "reference_missing": "reference"}

    reason = forms.CharField(label="Reason", max_length=600, widget=forms.Textarea(attrs={"rows": 3}))
    reference = forms.CharField(label="Order, dispute, incident or plan", max_length=40)
