"""Programs that want one time at one moment through the API, on a real PostgreSQL with real transactions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from consultations.models import Consultation, SlotClaim
from port444.accounts.models import AnsweredCall, User
from port444.builders.models import Builder
from port444.payments.actions import pay_with_test_wallet
from port444.payments.models import Invoice, Refund
from tests.api.conftest import Caller, caller

from .test_booking import crowd, rush, sell, tomorrow_noon

__all__ = ["caller", "crowd", "sell"]
pytestmark = pytest.mark.django_db(transaction=True)
MANY = 8
Make = Callable[..., Caller]


def written(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def answers(posts: Sequence[Callable[[], Any]]) -> list[Any]:
    """Send all at one moment; the answers."""
    found: list[Any] = []
    outcome = rush([lambda post=post: found.append(post()) for post in posts])  # type: ignore[misc]  # a default cannot be typed here
    assert Counter(outcome) == {"won": len(posts)}
    return found


@pytest.fixture
def scheduled(sell: Callable[[str], Builder], crowd: list[User], caller: Make) -> str:
    """A paid call of the first of the crowd."""
    wish = {"builder_id": str(sell("anaya").pk), "minutes": 30, "starts_at": written(tomorrow_noon())}
    call = caller(crowd[0]).post("/consultations", wish).json()
    pay_with_test_wallet(call["invoice_id"], actor=crowd[0])
    return str(call["id"])


def test_one_key_holds_once_however_often_it_comes(sell: Callable[[str], Builder], crowd: list[User], caller: Make) -> None:
    wish = {"builder_id": str(sell("anaya").pk), "minutes": 30, "starts_at": written(tomorrow_noon())}
    program, key = caller(crowd[0]), str(uuid4())
    said = answers([lambda: program.post("/consultations", wish, idempotency_key=key)] * MANY)
    assert Counter(one.status_code for one in said) == {201: MANY}
    assert len({one.content for one in said}) == 1
    assert sum("Idempotency-Replayed" in one for one in said) == MANY - 1
    assert (Consultation.objects.count(), SlotClaim.objects.count(), Invoice.objects.count(), AnsweredCall.objects.count()) == (1, 1, 1, 1)


def test_of_many_people_one_gets_the_time(sell: Callable[[str], Builder], crowd: list[User], caller: Make) -> None:
    wish = {"builder_id": str(sell("anaya").pk), "minutes": 30, "starts_at": written(tomorrow_noon())}
    programs = [caller(person) for person in crowd[:MANY]]
    said = answers([partial(program.post, "/consultations", wish) for program in programs])
    assert Counter((one.status_code, one.json().get("code")) for one in said) == {(201, None): 1, (409, "slot_taken"): MANY - 1}
    assert (Consultation.objects.count(), SlotClaim.objects.count(), Invoice.objects.count(), AnsweredCall.objects.count()) == (1, 1, 1, 1)


def test_one_person_with_many_keys_has_one_hold(sell: Callable[[str], Builder], crowd: list[User], caller: Make) -> None:
    wish = {"builder_id": str(sell("anaya").pk), "minutes": 30, "starts_at": written(tomorrow_noon())}
    program = caller(crowd[0])
    said = answers([lambda: program.post("/consultations", wish)] * MANY)
    assert Counter(one.status_code for one in said) == {201: MANY}
    assert len({one.json()["id"] for one in said}) == 1
    assert (Consultation.objects.count(), SlotClaim.objects.count(), Invoice.objects.count()) == (1, 1, 1)


def test_cancelling_many_times_at_once_pays_back_once(scheduled: str, caller: Make) -> None:
    program, key = caller(Builder.objects.get().user), str(uuid4())
    same = [lambda: program.post(f"/consultations/{scheduled}/cancel", {}, idempotency_key=key)] * 4
    others = [lambda: program.post(f"/consultations/{scheduled}/cancel")] * 4
    said = answers([*same, *others])
    won = [one for one in said if one.status_code == 200]
    assert len({one.content for one in won}) == 1
    assert {one.json()["code"] for one in said if one not in won} <= {"wrong_state"}
    assert len(won) in (1, 4)  # another key was first, or the same one gave its answer to all
    assert Refund.objects.count() == 1


def test_of_those_who_saw_one_state_one_moves_it(scheduled: str, crowd: list[User], caller: Make) -> None:
    program = caller(crowd[0])
    seen = program.get(f"/consultations/{scheduled}")["ETag"]
    slots = [slot["starts_at"] for slot in program.get(f"/consultations/{scheduled}/slots").json()["slots"]][:4]

    def move(starts_at: str) -> Any:
        return program.post(f"/consultations/{scheduled}/move", {"starts_at": starts_at}, if_match=seen)

    said = answers([partial(move, starts_at) for starts_at in slots])
    assert Counter(one.status_code for one in said)[200] == 1
    assert {one.json()["code"] for one in said if one.status_code != 200} <= {"stale", "moved"}
    assert Consultation.objects.exclude(status="rescheduled").count() == 1
