"""What a page tells search engines, and sites that show a link to it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.safestring import SafeString

SCHEMA = "https://schema.org"
CLOSED = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&"}  # nothing in it ends the element or begins another


@dataclass(frozen=True, slots=True)
class Public:
    """A page that anybody may find, or, when it is not `listed`, one that search engines shall leave out.

    `url` is the one absolute address under which the page is known, `card` that of its picture (none: the picture of the site), `facts`
    things of schema.org.
    """

    title: str
    description: str = ""
    url: str = ""
    card: str = ""
    kind: str = "website"
    facts: Sequence[Mapping[str, Any]] = ()
    listed: bool = True

    @property
    def picture(self) -> str:
        return self.card or address("pages:card")

    @property
    def linked_data(self) -> SafeString:
        """The facts as JSON-LD. A browser does not run it, so the content policy lets it stand in the page."""
        said = (json.dumps({"@context": SCHEMA, **fact}, ensure_ascii=False, separators=(",", ":")).translate(CLOSED) for fact in self.facts)
        return SafeString("\n".join(f'<script type="application/ld+json">{words}</script>' for words in said))


def address(name: str, *arguments: str) -> str:
    """A page's absolute address."""
    return f"{settings.SITE_URL}{reverse(name, args=arguments)}"


def crumbs(*steps: tuple[str, str]) -> dict[str, Any]:
    """The way to a page, as (name, absolute address) from the front page to the page itself."""
    places = [{"@type": "ListItem", "position": place, "name": name, "item": url} for place, (name, url) in enumerate(steps, 1)]
    return {"@type": "BreadcrumbList", "itemListElement": places}
