"""Help says what the code does, in every language."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site
from django.test import Client
from django.utils import translation

from port444.pages import figures, help

pytestmark = pytest.mark.django_db
HOME = Path(site.BASE_DIR) / "templates/pages/help"
LANGUAGES = [code for code, _ in site.LANGUAGES]


def read(topic: str, language: str = "en") -> str:
    with translation.override(language):
        return help.body(help.TOPICS[topic])


# A setting, another value for it, where it is said, and in which words.
SETTINGS: list[tuple[str, Any, str, str]] = [
    ("CLIENT_FEE_BPS", 725, "fees", "7.25%"),
    ("CLIENT_FEE_BPS", 700, "fees", "$107.00"),
    ("BUILDER_FEE_BPS", 1500, "fees", "$85.00"),
    ("CLEARING_DAYS", 9, "payouts", "9 days"),
    ("PAYOUT_REST_HOURS", 31, "payouts", "31 hours"),
    ("LEAST_WITHDRAWAL", {"wallet": Decimal("11.00"), "bank": Decimal("33.00")}, "payouts", "$33.00"),
    ("WITHDRAWAL_FEE", {"wallet": Decimal("0.70"), "bank": Decimal("4.40")}, "payouts", "$4.40"),
    ("MOST_WITHDRAWN_A_DAY", Decimal("777.00"), "payouts", "$777.00"),
    ("ESCROW_GRACE_DAYS", 91, "escrow", "91 days"),
    ("REVIEW_DAYS", 5, "escrow", "5 days"),
    ("REVIEW_DAYS", 5, "orders", "5 days"),
    ("REVISION_DAYS", 6, "orders", "6 days"),
    ("REQUIREMENTS_DAYS", 8, "orders", "8 days"),
    ("PAYMENT_MINUTES", 61, "orders", "61 minutes"),
    ("REQUIREMENTS_DAYS", 1, "cancelling", "1 day,"),
    ("PARTING_HOURS", 73, "cancelling", "73 hours"),
    ("AMENDMENT_HOURS", 74, "changes", "74 hours"),
    ("EXTENSION_HOURS", 49, "changes", "49 hours"),
    ("OFFER_HOURS", 50, "offers", "50 hours"),
    ("OFFER_DAYS_AT_MOST", 33, "offers", "33 days"),
    ("DISPUTE_ANSWER_HOURS", 47, "disputes", "47 hours"),
    ("DISPUTE_SETTLE_HOURS", 71, "disputes", "71 hours"),
    ("REVIEWS_BLIND_DAYS", 10, "reviews", "10 days"),
    ("REPLY_HOURS", 25, "reviews", "25 hours"),
    ("HOLD_MINUTES", 16, "calls", "16 minutes"),
    ("CALL_NOTICE_HOURS", 3, "calls", "3 hours"),
    ("CALL_HORIZON_DAYS", 62, "calls", "62 days"),
    ("PROPOSAL_HOURS", 46, "calls", "46 hours"),
    ("CREDIT_DAYS", 66, "refunds", "66 days"),
    ("LONG_AWAY_DAYS", 32, "away", "32 days"),
    ("OBJECTION_HOURS", 45, "away", "45 hours"),
    ("EXIT_HOURS", 75, "away", "75 hours"),
]


@pytest.mark.parametrize(("name", "value", "topic", "words"), SETTINGS)
def test_a_changed_setting_changes_the_page(settings: Any, name: str, value: Any, topic: str, words: str) -> None:
    assert words not in read(topic)
    setattr(settings, name, value)
    assert words in read(topic)


def test_a_changed_constant_changes_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "ANSWER_TIME", timedelta(hours=52))
    monkeypatch.setattr(figures, "MOST_OF_ORDER", 9)
    assert "52 hours" in read("missed-calls")
    assert "have 9 disputes" in read("disputes")


def test_no_figure_is_typed() -> None:
    """But for the lengths of calls, the day of 24 hours, the scale of stars, four characters and the numbers of steps."""
    meant = re.compile(r"15, 30 (or|oder) 60|24 (hours|Stunden)|5 (stars|Sternen)|<h2 id=[^>]*>\d\. ")
    for path in HOME.rglob("*.html"):
        words = re.sub(r"\{[{%].*?[%}]\}|<[^>]*>", "", meant.sub("", path.read_text()))
        assert re.findall(r"\d+", words) == [], path


def test_every_figure_is_said_and_every_one_said_is_there() -> None:
    for language in LANGUAGES:
        said = {name for path in (HOME / language).glob("*.html") for name in re.findall(r"\{\{ f\.(\w+) \}\}", path.read_text())}
        assert said == set(figures.figures()), language


@pytest.mark.parametrize("topic", help.TOPICS)
def test_a_page_says_the_same_in_every_language(topic: str) -> None:
    """The same sections, figures and links, in the same order."""
    pages = {language: (HOME / language / f"{topic}.html").read_text() for language in LANGUAGES}
    shape = re.compile(r'<h2 id="[a-z-]+">|<(?:p|li|td|th|b)\b')
    assert len({tuple(shape.findall(words)) for words in pages.values()}) == 1
    assert len({tuple(sorted(re.findall(r"\{\{ f\.\w+ \}\}|\{% url .*? %\}", words))) for words in pages.values()}) == 1


def test_every_page_of_a_language_is_a_topic() -> None:
    assert {(path.parent.name, path.stem) for path in HOME.rglob("*.html")} == {(language, slug) for language in LANGUAGES for slug in help.TOPICS}


def test_pages_have_contents_and_lead_on(client: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        html = client.get("/help/cancelling/").content.decode()
    assert '<a href="#agreement">Ending by agreement</a>' in html
    assert '<h2 id="agreement">Ending by agreement</h2>' in html
    assert 'href="/help/disputes/"' in html
    assert '<link rel="canonical" href="http://127.0.0.1:8444/help/cancelling/">' in html
    assert "/help/cancelling/" in client.get("/sitemap-pages.xml").content.decode()
    assert client.get("/help/nothing/").status_code == 404


def test_links_between_pages_lead_to_what_is_there(client: Client) -> None:
    for slug in help.TOPICS:
        for path, anchor in re.findall(r'href="/help/([a-z-]+)/(?:#([a-z-]+))?"', read(slug)):
            assert path in help.TOPICS
            assert not anchor or f'id="{anchor}"' in read(path)


def test_words_are_found_where_they_stand(client: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        html = client.get("/help/?q=Agreement").content.decode()
    assert '<a href="/help/cancelling/#agreement"><b>Ending by agreement</b></a>' in html
    assert "/help/payouts/" not in html
    assert "noindex" in html
    assert '<a href="/help/payouts/#clearing"><b>When it is ready</b></a>' in client.get("/help/?q=clears").content.decode()
    assert '/help/payouts/#clearing"' in client.get("/help/?q=Freigabe", headers={"Accept-Language": "de"}).content.decode()


@pytest.mark.parametrize("words", ["zzz", "<script>alert(1)</script>", "\x00", "%", "a" * 5000, "  ", "' OR 1=1 --"])
def test_any_words_can_be_looked_for(client: Client, words: str) -> None:
    response = client.get("/help/", {"q": words})
    assert response.status_code == 200
    assert "<script>alert" not in response.content.decode()


def test_a_piece_of_text_has_the_word_in_it() -> None:
    for part, text in help.find("escrow"):
        assert "escrow" in f"{part.topic.title} {part.title} {text}".lower()
        assert len(text) < 2 * help.AROUND + 40


def test_pages_of_money_lead_to_their_rules() -> None:
    """Every link from another page names a page and a section that are there."""
    found = []
    for path in (HOME.parents[1]).rglob("*.html"):
        for topic, part in re.findall(r'"pages/_more.html" with topic="([a-z-]+)"(?: part="([a-z-]+)")?', path.read_text()):
            found.append(topic)
            assert not part or f'id="{part}"' in read(topic), path
    assert {"escrow", "cancelling", "changes", "disputes", "payouts", "missed-calls", "privacy"} <= set(found) <= set(help.TOPICS)
