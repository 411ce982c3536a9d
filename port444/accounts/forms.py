from __future__ import annotations

from django import forms


class SignupForm(forms.Form):
    name = forms.CharField(max_length=80)
