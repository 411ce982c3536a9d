"""All settings at a glance, and lists that fetch themselves anew."""

from __future__ import annotations

import re
from datetime import time
from typing import Any
from zoneinfo import ZoneInfo

from django.test import Client

from port444.accounts.actions import create_token
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.exports.actions import ask_to_close
from port444.notifications.models import Preference, QuietHours
from port444.payments.models import PayoutAddress
from support.actions import start_viewing


def lines(html: str) -> dict[str, str]:
    found = re.findall(r'<li class="row"><a href="[^"]*">.*?<b>(.*?)</b><span[^>]*>(.*?)</span>', html, re.DOTALL)
    return {title: words.strip() for title, words in found}


def test_each_setting_says_what_is_set(client: Client, builder: Builder, django_assert_num_queries: Any) -> None:
    user = builder.user
    client.force_login(user)
    before = lines(client.get("/settings/all/").content.decode())
    assert before["Quiet hours"] == "21:00 to 08:00 in Kolkata"
    assert before["Wallet"] == before["Bank account"] == "None yet"
    assert before["Second factor"] == "Off: a password alone lets in"
    assert before["Support looked at your account"] == "Never"
    assert before["Tokens"] == "0 tokens in use"
    assert before["Close your account"] == "Your account stays open"
    QuietHours.objects.create(user=user, enabled=True, starts=time(22), ends=time(7))
    Preference.objects.create(user=user, group="orders", channel="email", enabled=False)
    PayoutAddress.objects.create(user=user, address="0x71C7656EC7ab88b098defB751B7401B5f6d8976F")
    create_token(user.pk, actor=user, name="Nightly", scopes=["read"], days=7)
    after = lines(client.get("/settings/all/").content.decode())
    assert after["Quiet hours"] == "22:00 to 07:00 in Kolkata"
    assert after["Wallet"] == "0x71C7…976F"
    assert after["Tokens"] == "1 token in use"
    assert after["Notifications"] != before["Notifications"]


def test_the_page_asks_the_same_for_everybody(client: Client, builder: Builder, django_assert_num_queries: Any) -> None:
    client.force_login(builder.user)
    client.get("/settings/all/")
    with django_assert_num_queries(14):
        client.get("/settings/all/")
    for number in range(3):
        create_token(builder.user.pk, actor=builder.user, name=f"Nightly {number}", scopes=["read"], days=7)
    with django_assert_num_queries(14):
        client.get("/settings/all/")


def test_it_leads_to_every_page_of_settings(client: Client, builder: Builder, client_user: User) -> None:
    client.force_login(builder.user)
    html = client.get("/settings/all/").content.decode()
    main = html[html.index('<main id="main"') :]
    paths = dict.fromkeys(path for path in re.findall(r'<li class="row"><a href="([^"#]*)', main))
    assert len(paths) >= 12
    for path in paths:
        assert client.get(path).status_code in (200, 302), path
    client.force_login(client_user)
    assert "Being paid" not in client.get("/settings/all/").content.decode()
    client.logout()
    assert client.get("/settings/all/")["Location"].startswith("/account/login/")


def test_a_closing_and_a_look_are_said(client: Client, client_user: User, agent: User) -> None:
    ask_to_close(client_user.pk, actor=client_user)
    viewing = start_viewing(client_user.pk, actor=agent, reason="To see what they see.", reference="P4-1", session_key="")
    client.force_login(client_user)
    said = lines(client.get("/settings/all/").content.decode())
    assert said["Support looked at your account"] == f"Last on {viewing.started_at.astimezone(ZoneInfo(client_user.time_zone)):%-d %b %Y}"
    assert said["Close your account"].startswith("Closes on ")


def test_lists_fetch_themselves_anew_when_news_come(client: Client, builder: Builder) -> None:
    client.force_login(builder.user)
    for path in ("/today/", "/orders/?as=builder", "/calls/"):
        html = client.get(path).content.decode()
        assert f'<div id="news" hx-get="{path}"' in html, path
        assert 'hx-trigger="news from:body"' in html
    assert 'id="news"' not in client.get("/settings/all/").content.decode()


def test_who_went_further_down_a_list_keeps_it(client: Client, client_user: User) -> None:
    client.force_login(client_user)
    further = client.get("/orders/?after=x", headers={"HX-Request": "true"}).content.decode()
    assert '<div id="news" hx-swap-oob="delete"></div>' in further
    assert "<main" not in further
    assert 'id="news"' not in client.get("/orders/?after=x").content.decode()
    assert 'id="main"' in client.get("/orders/", headers={"HX-Request": "true"}).content.decode()
