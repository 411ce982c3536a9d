from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.forms import BooleanField, CharField, ChoiceField, Form, PasswordInput, RadioSelect
from django.template import engines
from django.template.loader import get_template
from django.test import RequestFactory

from port444.kit.templatetags import ui


def render(text: str, **context: object) -> str:
    return str(engines["django"].from_string(text).render(context))


@pytest.mark.parametrize(
    ("amount", "dollars", "currency"),
    [
        (Decimal("1234.5"), "$1,234.50", "$1,234.50 USDC"),
        (Decimal("0"), "$0.00", "$0.00 USDC"),
        (Decimal("-7"), "-$7.00", "-$7.00 USDC"),
        (None, "", ""),
        ("", "", ""),
    ],
)
def test_money_is_written_as_people_read_it(amount: Decimal | str | None, dollars: str, currency: str) -> None:
    assert ui.usd(amount) == dollars
    assert ui.usdc(amount) == currency


def test_a_missing_amount_shows_nothing() -> None:
    assert render("[{{ order.budget|usd }}]") == "[]"


def test_addresses_are_shortened_in_the_middle() -> None:
    assert ui.mask_address("0x71c4aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa9e02") == "0x71c4…9e02"
    assert ui.mask_address("alice.eth") == "alice.eth"
    assert ui.mask_address(None) == ""


def test_the_city_of_a_zone() -> None:
    assert ui.city("America/Argentina/Buenos_Aires") == "Buenos Aires"
    assert ui.city(ZoneInfo("Asia/Kolkata")) == "Kolkata"
    assert ui.city(None) == "UTC"


@pytest.mark.parametrize(
    ("name", "initials", "flags"),
    [
        ("Anaya Krishnan", "AK", ["A", "K"]),
        ("Ýrsa van der Öström", "YO", ["Y", "O"]),
        ("Cher", "C", ["C", "pennant"]),
        ("山田 太郎", "山太", ["pennant", "pennant"]),
        ("", "", ["pennant", "pennant"]),
    ],
)
def test_people_without_a_picture_get_flags(name: str, initials: str, flags: list[str]) -> None:
    assert ui.initials(name) == initials
    assert ui.flags(name) == flags


def test_every_flag_is_drawn() -> None:
    drawn = (Path(settings.BASE_DIR) / "static/icons/flags.svg").read_text()
    assert all(f'<symbol id="{letter}"' in drawn for letter in [*"ABCDEFGHIJKLMNOPQRSTUVWXYZ", "pennant"])


def test_an_icon_is_hidden_from_readers_and_escaped() -> None:
    html = ui.icon('"><script>', "dl")
    assert 'aria-hidden="true"' in html
    assert 'class="i dl"' in html
    assert "<script>" not in html


@pytest.mark.parametrize(
    ("path", "prefix", "mark"),
    [
        ("/orders/", "/orders/", ' aria-current="page"'),
        ("/orders/2187/", "/orders/", ' aria-current="true"'),
        ("/orders/", "/", ""),
        ("/calls/", "/orders/", ""),
    ],
)
def test_the_navigation_knows_where_we_are(path: str, prefix: str, mark: str) -> None:
    assert render("{% here prefix %}", request=RequestFactory().get(path), prefix=prefix) == mark
    assert render("{% here prefix %}", prefix=prefix) == ""


class Sample(Form):
    title = CharField(help_text="Short and plain.")
    kind = ChoiceField(choices=[("a", "First"), ("b", "Second")], widget=RadioSelect)
    secret = CharField(widget=PasswordInput, required=False)
    agree = BooleanField(label="I have read the rules")


def test_a_field_ties_help_and_error_to_its_control() -> None:
    html = Sample({"kind": "z"})["title"].as_field_group()
    assert 'aria-describedby="id_title_helptext id_title_error"' in html
    assert 'id="id_title_helptext"' in html
    assert 'id="id_title_error"' in html
    assert 'aria-invalid="true"' in html
    assert '<label for="id_title">Title</label>' in html


def test_a_group_of_choices_is_a_fieldset_with_a_legend() -> None:
    html = Sample()["kind"].as_field_group()
    assert "<fieldset" in html
    assert '<legend class="lab">Kind</legend>' in html


def test_optional_fields_say_so_and_passwords_can_be_shown() -> None:
    html = Sample()["secret"].as_field_group()
    assert '<span class="opt">optional</span>' in html
    assert 'data-reveal="id_secret"' in html


def test_a_checkbox_stands_inside_its_label_and_shows_its_error() -> None:
    html = Sample({})["agree"].as_field_group()
    assert '<label class="tick" for="id_agree"><input type="checkbox"' in html
    assert 'id="id_agree_error"' in html


def test_the_error_summary_links_to_the_fields() -> None:
    html = get_template("ui/_error_summary.html").render({"form": Sample({"kind": "a"}), "summary": True})
    assert '<a href="#id_title">Title: This field is required.</a>' in html
    assert "errsum" not in get_template("ui/_error_summary.html").render({"form": Sample(), "summary": True})


def test_user_text_is_escaped_and_its_links_work() -> None:
    html = get_template("ui/_msg.html").render({"name": "Anaya Krishnan", "text": "<b>hi</b> https://example.com/x\n\nbye"})
    assert "<b>hi</b>" not in html
    assert '<a href="https://example.com/x" rel="nofollow">' in html
    assert html.count("<p>") == 2


def test_the_ticket_shows_one_moment_in_two_zones() -> None:
    html = render(
        '{% include "ui/_ticket.html" with kind="Due" at=at zone="America/Los_Angeles" other_zone="Pacific/Auckland" other="Anaya K" only %}',
        at=datetime(2026, 12, 5, 13, 30, tzinfo=UTC),
    )
    assert "<b>05:30</b>" in html
    assert "<b>02:30<sup>+1" in html
    assert "Saturday 5 December" in html


@pytest.mark.parametrize("name", ["400", "403", "404", "409", "429", "500", "403_csrf", "maintenance", "refused"])
def test_error_pages_need_no_context(name: str) -> None:
    html = get_template(f"{name}.html").render({})
    assert "<h1>" in html
    assert "style=" not in html
