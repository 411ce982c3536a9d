from __future__ import annotations

import sys
from typing import Any

import pytest
from django.core.checks import run_checks
from django.db import connection

from auditlog import checks
from auditlog.checks import own_session, role_separation, signing_keys
from port444.kit.checks import production
from tests.conftest import OWNER, log_in_as

GOOD = {
    "DEVELOPMENT": False,
    "DEBUG": False,
    "SECRET_KEY": "p7Qz1xk8Wm3vTn5bRc9dLf2hJg6sYa4uEo0iXqZwBtNyMcVrxyz",
    "ALLOWED_HOSTS": ["port444.example"],
    "PAYMENT_PROVIDERS": ["none"],
    "SMS_PROVIDER": "none",
    "SITE_URL": "https://port444.example",
    "STAFF_SECOND_FACTOR": True,
    "OUTBOUND_ALLOW_LOOPBACK": False,
    "AUDIT_SIGNING_KEY": "SQ6d0mJ2pqSLqVhVCDzJYqvfVsqjwFsYPo5DgGUDcsA=",
}


@pytest.fixture
def in_production(settings: Any) -> Any:
    for name, value in GOOD.items():
        setattr(settings, name, value)
    return settings


def test_good_settings_are_let_pass(in_production: Any) -> None:
    assert production() == []


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("DEBUG", True, "port444.E001"),
        ("SECRET_KEY", "p7Qz1xk8Wm3vTn5b", "port444.E002"),
        ("SECRET_KEY", "x" * 80, "port444.E002"),
        ("SECRET_KEY", "insecure-development-key-that-production-refuses-and-more", "port444.E002"),
        ("PAYMENT_PROVIDERS", ["wallet", "sandbox"], "port444.E003"),
        ("ALLOWED_HOSTS", ["*"], "port444.E004"),
        ("ALLOWED_HOSTS", ["port444.example", "*"], "port444.E004"),
        ("ALLOWED_HOSTS", [], "port444.E004"),
        ("SMS_PROVIDER", "captured", "port444.E005"),
        ("SITE_URL", "http://port444.example", "port444.E007"),
        ("STAFF_SECOND_FACTOR", False, "port444.E008"),
        ("OUTBOUND_ALLOW_LOOPBACK", True, "port444.E010"),
    ],
)
def test_bad_setting_is_found_with_a_hint(in_production: Any, name: str, value: object, found: str) -> None:
    setattr(in_production, name, value)
    errors = production()
    assert [error.id for error in errors] == [found]
    assert errors[0].hint
    assert found in [error.id for error in run_checks(tags=["security"])]  # it is registered


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AUDIT_SIGNING_KEY", ""),
        ("AUDIT_SIGNING_KEY", "no base64!"),
        ("AUDIT_SIGNING_KEY", "c2hvcnQ="),
        ("AUDIT_PUBLIC_KEYS", ["c2hvcnQ="]),
    ],
)
def test_the_log_has_to_be_signed(in_production: Any, name: str, value: object) -> None:
    assert signing_keys() == []
    setattr(in_production, name, value)
    assert [error.id for error in signing_keys()] == ["port444.E011"]
    assert "port444.E011" in [error.id for error in run_checks(tags=["security"])]


def test_development_is_left_in_peace(settings: Any) -> None:
    settings.DEBUG = True
    assert production() == []


def test_serving_role_may_not_own_the_log(in_production: Any, transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert role_separation(databases=["default"]) == []
    serving = connection.settings_dict["USER"]
    log_in_as(OWNER)
    try:
        assert [error.id for error in role_separation(databases=["default"])] == ["port444.E006"]
        assert role_separation(databases=None) == []  # not asked to look into the database
        monkeypatch.setattr(sys, "argv", ["manage.py", "migrate"])
        assert role_separation(databases=["default"]) == []
    finally:
        log_in_as(serving)


def test_a_pooler_between_us_and_the_database_is_told(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers the greeting with a number of its own, and the server with its own."""
    assert own_session(databases=["default"]) == []
    monkeypatch.setattr(checks, "BACKEND", "SELECT pg_backend_pid() + 1")
    assert [warning.id for warning in own_session(databases=["default"])] == ["port444.W030"]
    assert own_session(databases=None) == []
    assert "port444.W030" in [warning.id for warning in run_checks(tags=["database"], databases=["default"])]
