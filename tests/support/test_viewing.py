"""Looking at the site through somebody's eyes: what it shows, what ends it, and that neither a page nor a token can write."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import DatabaseError, connection, connections, transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import include, path, reverse
from django_q.models import OrmQ

from auditlog.events import Event
from auditlog.models import AuditLog, IncidentLog
from port444.accounts.models import User
from port444.kit import jobs, mail, outbound, readonly
from port444.kit.clock import at, now
from port444.kit.errors import Invalid, NotAllowed
from port444.kit.ids import uuid7
from port444.messaging.actions import open_conversation, send_message
from port444.messaging.models import ReadMarker
from port444.notifications import sms
from support import actions
from support.models import EndReason, SupportAction, ViewedPage, Viewing
from support.viewer import addresses, token

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "viewer"]),
    pytest.mark.urls("tests.support.test_viewing"),
]
COOKIE = "view"
TRIES: dict[str, Callable[[User], object]] = {}


def attempt(name: str) -> Callable[[Callable[[User], object]], Callable[[User], object]]:
    def keep(act: Callable[[User], object]) -> Callable[[User], object]:
        TRIES[name] = act
        return act

    return keep


def planted(request: HttpRequest, name: str) -> HttpResponse:
    """A page that does on GET what no page should."""
    done = TRIES[name](request.user)  # type: ignore[arg-type]
    return done if isinstance(done, HttpResponse | StreamingHttpResponse) else HttpResponse("written")  # type: ignore[return-value]


urlpatterns = [path("planted/<slug:name>/", planted, name="planted"), path("", include("port444.urls"))]


@attempt("save")
def _save(user: User) -> None:
    user.name = "Mallory"
    user.save()


@attempt("update")
def _update(user: User) -> None:
    User.objects.filter(pk=user.pk).update(name="Mallory")


@attempt("create")
def _create(user: User) -> None:
    Group.objects.create(name="Mallory")


@attempt("related")
def _related(user: User) -> None:
    user.notifications.create(kind="x", title="x", body="x", dedupe_key="x")


@attempt("delete")
def _delete(user: User) -> None:
    user.delete()


@attempt("atomic")
def _atomic(user: User) -> None:
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(name="Mallory")


@attempt("on-commit")
def _on_commit(user: User) -> None:
    transaction.on_commit(lambda: User.objects.filter(pk=user.pk).update(name="Mallory"))


@attempt("default-alias")
def _default_alias(user: User) -> None:
    User.objects.using("default").filter(pk=user.pk).update(name="Mallory")


@attempt("raw-default")
def _raw_default(user: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_user SET name = 'Mallory'")


@attempt("raw-viewer")
def _raw_viewer(user: User) -> None:
    with connections["viewer"].cursor() as cursor:
        cursor.execute("UPDATE public.accounts_user SET name = 'Mallory'")


@attempt("raw-viewer-writable")
def _raw_viewer_writable(user: User) -> None:
    with connections["viewer"].cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = off")
        cursor.execute("SET TRANSACTION READ WRITE")
        cursor.execute("UPDATE orders_order SET title = 'Mallory'")


@attempt("other-role")
def _other_role(user: User) -> None:
    with connections["viewer"].cursor() as cursor:
        cursor.execute("SET ROLE port444_app")
        cursor.execute("UPDATE accounts_user SET name = 'Mallory'")


@attempt("temporary-table")
def _temporary_table(user: User) -> None:
    with connections["viewer"].cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = off")
        cursor.execute("CREATE TEMP TABLE mine (id int)")


@attempt("sequence")
def _sequence(user: User) -> None:
    with connections["viewer"].cursor() as cursor:
        cursor.execute("SELECT nextval('support_plan_number')")


@attempt("lock")
def _lock(user: User) -> None:
    with transaction.atomic(using="viewer"):
        User.objects.lock(user.pk)


@attempt("password")
def _password(user: User) -> None:
    with connections["viewer"].cursor() as cursor:
        cursor.execute("SELECT password FROM public.accounts_user")


@attempt("task")
def _task(user: User) -> None:
    jobs.enqueue("port444.kit.jobs.heartbeat")


@attempt("queue-itself")
def _queue_itself(user: User) -> None:
    OrmQ.objects.using("default").create(key="x", payload="x", lock=now())


@attempt("mail")
def _mail(user: User) -> None:
    mail.send(mail.Mail(user.email, "Hello", "Hello", key="x"))


@attempt("text-message")
def _text_message(user: User) -> None:
    sms.current().send(sms.Sms("+31201234567", "Hello", "x"))


@attempt("request-outside")
def _request_outside(user: User) -> None:
    outbound.session().get("http://127.0.0.1:9/")


@attempt("cache")
def _cache(user: User) -> None:
    cache.set("x", 1)


@attempt("swallowed")
def _swallowed(user: User) -> None:
    with suppress(readonly.WriteRefused):
        cache.set("x", 1)


@attempt("storage")
def _storage(user: User) -> None:
    default_storage.save("x.txt", ContentFile(b"x"))


@attempt("stream")
def _stream(user: User) -> StreamingHttpResponse:
    return StreamingHttpResponse(iter([b"late"]))


def everything() -> dict[str, int]:
    """A number for the rows of each table that changes with any of them; the pages of viewings and what is logged of them apart."""
    apart = {"support_viewing", "support_viewedpage", "audit_find"}
    tables = [name for name in connection.introspection.table_names() if name not in apart and not name.startswith("audit_log")]
    parts = [f"(SELECT coalesce(sum(hashtextextended(t::text, 0)), 0) FROM {table} t)" for table in tables]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(parts)}")
        return dict(zip(tables, cursor.fetchone(), strict=True))


@pytest.fixture(autouse=True)
def opened(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.STAFF_SECOND_FACTOR = False
    monkeypatch.setattr(addresses, "OPEN", addresses.OPEN | {"planted"})


@pytest.fixture
def mara(agent: User, client: Client) -> Client:
    client.force_login(agent)
    return client


@pytest.fixture
def looking(mara: Client, agent: User, client_user: User) -> Client:
    """The agent's browser, with a viewing as the client."""
    begin(mara, client_user)
    return mara


