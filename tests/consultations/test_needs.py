"""Calls among what waits for somebody."""

from __future__ import annotations

from datetime import timedelta

from django.test import Client

from consultations.models import Consultation, Proposal
from port444.accounts.models import User
from port444.kit import clock

from .test_proposals import proposed

__all__ = ["proposed"]  # a fixture


def needs(user: User, address: str) -> list[tuple[str, str]]:
    client = Client()
    client.force_login(user)
    return [(line.need.title, line.need.href) for line in client.get(address).context["needs"]]


def test_a_proposed_time_waits_for_the_other_side(proposed: Proposal, client_user: User, builder_user: User) -> None:
    by_client = proposed.made_by_id == client_user.pk
    asked, asker = ("/today/", "/orders/?as=client") if by_client else ("/orders/?as=client", "/today/")
    people = (builder_user, client_user) if by_client else (client_user, builder_user)
    name = "Jonas" if by_client else "Anaya"
    assert needs(people[0], asked) == [(f"Your call with {name} waits for your answer", f"/calls/{proposed.consultation_id}/")]
    assert needs(people[1], asker) == []


def test_a_call_that_ended_waits_for_its_builder(scheduled: Consultation, client_user: User, builder_user: User) -> None:
    with clock.at(scheduled.ends_at + timedelta(minutes=1)):
        assert [title for title, _ in needs(builder_user, "/today/")] == ["Say how your call with Jonas went"]
        assert needs(client_user, "/orders/?as=client") == []
