"""Every address of the site, tried by every group of staff: nobody writes by looking, reads what is between others, or does what their
group may not. A new address is covered by being in the URL table."""

from __future__ import annotations

from typing import Any

import pytest

from port444.accounts.models import User
from support import kinds
from support.roles import GROUPS, PERMISSIONS

from .conftest import PLANNED, World
from .test_urls import FOR_EVERYBODY, OPEN_TO_STRANGERS, OURS, PUBLIC, RECORDED, REFUSED, WITH_OBJECTS, Address, browser, offenders

STAFF = {"agent": "Agent", "senior": "Senior agent", "finance": "Finance", "security": "Security", "auditor": "Auditor"}
CONSOLE = [address for address in OURS if address.name.startswith("support:")]
SITE = [address for address in WITH_OBJECTS if not address.name.startswith("support:")]


@pytest.fixture(params=STAFF)
def member(request: pytest.FixtureRequest, settings: Any) -> tuple[User, set[str]]:
    """Somebody of each group, and what that group may do."""
    settings.STAFF_SECOND_FACTOR = False
    return request.getfixturevalue(request.param), GROUPS[STAFF[request.param]]


def permissions_of(address: Address) -> frozenset[str]:
    """What the console asks for at this address, one of them; empty when it lets in everybody in a group."""
    if address.name == "support:draft":
        return frozenset({kinds.of(PLANNED).permission})
    view: Any = address.pattern.callback
    while view is not None:
        if hasattr(view, "permissions"):
            return frozenset(view.permissions)
        view = getattr(view, "__wrapped__", None)
    raise AssertionError(f"{address.name} is no page of the console")


def test_every_group_is_tried() -> None:
    assert set(STAFF.values()) == set(GROUPS)
    assert set().union(*GROUPS.values()) == set(PERMISSIONS)


def test_a_group_gets_what_it_may_and_writes_nothing_by_looking(world: World, member: tuple[User, set[str]]) -> None:
    user, granted = member
    client = browser(user)

    def attempt(address: Address, path: str) -> list[object]:
        if "GET" not in (address.methods() or ()):
            return []
        status, wanted = client.get(path).status_code, permissions_of(address)
        expected = status == 403 if wanted and not wanted & granted else status < 400
        return [] if expected else [(sorted(wanted), status)]

    assert offenders(CONSOLE, world, attempt, RECORDED) == []


def test_an_empty_form_of_staff_does_nothing(world: World, member: tuple[User, set[str]]) -> None:
    user, granted = member
    client = browser(user)

    def attempt(address: Address, path: str) -> list[object]:
        if "POST" not in (address.methods() or ()):
            return []
        status, wanted = client.post(path).status_code, permissions_of(address)
        expected = status == 403 if wanted and not wanted & granted else status < 500
        return [] if expected else [(sorted(wanted), status)]

    assert offenders([address for address in CONSOLE if address.name not in DO_BY_THEMSELVES], world, attempt) == []


# POSTs of the console that need no field.
DO_BY_THEMSELVES = {
    "support:remove_word",
    "support:end_suppression",
    "support:export_actions",
    "support:export_audit",
    "support:next_incident",
    "support:revoke_viewing",
    "support:take_incident",
    "support:try_detector",
}


def test_staff_are_strangers_on_the_site(world: World, member: tuple[User, set[str]]) -> None:
    """What is between others is seen in the console, which asks for a reason and writes it down, and nowhere else."""
    client = browser(member[0])

    def attempt(address: Address, path: str) -> list[object]:
        wrong: list[object] = []
        status = client.get(path).status_code
        if not (status < 400 if address.name in PUBLIC else status in REFUSED):
            wrong.append(("GET", status))
        if address.name not in OPEN_TO_STRANGERS and address.name not in FOR_EVERYBODY:
            status = client.post(path).status_code
            if status not in REFUSED:
                wrong.append(("POST", status))
        return wrong

    assert offenders(SITE, world, attempt) == []
