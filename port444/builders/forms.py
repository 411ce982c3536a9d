from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .actions import PieceText, Profile
from .models import Builder, PortfolioPiece

# The commonest first; a fixed list, so that the filter of the search finds what profiles say.
LANGUAGES = (
    "English", "Spanish", "French", "German", "Portuguese", "Italian", "Dutch", "Polish", "Russian", "Ukrainian", "Turkish", "Arabic", "Hebrew",
    "Persian", "Hindi", "Bengali", "Urdu", "Punjabi", "Marathi", "Tamil", "Telugu", "Kannada", "Malayalam", "Gujarati", "Chinese", "Cantonese",
    "Japanese", "Korean", "Vietnamese", "Thai", "Indonesian", "Malay", "Filipino", "Swahili", "Amharic", "Hausa", "Igbo", "Yoruba", "Zulu",
    "Afrikaans", "Greek", "Romanian", "Hungarian", "Czech", "Slovak", "Slovenian", "Croatian", "Serbian", "Bosnian", "Bulgarian", "Albanian",
    "Swedish", "Norwegian", "Danish", "Finnish", "Icelandic", "Estonian", "Latvian", "Lithuanian", "Catalan", "Basque", "Irish", "Welsh",
    "Armenian", "Georgian", "Kazakh", "Uzbek", "Azerbaijani", "Nepali", "Sinhala", "Khmer", "Burmese", "Lao", "Mongolian",
)  # fmt: skip


class ListField(forms.Field):
    """Several short texts in one control, between commas or one a line; repeats are dropped."""

    def __init__(self, *, most: int, length: int, separator: str = ",", **options: Any) -> None:
        self.most, self.length, self.separator = most, length, separator
        super().__init__(**options)

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return ("\n" if self.separator == "\n" else f"{self.separator} ").join(value)
        return value

    def to_python(self, value: Any) -> list[str]:
        if not value:
            return []
        text = str(value)
        if "\x00" in text:
            raise ValidationError(_("Null characters are not allowed."), code="null_characters")
        parts = text.splitlines() if self.separator == "\n" else text.replace("\n", self.separator).split(self.separator)
        items = list({part.casefold(): part for part in (" ".join(part.split()) for part in reversed(parts)) if part}.values())[::-1]
        if len(items) > self.most:
            raise ValidationError(gettext("At most %(most)s.") % {"most": self.most}, code="too_many")
        if long := next((item for item in items if len(item) > self.length), None):
            raise ValidationError(
                gettext("“%(start)s…” is longer than %(length)s characters.") % {"start": long[:20], "length": self.length}, code="too_long"
            )
        return items


def known_languages(names: Iterable[str]) -> list[str]:
    """The languages as the list writes them. Raises ValidationError for one that is not on it."""
    known = {name.casefold(): name for name in LANGUAGES}
    unknown = [name for name in names if name.casefold() not in known]
    if unknown:
        raise ValidationError(
            gettext("We do not know “%(language)s”. Write the language in English, for example Spanish.") % {"language": unknown[0]}, code="language"
        )
    return [known[name.casefold()] for name in names]


class ProfileForm(forms.Form):
    headline = forms.CharField(max_length=120, help_text=_("What you do, in one line. It stands under your name."))
    about = forms.CharField(
        max_length=3000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 7}),
        help_text=_("Who you are and how you work. Up to 3,000 characters."),
    )
    skills = ListField(most=15, length=30, required=False, help_text=_("Up to 15, with commas between them."))
    languages = ListField(
        most=8,
        length=30,
        required=False,
        help_text=_("Those you can work in, in English, with commas: English, Hindi."),
        label=_("Languages you speak"),
    )
    city = forms.CharField(max_length=60, required=False)
    meeting_url = forms.URLField(
        label=_("Your meeting room"),
        required=False,
        max_length=200,
        assume_scheme="https",
        help_text=_("A link that both sides open at the time of a call. Only people with a confirmed call see it."),
    )

    @classmethod
    def of(cls, builder: Builder) -> ProfileForm:
        return cls(initial={name: getattr(builder, name) for name in cls.base_fields})

    def clean_languages(self) -> list[str]:
        return known_languages(self.cleaned_data["languages"])

    def profile(self) -> Profile:
        data = self.cleaned_data
        return {
            "headline": data["headline"],
            "about": data["about"],
            "skills": data["skills"],
            "languages": data["languages"],
            "city": data["city"],
            "meeting_url": data["meeting_url"],
        }


class PhotoForm(forms.Form):
    photo = forms.FileField(
        label=_("Photo"),
        max_length=255,
        help_text=_("PNG, JPEG or WebP, up to 8 MB. It is cut to a square."),
        widget=forms.FileInput(attrs={"accept": "image/png,image/jpeg,image/webp"}),
    )


class PieceForm(forms.Form):
    title = forms.CharField(max_length=90, help_text=_("What it is, for example: A booking page for a ferry."))
    words = forms.CharField(
        max_length=1000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        label=_("About it"),
        help_text=_("What was asked for, and what you did."),
    )
    link = forms.URLField(max_length=200, required=False, assume_scheme="https", label=_("Link"), help_text=_("Where it can be seen, if it can."))

    @classmethod
    def of(cls, piece: PortfolioPiece) -> PieceForm:
        return cls(initial={name: getattr(piece, name) for name in cls.base_fields})

    def text(self) -> PieceText:
        data = self.cleaned_data
        return {"title": data["title"], "words": data["words"], "link": data["link"]}


class PictureForm(forms.Form):
    picture = forms.FileField(
        label=_("Picture"),
        max_length=255,
        help_text=_("PNG, JPEG or WebP, up to 8 MB. Large ones are made smaller, and what a camera wrote into it goes."),
        widget=forms.FileInput(attrs={"accept": "image/png,image/jpeg,image/webp"}),
    )
