from __future__ import annotations

import pytest
from django.test import Client

from port444.accounts.models import User


def test_kept_by_the_browser_when_signed_out(client: Client, db: None) -> None:
    answer = client.post("/settings/theme/", {"theme": "dark", "next": "/account/login/"})
    assert (answer.status_code, answer["Location"], answer.cookies["theme"].value) == (302, "/account/login/", "dark")
    assert 'data-theme="dark"' in client.get("/account/login/").content.decode()


def test_kept_by_the_account_when_signed_in(client: Client, client_user: User) -> None:
    client.force_login(client_user)
    client.post("/settings/theme/", {"theme": "light"})
    client_user.refresh_from_db()
    assert client_user.theme == "light"


@pytest.mark.parametrize("url", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil.example", ""])
def test_goes_nowhere_else(client: Client, db: None, url: str) -> None:
    assert client.post("/settings/theme/", {"theme": "dark", "next": url})["Location"] == "/"


def test_unknown_theme_is_refused(client: Client, client_user: User) -> None:
    client.force_login(client_user)
    answer = client.post("/settings/theme/", {"theme": "pink"})
    assert answer.status_code == 422
    assert "theme" not in answer.cookies
    client_user.refresh_from_db()
    assert client_user.theme == "system"
