from __future__ import annotations

from django import forms

from port444.catalog.models import Category


class SynonymForm(forms.Form):
    word = forms.CharField(max_length=40, label="Who searches for")
    means = forms.CharField(max_length=40, label="finds as well", help_text="And the other way round.")
    category = forms.ModelChoiceField(Category.objects.all(), required=False, empty_label="All categories", help_text="With its parts.")