def begin(browser: Client, person: User, **said: str) -> Any:
    return browser.post(reverse("support:view_as", args=[person.pk]), {"reason": "Cannot find the order.", "reference": "P4-1061", **said})


def viewing() -> Viewing:
    return Viewing.objects.latest("number")


def is_over(answer: Any) -> bool:
    return answer.status_code == 403 and b"The viewing is over" in answer.content and answer.cookies[COOKIE].value == ""


def test_the_agent_sees_what_the_person_sees_and_stays_who_they_are(mara: Client, agent: User, client_user: User) -> None:
    logins = AuditLog.objects.filter(event_type=Event.LOGIN.key).count()
    answer = begin(mara, client_user)
    assert (answer.status_code, answer["Location"]) == (302, "/orders/")
    cookie = answer.cookies[COOKIE]
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"], cookie["path"]) == (True, "Strict", 3600, "/")
    page = mara.get("/orders/")
    assert (page.status_code, page["Cache-Control"]) == (200, "no-store")
    html = page.content.decode()
    assert "<title>[VIEWING] " in html
    assert "Viewing as Jonas Vermeer, read-only" in html
    assert "Mara Tanaka, for P4-1061" in html
    assert "htmx.min.js" not in html
    assert "form-action http://testserver/console/viewing/end/;" in f"{page['Content-Security-Policy']};"
    console = mara.get("/console/")
    assert console.status_code == 200
    assert b"You are viewing as Jonas Vermeer" in console.content
    assert mara.session["_auth_user_id"] == str(agent.pk)
    client_user.refresh_from_db()
    assert client_user.last_login is None
    assert AuditLog.objects.filter(event_type=Event.LOGIN.key).count() == logins
    row, shown = viewing(), ViewedPage.objects.get()
    assert (row.agent, row.subject, row.reference, row.pages, row.refused) == (agent, client_user, "P4-1061", 1, 0)
    assert (shown.view_name, shown.method, shown.path, shown.answered, shown.refused) == ("orders:list", "GET", "/orders/", 200, "")
    assert shown.milliseconds is not None
    action = SupportAction.objects.get()
    assert (action.action_type, action.admin, action.target_user, action.reason) == ("impersonation", agent, client_user, "Cannot find the order.")
    assert AuditLog.objects.filter(event_type=Event.VIEWING_STARTED.key, target_id=row.pk, actor_id=agent.pk).count() == 1


