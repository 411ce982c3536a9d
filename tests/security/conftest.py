from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import MD5PasswordHasher
from django.test import Client

from port444.accounts import sessions
from port444.accounts.models import User
from tests.conftest import PASSWORD

Later = Callable[[float], None]


@pytest.fixture
def person(client_user: User) -> User:
    """Somebody who can sign in: their address is confirmed."""
    return confirmed(client_user)


def confirmed(user: User) -> User:
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def sign_in(user: User, browser: Client | None = None, **more: Any) -> Client:
    """Through the form."""
    browser = browser or Client()
    browser.post("/account/login/", {"login": user.email, "password": PASSWORD, **more})
    return browser


def is_in(browser: Client) -> bool:
    return browser.get("/settings/").status_code == 200


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """Puts the clock by which sessions live forward, by seconds from now."""
    real = time.time

    def move(seconds: float) -> None:
        monkeypatch.setattr(sessions, "time", SimpleNamespace(time=lambda: real() + seconds))

    return move


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that were hashed: the work that an answer took, without a clock."""
    done: list[str] = []
    real = MD5PasswordHasher.encode

    def encode(self: MD5PasswordHasher, password: str, *args: Any, **options: Any) -> str:
        done.append(password)
        return real(self, password, *args, **options)

    monkeypatch.setattr(MD5PasswordHasher, "encode", encode)
    return done
