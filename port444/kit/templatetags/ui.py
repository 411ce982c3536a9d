"""Template words that every page uses; builtin, so no page loads them. The parts: docs/look.md."""

from __future__ import annotations

import re
import unicodedata
from datetime import tzinfo
from decimal import Decimal
from typing import Any

from django import template
from django.template import defaultfilters
from django.template.context import Context
from django.templatetags.static import static
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString

from port444.kit import language, money

register = template.Library()


@register.simple_tag
def icon(name: str, css: str = "") -> SafeString:
    """One icon of the sprite, hidden from readers: the words beside it carry the meaning."""
    return format_html(
        '<svg class="i{}" aria-hidden="true"><use href="{}#{}"/></svg>',
        f" {css}" if css else "",
        static("icons/icons.svg"),
        name,
    )


@register.simple_tag(takes_context=True)
def here(context: Context, prefix: str) -> SafeString:
    """` aria-current` for a link of the navigation whose page, or a page below it, is open."""
    request = context.get("request")
    path: str = getattr(request, "path", "")
    if path == prefix:
        return SafeString(' aria-current="page"')
    if prefix != "/" and path.startswith(prefix):
        return SafeString(' aria-current="true"')
    return SafeString("")


def _letters(name: object) -> list[str]:
    """First letters of the first and the last word, without accents."""
    words = str(name or "").split()
    chosen = [words[0], words[-1]] if len(words) > 1 else words
    return [unicodedata.normalize("NFKD", word)[0].upper() for word in chosen]


@register.filter
def initials(name: object) -> str:
    return "".join(_letters(name))


@register.filter
def marked(text: str) -> SafeString:
    """Our own words with `code` and **weight** in them."""
    return SafeString(re.sub(r"`([^`]+)`", r'<span class="code">\1</span>', re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", escape(text))))


@register.filter
def flags(name: object) -> list[str]:
    """Two signal flags for a person without a picture; the pennant where no letter flag exists."""
    found = [letter if "A" <= letter <= "Z" else "pennant" for letter in _letters(name)]
    return [*found, "pennant", "pennant"][:2]


@register.filter
def first_name(name: object) -> str:
    return str(name or "").split(" ", 1)[0]


@register.filter
def usd(amount: Decimal | str | None) -> str:
    """An amount as people read it, e.g. $1,234.50; nothing where there is none."""
    # An amount that a template could not find arrives as an empty string.
    return money.usd(amount) if isinstance(amount, Decimal) else ""


@register.filter
def usd_short(amount: Decimal | str | None) -> str:
    """As `usd`, without cents when there are none, e.g. $1,234."""
    if not isinstance(amount, Decimal):
        return ""
    return money.usd(amount, 0 if amount == amount.to_integral_value() else 2)


@register.filter
def usdc(amount: Decimal | str | None) -> str:
    """As `usd`, with the currency in which it is paid, e.g. $1,234.50 USDC."""
    text = usd(amount)
    return f"{text} {money.CURRENCY}" if text else ""


@register.filter(expects_localtime=True, is_safe=False)
def date(value: Any, form: str | None = None) -> str:
    """Django's filter, with the form as the active language writes it: "D j M" in German is "D, j. M"."""
    return defaultfilters.date(value, language.form_of(form) if form else None)


register.filter("within", language.within)
register.filter("retold", language.retold)


@register.filter
def mask_address(value: object) -> str:
    """A wallet or transaction as 0x71c4…9e02, as people compare them."""
    text = str(value or "")
    return text if len(text) <= 14 else f"{text[:6]}…{text[-4:]}"


@register.filter
def city(zone: str | tzinfo | None) -> str:
    """The place in an IANA zone: Europe/Amsterdam is Amsterdam, America/Argentina/Buenos_Aires is Buenos Aires."""
    return str(zone or "UTC").rsplit("/", 1)[-1].replace("_", " ")


@register.filter
def get(mapping: Any, key: object) -> object:
    """A value of a mapping by a key that is a variable."""
    return mapping.get(key) if hasattr(mapping, "get") else None