def test_the_button_ends_it(looking: Client, agent: User) -> None:
    held = looking.cookies[COOKIE].value
    answer = looking.post(reverse("support:end_viewing"))
    assert (answer.status_code, answer["Location"]) == (302, reverse("support:viewing", args=[viewing().pk]))
    row = viewing()
    assert (row.end_reason, row.ended_at is not None) == (EndReason.BUTTON, True)
    assert looking.get(answer["Location"]).status_code == 200
    looking.cookies[COOKIE] = held
    assert is_over(looking.get("/orders/"))
    assert ViewedPage.objects.count() == 0
    ended = AuditLog.objects.get(event_type=Event.VIEWING_ENDED.key, target_id=row.pk)
    assert ended.metadata["why"] == "button"


@pytest.mark.parametrize("name", list(TRIES))
def test_a_page_that_writes_is_stopped(looking: Client, client_user: User, name: str, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    before = everything()
    answer = looking.get(f"/planted/{name}/")
    assert answer.status_code == 403, answer.content
    assert b"This page tried to change something" in answer.content
    assert b", read-only</b>" in answer.content
    changed = {table for table, digest in everything().items() if before[table] != digest}
    assert changed - {"incident_log"} == set()
    assert cache.get("x") is None
    assert not default_storage.exists("x.txt")
    page = ViewedPage.objects.get()
    assert (page.refused, page.answered, viewing().refused) == ("write", 403, 1)
    assert AuditLog.objects.filter(event_type=Event.VIEWING_REFUSED.key, target_id=viewing().pk).count() == 1
    assert "tried to write" in caplog.text


# What the database itself refuses, with no help of the guard.
BY_THE_ROLE = ("save", "update", "create", "related", "on-commit", "raw-viewer", "raw-viewer-writable", "other-role", "sequence", "lock", "password")


@pytest.mark.parametrize("name", BY_THE_ROLE)
def test_it_is_the_database_that_refuses(looking: Client, client_user: User, name: str, caplog: pytest.LogCaptureFixture) -> None:
    looking.get(f"/planted/{name}/")
    assert any(code in caplog.text for code in ("read-only transaction", "permission denied", "cannot execute", "of view", "must be set before"))


@pytest.mark.parametrize("name", ["default-alias", "raw-default", "queue-itself", "cache", "storage"])
def test_without_the_guard_it_would_be_written(client_user: User, mara: Client, name: str) -> None:
    """Or the refusals above would prove nothing."""
    mara.force_login(client_user)
    before, cached = everything(), cache.get("x")
    assert mara.get(f"/planted/{name}/").content == b"written"
    assert everything() != before or cache.get("x") != cached or default_storage.exists("x.txt")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("url", ["/orders/", "/orders", "/settings/theme/", "/account/password/change/", "/messages/", "/nowhere/"])
def test_nothing_but_looking(looking: Client, method: str, url: str) -> None:
    before = everything()
    answer = looking.generic(method, url)
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD, OPTIONS")
    assert looking.generic("GET", "/settings/theme/", headers={"X-HTTP-Method-Override": method}).status_code == 403
    assert looking.generic("POST", "/orders/?_method=GET", {"_method": "GET"}, headers={"X-HTTP-Method-Override": "GET"}).status_code == 405
    assert {table for table, digest in everything().items() if before[table] != digest} - {"incident_log"} == set()


def test_options_are_answered_without_a_view(looking: Client) -> None:
    answer = looking.options("/planted/save/")
    assert (answer.status_code, answer["Allow"]) == (204, "GET, HEAD, OPTIONS")
    assert ViewedPage.objects.count() == 0


@pytest.mark.parametrize(
    "url",
    ["/settings/", "/settings/devices/", "/account/2fa/", "/account/email/", "/account/password/change/", "/earnings/", "/calls/feed/", "/account"],
)
def test_what_was_not_chosen_is_closed(looking: Client, url: str) -> None:
    answer = looking.get(url, follow=url == "/account")
    assert answer.status_code in (403, 404)
    assert b"Viewing as Jonas Vermeer" in answer.content
    if answer.status_code == 403:
        assert ViewedPage.objects.latest("number").refused == "view"


def test_no_token_of_a_closed_address_gets_into_the_log(looking: Client) -> None:
    assert looking.get("/calls/feed/very-secret.ics").status_code == 403
    assert ViewedPage.objects.get().path == "/calls/feed/<str:token>.ics"


def test_the_console_s_pages_ask_the_same_number_of_times(looking: Client, stranger: User) -> None:
    for _ in range(3):
        looking.get("/orders/")
    own = {"form": reverse("support:view_as", args=[stranger.pk]), "list": reverse("support:viewings")}
    own["one"] = reverse("support:viewing", args=[viewing().pk])
    counts = {}
    for name, url in own.items():
        with CaptureQueriesContext(connection) as asked:
            assert looking.get(url).status_code == 200
        counts[name] = len(asked)
    begin(looking, stranger)
    for _ in range(3):
        looking.get("/orders/")
    looking.post(reverse("support:end_viewing"))
    begin(looking, stranger)
    for name, url in own.items():
        with CaptureQueriesContext(connection) as asked:
            looking.get(url)
        assert len(asked) == counts[name], name
    assert counts == {"form": 9, "list": 7, "one": 8}


def test_a_viewed_page_costs_a_fixed_number_of_statements_more(looking: Client, client_user: User) -> None:
    own = Client()
    own.force_login(client_user)
    with CaptureQueriesContext(connection) as theirs:
        own.get("/orders/")
    with CaptureQueriesContext(connection) as writing, CaptureQueriesContext(connections["viewer"]) as reading:
        looking.get("/orders/")
    assert (len(theirs), len(writing), len(reading)) == (9, 13, 10)


def test_many_refusals_are_an_incident(looking: Client, agent: User) -> None:
    for _ in range(10):
        looking.get("/settings/")
    incident = IncidentLog.objects.get(fingerprint=f"viewing:refused:{viewing().pk}")
    assert incident.user_id == agent.pk


def demoted(agent: User, subject: User, browser: Client) -> None:
    agent.groups.clear()


def no_staff(agent: User, subject: User, browser: Client) -> None:
    User.objects.filter(pk=agent.pk).update(is_staff=False)


def new_password(agent: User, subject: User, browser: Client) -> None:
    agent.set_password("another horse battery")
    agent.save()


def agent_suspended(agent: User, subject: User, browser: Client) -> None:
    User.objects.filter(pk=agent.pk).update(suspended_at=now(), suspension_reason="Test")


def subject_suspended(agent: User, subject: User, browser: Client) -> None:
    User.objects.filter(pk=subject.pk).update(suspended_at=now(), suspension_reason="Test")


def subject_closed(agent: User, subject: User, browser: Client) -> None:
    User.objects.filter(pk=subject.pk).update(is_active=False)


def subject_promoted(agent: User, subject: User, browser: Client) -> None:
    User.objects.filter(pk=subject.pk).update(is_staff=True)


def subject_in_a_group(agent: User, subject: User, browser: Client) -> None:
    subject.groups.add(Group.objects.get(name="Auditor"))


def signed_out(agent: User, subject: User, browser: Client) -> None:
    kept = browser.cookies[COOKIE].value
    browser.logout()
    browser.cookies[COOKIE] = kept


def signed_in_anew(agent: User, subject: User, browser: Client) -> None:
    kept = browser.cookies[COOKIE].value
    browser.logout()
    browser.force_login(agent)
    browser.cookies[COOKIE] = kept


def row_ended(agent: User, subject: User, browser: Client) -> None:
    actions.end_viewing(viewing().pk, actor=None, why=EndReason.REVOKED)


ENDS: dict[Callable[[User, User, Client], None], EndReason] = {
    demoted: EndReason.AGENT_CHANGED,
    no_staff: EndReason.AGENT_CHANGED,
    new_password: EndReason.SIGNED_OUT,
    subject_suspended: EndReason.SUBJECT_CHANGED,
    subject_closed: EndReason.SUBJECT_CHANGED,
    subject_promoted: EndReason.SUBJECT_CHANGED,
    subject_in_a_group: EndReason.SUBJECT_CHANGED,
    signed_out: EndReason.SIGNED_OUT,
    signed_in_anew: EndReason.SIGNED_OUT,
    row_ended: EndReason.REVOKED,
}


@pytest.mark.parametrize("change", ENDS, ids=lambda change: change.__name__)
def test_it_survives_no_change(looking: Client, agent: User, client_user: User, change: Callable[[User, User, Client], None]) -> None:
    change(agent, client_user, looking)
    assert is_over(looking.get("/orders/"))
    row = viewing()
    assert (row.end_reason, row.ended_at is not None) == (ENDS[change], True)
    assert ViewedPage.objects.count() == 0


def test_a_suspended_agent_is_turned_away_and_the_sweep_ends_it(looking: Client, agent: User, client_user: User) -> None:
    agent_suspended(agent, client_user, looking)
    answer = looking.get("/orders/")
    assert answer.status_code == 403
    assert b"Viewing as" not in answer.content
    assert actions.end_lapsed(now()) == 1
    assert viewing().end_reason == EndReason.AGENT_CHANGED


@pytest.mark.parametrize("change", ENDS, ids=lambda change: change.__name__)
def test_the_sweep_ends_what_may_not_go_on(looking: Client, agent: User, client_user: User, change: Callable[[User, User, Client], None]) -> None:
    change(agent, client_user, looking)
    actions.end_lapsed(now())
    assert viewing().ended_at is not None
    assert actions.end_lapsed(now()) == 0


def test_the_hour_ends_it_though_nobody_does(looking: Client) -> None:
    begun = viewing()
    with at(begun.started_at + timedelta(minutes=59)):
        assert looking.get("/orders/").status_code == 200
        assert actions.end_lapsed(now()) == 0
    with at(begun.started_at + timedelta(minutes=60, seconds=10)):  # within the leeway of the token: the row decides
        assert is_over(looking.get("/orders/"))
    row = viewing()
    assert (row.end_reason, row.ended_at) == (EndReason.TIME, begun.expires_at)
    assert row.duration(now()) == timedelta(hours=1)


def test_the_sweep_gives_a_lapsed_one_its_end(looking: Client) -> None:
    later = viewing().started_at + timedelta(hours=3)
    with at(later):
        assert actions.end_lapsed(later) == 1
    assert (viewing().end_reason, viewing().ended_at) == (EndReason.TIME, viewing().expires_at)


def test_a_second_tab_ends_the_first(looking: Client, agent: User, stranger: User) -> None:
    first, held = viewing(), looking.cookies[COOKIE].value
    begin(looking, stranger)
    first.refresh_from_db()
    assert first.end_reason == EndReason.REPLACED
    assert b"Viewing as Sam Stranger" in looking.get("/orders/").content
    other_tab = Client()
    other_tab.cookies["sessionid"] = looking.cookies["sessionid"].value
    other_tab.cookies[COOKIE] = held
    assert is_over(other_tab.get("/orders/"))
    assert Viewing.objects.open().count() == 1


@pytest.mark.parametrize("who", ["nobody", "another agent", "the person", "the agent elsewhere"])
def test_a_token_is_worth_nothing_in_another_browser(looking: Client, agent: User, senior: User, client_user: User, who: str) -> None:
    thief = Client()
    users = {"another agent": senior, "the person": client_user, "the agent elsewhere": agent}
    if who in users:
        thief.force_login(users[who])
    thief.cookies[COOKIE] = looking.cookies[COOKIE].value
    assert is_over(thief.get("/orders/"))
    assert ViewedPage.objects.count() == 0
    assert is_over(looking.get("/orders/"))  # and, having been seen elsewhere, in its own


def forged(row: Viewing, **changed: Any) -> dict[str, str]:
    good = token.make(row.pk, began=row.started_at, expires=row.expires_at)
    header, body, signature = good.split(".")

    def part(content: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()

    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    later = part({**claims, "exp": claims["exp"] + 3600})
    return {
        "no algorithm": f"{part({'alg': 'none', 'typ': 'JWT'})}.{body}.",
        "no algorithm, signed": f"{part({'alg': 'none', 'typ': 'JWT'})}.{body}.{signature}",
        "another signature": f"{header}.{body}.{signature[:-4]}AAAA",
        "no signature": f"{header}.{body}.",
        "later end": f"{header}.{later}.{signature}",
        "not three parts": body,
        "empty": "...",
        "long": "x" * 5000,
    }


@pytest.mark.parametrize(
    "name", ["no algorithm", "no algorithm, signed", "another signature", "no signature", "later end", "not three parts", "empty", "long"]
)
def test_a_forged_token_is_refused(looking: Client, name: str) -> None:
    looking.cookies[COOKIE] = forged(viewing())[name]
    assert is_over(looking.get("/orders/"))
    assert looking.post("/settings/theme/", {"theme": "dark"}).status_code == 302  # without the cookie, the agent's own
    assert viewing().ended_at is None


def signed(claims: Any) -> str:
    body = f"{token.HEADER}.{base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b'=').decode()}"
    return f"{body}.{token._signature(body)}"


def test_claims_that_are_signed_must_fit_as_well(looking: Client) -> None:
    row = viewing()
    good = {"aud": "viewer", "jti": str(row.pk), "iat": 1, "exp": int(row.expires_at.timestamp())}
    assert token.read(signed(good), now()) == row.pk
    for wrong in ({"aud": "api"}, {"exp": 1}, {"jti": "x"}, {"exp": None}, {"jti": None}):
        with pytest.raises(token.BadToken):
            token.read(signed({**good, **wrong}), now())
    nothings: tuple[Any, ...] = ([], "x", {}, None)
    for nothing in nothings:
        with pytest.raises(token.BadToken):
            token.read(signed(nothing), now())
    looking.cookies[COOKIE] = signed({**good, "jti": str(uuid7())})
    assert is_over(looking.get("/orders/"))


def test_who_may_be_viewed_by_whom(
    client: Client, agent: User, senior: User, finance: User, auditor: User, client_user: User, make_user: Any
) -> None:
    boss = make_user("Root Boss", is_staff=True, is_superuser=True)
    helper = make_user("Half Staff")
    helper.groups.add(Group.objects.get(name="Auditor"))
    suspended = make_user("Sus Pended", suspended_at=now(), suspension_reason="Test")
    closed = make_user("Gone Away", is_active=False)
    asked = {"reason": "Why not", "reference": "P4-1", "session_key": "x"}
    for subject in (agent, senior, boss, helper, suspended, closed):
        with pytest.raises(Exception, match=r"(?i)yourself|staff|suspended"):
            actions.start_viewing(subject.pk, actor=agent, **asked)
    for actor in (finance, auditor, client_user):
        with pytest.raises(NotAllowed):
            actions.start_viewing(client_user.pk, actor=actor, **asked)
    for field, said in (("reason", " "), ("reason", "x" * 601), ("reference", ""), ("reference", "abc"), ("reference", "1" * 41)):
        with pytest.raises(Invalid):
            actions.start_viewing(client_user.pk, actor=agent, **{**asked, field: said})
    assert Viewing.objects.count() == 0
    assert SupportAction.objects.count() == 0
    assert actions.start_viewing(client_user.pk, actor=boss, **asked).number >= 101


def test_starting_wants_a_recent_code(mara: Client, client_user: User, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    url = reverse("support:view_as", args=[client_user.pk])
    monkeypatch.setattr("support.views.viewer.recently_proved", lambda request: False)
    for answer in (mara.get(url), begin(mara, client_user)):
        assert (answer.status_code, answer["Location"]) == (302, f"/account/2fa/reauthenticate/?next={url.replace('/', '%2F')}")
    assert Viewing.objects.count() == 0
    monkeypatch.setattr("support.views.viewer.recently_proved", lambda request: True)
    assert mara.get(url).status_code == 200
    assert mara.post(url, {"reason": "", "reference": "\x00"}).status_code == 422
    assert Viewing.objects.count() == 0


def test_private_messages_are_hidden_and_not_marked_as_read(looking: Client, client_user: User, builder_user: User) -> None:
    talk = open_conversation(client_user, builder_user, actor=client_user)
    send_message(talk.pk, actor=builder_user, body="My bank says no.", client_key=uuid7())
    before = list(ReadMarker.objects.filter(user=client_user).values())
    assert "bank says no" in client_user.notifications.get(kind="message.received").body
    for url in ("/messages/", talk.get_absolute_url(), "/notifications/"):
        answer = looking.get(url)
        assert answer.status_code == 200
        assert b"bank says no" not in answer.content
        assert b"Hidden while support is looking" in answer.content
    assert list(ReadMarker.objects.filter(user=client_user).values()) == before


def test_a_page_is_not_shown_when_it_cannot_be_written_down(looking: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **options: Any) -> None:
        raise DatabaseError("no room")

    seen: list[str] = []
    monkeypatch.setitem(TRIES, "seen", lambda user: seen.append(user.name))
    monkeypatch.setattr(actions, "note_page", fail)
    looking.raise_request_exception = False
    assert looking.get("/planted/seen/").status_code == 500
    assert seen == []


def test_the_log_is_written_before_the_page(looking: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[tuple[str, int | None]] = []

    def look(user: User) -> None:
        with PastTheGuard():
            logged.extend(ViewedPage.objects.using("default").values_list("path", "answered"))

    monkeypatch.setitem(TRIES, "look", look)
    assert looking.get("/planted/look/").status_code == 200
    assert logged == [("/planted/look/", None)]


class PastTheGuard:
    """A look past the guard, for the test alone."""

    def __enter__(self) -> None:
        self.wrappers, connection.execute_wrappers = connection.execute_wrappers, []

    def __exit__(self, *failure: object) -> None:
        connection.execute_wrappers = self.wrappers


def test_the_person_can_see_that_support_looked(looking: Client, client_user: User) -> None:
    looking.get("/orders/")
    with at(viewing().started_at + timedelta(minutes=17)):
        looking.post(reverse("support:end_viewing"))
    own = Client()
    own.force_login(client_user)
    html = own.get("/settings/devices/").content.decode()
    assert "Mara of support" in html
    assert "Tanaka" not in html
    assert "17 minutes, read-only, for P4-1061: Cannot find the order." in html


def test_signing_out_of_the_console_ends_it(looking: Client) -> None:
    looking.post(reverse("admin:logout"))
    assert viewing().end_reason == EndReason.SIGNED_OUT


def test_signing_out_on_the_site_ends_it(looking: Client) -> None:
    looking.post("/account/logout/")
    assert viewing().end_reason == EndReason.SIGNED_OUT
    assert "_auth_user_id" not in looking.session


def test_another_member_of_staff_may_end_it(looking: Client, senior: User, auditor: User, finance: User) -> None:
    row = viewing()
    url = reverse("support:revoke_viewing", args=[row.pk])
    for one in (auditor, finance):  # who may not restrict accounts
        other = Client()
        other.force_login(one)
        assert other.post(url).status_code == 403
    other = Client()
    other.force_login(senior)
    assert other.get(reverse("support:viewing", args=[row.pk])).status_code == 200
    assert other.post(url).status_code == 302
    assert viewing().end_reason == EndReason.REVOKED
    assert is_over(looking.get("/orders/"))


def test_too_many_pages_in_a_minute_are_refused(looking: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("support.actions.viewings.PAGES_A_MINUTE", 3)
    statuses = [looking.get("/orders/").status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]


def test_a_viewing_is_kept_by_the_database(looking: Client, agent: User, client_user: User) -> None:
    row = viewing()
    facts = {"agent": agent, "reason": "x", "reference": "1", "agent_session": "x", "agent_auth": "x", "started_at": now()}
    for wrong in ({"expires_at": now() + timedelta(minutes=61)}, {"subject": agent}, {}):
        with pytest.raises(DatabaseError), transaction.atomic():
            Viewing.objects.create(**{**facts, "subject": client_user, "expires_at": now() + timedelta(minutes=5), **wrong})
    with pytest.raises(DatabaseError), transaction.atomic():
        row.delete()


@pytest.mark.parametrize(
    "change",
    ["path = '/'", "view_name = ''", "method = 'GET'", "seen_at = now()", "number = 900", "request_id = NULL", "answered = 404", "refused = ''"],
)
def test_a_page_that_was_looked_at_is_written_once(looking: Client, change: str) -> None:
    looking.get("/orders/")
    looking.post("/orders/")
    before = list(ViewedPage.objects.values())
    assert [row["refused"] for row in sorted(before, key=lambda row: row["number"])] == ["", "method"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == ("port444_app",)
    for number in (1, 2) if change != "refused = ''" else (2,):
        with pytest.raises(DatabaseError, match=r"permission denied|written once"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE support_viewedpage SET {change} WHERE number = %s", [number])
    assert list(ViewedPage.objects.values()) == before
