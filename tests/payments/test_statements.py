"""What was paid and earned, as pages and as files."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from port444.accounts.models import User
from port444.kit import csvs
from port444.kit.clock import now
from port444.orders import actions
from port444.orders.models import OrderStatus
from port444.payments import ledger, queries
from tests.orders.conftest import MakeOrder, make_order, package, service

__all__ = ["make_order", "package", "service"]  # fixtures


def rows_of(response: Any) -> list[dict[str, str]]:
    text = b"".join(response.streaming_content).decode()
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def test_what_was_spent(client: Client, client_user: User, builder_user: User, make_order: MakeOrder, django_assert_num_queries: Any) -> None:
    kept = make_order(OrderStatus.COMPLETED)
    actions.cancel_order(make_order(OrderStatus.PENDING_REQUIREMENTS).pk, actor=client_user)
    running = make_order(OrderStatus.IN_PROGRESS)
    with django_assert_num_queries(4):
        found = queries.spending(client_user)
    assert found.month == found.year == kept.total + running.total
    assert found.back == kept.total, "all of what was cancelled came back"
    assert found.in_escrow == running.price
    assert [(row.name, row.documents, row.paid, row.back) for row in found.builders] == [(builder_user.name, 3, 3 * kept.total, kept.total)]
    assert [bar.value for bar in found.by_month.bars if bar.value] == [found.month]
    client.force_login(client_user)
    html = client.get(reverse("payments:spending")).content.decode()
    assert "By builder" in html
    lines = rows_of(client.get(reverse("payments:spending_file")))
    assert [line["Kind"] for line in lines] == ["Invoice", "Invoice", "Credit note", "Invoice"]
    assert sum(Decimal(line["Total"]) for line in lines) == found.year
    assert lines[0]["Builder"] == builder_user.name


def test_what_was_earned(client: Client, client_user: User, builder_user: User, make_order: MakeOrder) -> None:
    for _ in range(2):
        make_order(OrderStatus.COMPLETED)
    client.force_login(builder_user)
    lines = rows_of(client.get(reverse("payments:earnings_file")))
    balance = ledger.balance("earnings", builder_user.pk)
    assert len(lines) == 2
    assert Decimal(lines[-1]["Balance"]) == balance == sum(Decimal(line["Amount"]) for line in lines) > 0
    assert client_user.name in lines[0]["For"]
    tomorrow = {"since": f"{now().year + 1}-01-01", "until": f"{now().year + 1}-12-31"}
    assert rows_of(client.get(reverse("payments:earnings_file"), tomorrow)) == []
    client.force_login(client_user)
    assert client.get(reverse("payments:earnings_file")).status_code == 404
    assert rows_of(client.get(reverse("payments:spending_file"), tomorrow)) == []


@pytest.mark.parametrize("span", [{"since": "x"}, {"since": "2026-05-02", "until": "2026-05-01"}, {"since": "2001-01-01", "until": "2026-01-01"}])
def test_a_span_that_cannot_be(client: Client, client_user: User, span: dict[str, str]) -> None:
    client.force_login(client_user)
    assert client.get(reverse("payments:spending_file"), span).status_code == 422


def test_nothing_spent_says_so(client: Client, client_user: User) -> None:
    client.force_login(client_user)
    assert "Nothing paid in the last twelve months" in client.get(reverse("payments:spending")).content.decode()


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", " =1", "|cmd", "%x"])
def test_text_stays_text_in_a_spreadsheet(text: str) -> None:
    assert csvs.text(text) == f"'{text}"
    assert csvs.text("Anaya") == "Anaya"
