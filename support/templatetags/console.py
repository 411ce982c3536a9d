"""Words for templates of the console."""

from __future__ import annotations

from django import template
from django.utils.safestring import SafeString

from support import search

register = template.Library()


@register.filter
def marked(text: str, asked: str) -> SafeString:
    """`text` with what was searched for marked in it."""
    return search.marked(text, asked)
