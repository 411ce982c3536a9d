from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from port444.accounts.models import User
from port444.catalog import actions
from port444.catalog.actions import change_search, look_at_search, save_search, tell_found_batch
from port444.catalog.models import SavedSearch, Service
from port444.kit.clock import at, now
from port444.kit.errors import Conflict, Invalid, NotAllowed
from port444.notifications.actions import notify_many
from port444.notifications.models import Delivery, Notification

Make = Callable[..., Service]


def later(service: Service, moment: datetime) -> Service:
    """As if it was published then."""
    Service.objects.filter(pk=service.pk).update(published_at=moment)
    return service


def told() -> list[Notification]:
    return list(Notification.objects.filter(kind="search.found").order_by("created_at"))


def test_what_is_new_is_told_once_in_one_mail_for_all_searches(make_service: Make, client_user: User) -> None:
    make_service("Django of old")
    moment = (now() + timedelta(hours=1)).replace(minute=10)  # they are due at full hours
    with at(moment):
        save_search({"q": "django"}, actor=client_user, name="Speed", frequency="daily")
        save_search({"highest": "100"}, actor=client_user, name="Cheap", frequency="daily")
        save_search({"q": "slow"}, actor=client_user, name="Silent", frequency="never")
    assert tell_found_batch(moment + timedelta(minutes=1), 50) == 0  # not due
    tell_found_batch(moment + timedelta(hours=1), 50)
    assert told() == []
    later(make_service("Django of today"), moment + timedelta(hours=1, minutes=30))
    tell_found_batch(moment + timedelta(hours=2, minutes=5), 50)
    (notice,) = told()
    assert (notice.title, notice.user) == ("New services for “Speed”, “Cheap”", client_user)
    assert notice.body == "Speed: 1 new service.\n\nCheap: 1 new service."
    assert notice.context["links"] == [["Django of today, from $60.00", "/s/django-of-today/"]] * 2
    mail = Delivery.objects.get(notification=notice)
    assert mail.channel == "email"
    for hours in (2, 3, 4):
        tell_found_batch(moment + timedelta(hours=hours, minutes=10), 50)
    later(make_service("Django of tonight"), moment + timedelta(hours=5))
    tell_found_batch(moment + timedelta(hours=6), 50)
    assert len(told()) == 1  # at most once a day
    tell_found_batch(moment + timedelta(hours=27), 50)
    assert [one.body.splitlines()[0] for one in told()] == ["Speed: 1 new service."] * 2


def test_weekly_waits_a_week_and_one_s_own_are_no_news(make_service: Make, builder_user: User, client_user: User) -> None:
    save_search({"q": "django"}, actor=builder_user, name="Rivals", frequency="daily")
    save_search({"q": "django"}, actor=client_user, name="Weekly", frequency="weekly")
    moment = now()
    later(make_service("Django of today"), moment + timedelta(minutes=30))
    tell_found_batch(moment + timedelta(hours=2), 50)
    assert [one.user for one in told()] == [client_user]
    later(make_service("Django of tomorrow"), moment + timedelta(days=1))
    tell_found_batch(moment + timedelta(days=2), 50)
    assert len(told()) == 1
    tell_found_batch(moment + timedelta(days=7, hours=3), 50)
    assert len(told()) == 2


def test_searches_are_kept_changed_and_limited(client_user: User, stranger: User, monkeypatch: pytest.MonkeyPatch) -> None:
    row = save_search({"q": "django"}, actor=client_user, name="  Speed ", frequency="never")
    assert (row.name, row.due_at) == ("Speed", None)
    with pytest.raises(Conflict):
        save_search({"q": "django"}, actor=client_user, name="Again", frequency="never")
    with pytest.raises(Invalid):
        save_search({"q": "logo"}, actor=client_user, name="", frequency="daily")
    with pytest.raises(Invalid):
        save_search({"q": "logo"}, actor=client_user, name="Logo", frequency="hourly")
    with pytest.raises(NotAllowed):
        change_search(row.pk, actor=stranger, name="Mine", frequency="daily")
    assert change_search(row.pk, actor=client_user, name="Fast", frequency="weekly").due_at is not None
    monkeypatch.setattr(actions.searches, "MOST_SAVED", 1)
    with pytest.raises(Invalid):
        save_search({"q": "logo"}, actor=client_user, name="Logo", frequency="daily")
    assert list(SavedSearch.objects.values_list("name", "frequency")) == [("Fast", "weekly")]


def test_the_pages_save_look_and_remove(client: Client, client_user: User, make_service: Make) -> None:
    client.force_login(client_user)
    make_service("Django of old")
    html = client.get("/?q=django&highest=100").content.decode()
    assert 'href="/saved/searches/new/?q=django&amp;highest=100"' in html
    form = client.get("/saved/searches/new/?q=django&highest=100").content.decode()
    assert "“django”, Up to $100" in form
    assert client.post("/saved/searches/new/?q=django&highest=100", {"name": "", "frequency": "daily"}).status_code == 422
    assert client.post("/saved/searches/new/?q=django&highest=100", {"name": "Speed", "frequency": "daily"}).status_code == 302
    assert client.post("/saved/searches/new/?q=django&highest=100", {"name": "Speed", "frequency": "daily"}).status_code == 422
    row = SavedSearch.objects.get()
    assert row.asked == {"q": "django", "highest": "100"}
    make_service("Django of today")
    assert "1 new" in client.get("/saved/searches/").content.decode()
    answer = client.post(f"/saved/searches/{row.pk}/look/")
    page = client.get(answer["Location"]).content.decode()
    assert page.count("New for you") == 1
    assert "1 new" not in client.get("/saved/searches/").content.decode()
    assert client.get("/?since=yesterday").status_code == 200
    assert client.post(f"/saved/searches/{row.pk}/", {"name": "Slow", "frequency": "never"}).status_code == 302
    assert client.post(f"/saved/searches/{row.pk}/remove/").status_code == 302
    assert not SavedSearch.objects.exists()


def test_a_look_is_kept(client_user: User) -> None:
    row = save_search({"q": "django"}, actor=client_user, name="Speed", frequency="daily")
    assert look_at_search(row.pk, actor=client_user) == row.seen_at
    assert SavedSearch.objects.get().seen_at > row.seen_at


@pytest.mark.django_db(transaction=True)
def test_two_runs_and_one_that_dies_tell_once(make_service: Make, client_user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    save_search({"q": "django"}, actor=client_user, name="Speed", frequency="daily")
    moment = now()
    later(make_service("Django of today"), moment + timedelta(minutes=5))
    run = moment + timedelta(hours=2)

    def dies(*arguments: Any, **named: Any) -> None:
        notify_many(*arguments, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("port444.catalog.actions.searches.notify_many", dies)
        with pytest.raises(KeyboardInterrupt):
            tell_found_batch(run, 50)
    assert told() == []
    barrier = threading.Barrier(2)

    def at_once() -> None:
        barrier.wait()
        tell_found_batch(run, 50)
        connection.close()

    threads = [threading.Thread(target=at_once) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told()) == 1
