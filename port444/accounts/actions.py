"""Every write to people's accounts. allauth's own writes (addresses, codes) stay allauth's; the adapter calls in here."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from auditlog.actions import record
from auditlog.events import Event
from auditlog.models import ActorType
from port444.kit import context, mail
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, NotAllowed, WrongState, word_constraint
from port444.kit.jobs import enqueue

from . import callers, emails
from .models import AnsweredCall, ApiAllowance, ApiToken, QueuedMail, Scope, Session, Theme, User, UserDevice
from .sessions import SessionStore, told_of_suspension

PROFILE = ("name", "phone", "time_zone", "language", "theme")
MAIL_LIVES = timedelta(days=1)
SENT_MAIL_LIVES = timedelta(days=30)
TOKEN_DAYS, CONSOLE_TOKEN_DAYS, MOST_TOKENS = 366, 7, 25
ANSWERS_LIVE = timedelta(days=7)

word_constraint("user_email_once", Conflict(_("There is an account with this e-mail already. Sign in instead."), code="email_taken"))
word_constraint("accounts_user_email_key", Conflict(_("There is an account with this e-mail already. Sign in instead."), code="email_taken"))


# Tokens of programs


@transaction.atomic
def create_token(user_id: UUID, *, actor: User, name: str, scopes: Collection[str], days: int, second_factor: bool = False) -> tuple[ApiToken, str]:
    """A token for a program of that person, and its text, which is known to nobody afterwards. One for the console lasts a week at most, and
    stands for a session that passed its second factor: `second_factor` says that the one which it is made in has."""
    user = User.objects.lock(user_id)
    _require_self(user, actor)
    moment, chosen, name = now(), [scope for scope in Scope.values if scope in scopes], name.strip()
    if not name or len(name) > 60 or not chosen or len(chosen) != len(set(scopes)):
        raise Invalid(_("A token needs a name of up to 60 characters, and at least one thing that it may do."), code="invalid_token")
    if not 1 <= days <= TOKEN_DAYS:
        raise Invalid(gettext("A token lasts between one day and %(days)s.") % {"days": TOKEN_DAYS}, code="invalid_token")
    if Scope.CONSOLE in chosen and not user.is_staff:
        raise NotAllowed(_("The console is for staff."))
    if Scope.CONSOLE in chosen and not second_factor:
        raise NotAllowed(_("The console opens with a code from your authenticator app, and so does a token for it."), code="second_factor")
    if Scope.CONSOLE in chosen and days > CONSOLE_TOKEN_DAYS:
        raise Invalid(gettext("A token for the console lasts %(days)s days at most.") % {"days": CONSOLE_TOKEN_DAYS}, code="invalid_token")
    if ApiToken.objects.usable(moment).filter(user=user).count() >= MOST_TOKENS:
        raise Conflict(
            gettext("There are %(most)s tokens already. Revoke one that is not used any more.") % {"most": MOST_TOKENS}, code="too_many_tokens"
        )
    text = callers.PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        user=user,
        name=name,
        start=text[:10],
        digest=callers.digest_of(text),
        scopes=chosen,
        created_at=moment,
        expires_at=moment + timedelta(days=days),
    )
    record(Event.TOKEN_CREATED, actor=actor, target=user, program=str(token.pk), scopes=chosen, days=days)
    return token, text


@transaction.atomic
def revoke_token(token_id: UUID, *, actor: User) -> ApiToken:
    """From the next request on the token opens nothing. Revoking it again changes nothing."""
    token = ApiToken.objects.lock(token_id)
    _require_self(token.user, actor)
    if token.revoked_at is None:
        token.revoked_at = now()
        token.save(update_fields=["revoked_at"])
        record(Event.TOKEN_REVOKED, actor=actor, target=token.user, program=str(token.pk))
    return token


# Signing up, in and out


@transaction.atomic
def sign_up(user: User, *, browser: str = "") -> User:
    """Save a new account. It stays closed until its address is confirmed. `browser` is the fingerprint of the one it comes from.

    Nobody's papers are looked at here, and nobody registers as an agency, so the log says neither of anybody.
    """
    user.save(force_insert=True)
    record(
        Event.USER_SIGNED_UP,
        actor=user,
        target=user,
        is_client=user.is_client,
        is_builder=user.is_builder,
        identity_verified=False,
        registered_agency=False,
        fingerprint=browser,
    )
    return user


@transaction.atomic
def note_login(user: User, device_id: UUID | None, *, browser: str = "", country: str = "") -> None:
    """Remember the browser in which somebody has signed in: its cookie, its fingerprint, and the country where a proxy knows it."""
    moment, facts = now(), context.current()
    is_new = False
    if device_id is not None:
        device, is_new = UserDevice.objects.get_or_create(
            user=user,
            device_id=device_id,
            defaults={"user_agent": facts.user_agent, "ip_address": facts.ip_address, "first_seen_at": moment, "last_seen_at": moment},
        )
        if not is_new:
            device.user_agent, device.ip_address, device.last_seen_at = facts.user_agent, facts.ip_address, moment
            device.save(update_fields=["user_agent", "ip_address", "last_seen_at"])
    said: dict[str, Any] = {"country": country} if country else {}
    record(Event.LOGIN, actor=user, target=user, new_device=is_new, fingerprint=browser, **said)


@transaction.atomic
def note_failed_login(email: str, *, why: str) -> None:
    """A try to sign in that was refused; the address need not be anybody's."""
    user = User.objects.filter(email__iexact=email).first()
    record(Event.LOGIN_FAILED, actor=None, as_a=ActorType.USER, target=user or User(pk=None), email=email[:254], why=why)


@transaction.atomic
def note_logout(user: User) -> None:
    record(Event.LOGOUT, actor=user, target=user)


@transaction.atomic
def note_email_change(user: User, *, change: str, email: str, before: str = "") -> None:
    """`change` is what happened to the address: added, confirmed, removed, or made the first one instead of `before`."""
    old, new = ({"email": before}, {"email": email}) if before else (None, None)
    record(Event.EMAIL_CHANGED, actor=user, target=user, before=old, after=new, change=change, email=email)


@transaction.atomic
def note_second_factor(user: User, *, change: str, kind: str) -> None:
    record(Event.SECOND_FACTOR_CHANGED, actor=user, target=user, change=change, kind=kind)


@transaction.atomic
def note_second_factor_used(user: User, *, kind: str, again: bool) -> None:
    """A code was right; `again` when it confirms somebody who is signed in. A recovery code is gone by that."""
    record(Event.SECOND_FACTOR_USED, actor=user, target=user, kind=kind, again=again)


@transaction.atomic
def change_password(user_id: UUID, password: str, *, actor: User) -> User:
    """Set a new password. Every session but the one that asked ends with the old one."""
    user = User.objects.lock(user_id)
    user.set_password(password)
    user.save(update_fields=["password"])
    record(Event.PASSWORD_CHANGED, actor=actor, target=user)
    return user


@transaction.atomic
def sign_out_elsewhere(user_id: UUID, *, actor: User, keep: str | None) -> int:
    """End all sessions of a person but the one with the key `keep`; how many ended."""
    user = User.objects.lock(user_id)
    _require_self(user, actor)
    ended, _ = Session.objects.filter(user=user).exclude(session_key=keep).delete()
    record(Event.LOGOUT, actor=actor, target=user, elsewhere=ended)
    return ended


# The profile


@transaction.atomic
def change_profile(user_id: UUID, *, actor: User, changes: Mapping[str, Any]) -> User:
    """Change what a person says about themselves: any of `PROFILE`."""
    user = User.objects.lock(user_id)
    _require_self(user, actor)
    if unknown := set(changes) - set(PROFILE):
        raise ValueError(f"not part of a profile: {sorted(unknown)}")
    before = {name: getattr(user, name) for name, value in changes.items() if getattr(user, name) != value}
    if not before:
        return user
    after = {name: changes[name] for name in before}
    for name, value in after.items():
        setattr(user, name, value)
    user.save(update_fields=list(after))
    record(Event.PROFILE_CHANGED, actor=actor, target=user, before=before, after=after)
    return user


@transaction.atomic
def choose_theme(user_id: UUID, theme: str, *, actor: User) -> User:
    """Light, dark or like the device."""
    user = User.objects.lock(user_id)
    _require_self(user, actor)
    if theme not in Theme.values:
        raise Invalid(_("Choose light, dark or the same as the device."), code="theme")
    before = user.theme
    if before != theme:
        user.theme = theme
        user.save(update_fields=["theme"])
        record(Event.PROFILE_CHANGED, actor=actor, target=user, before={"theme": before}, after={"theme": theme})
    return user


@transaction.atomic
def offer_work(user_id: UUID, *, actor: User) -> User:
    """Let somebody who hires offer work as well."""
    user = User.objects.lock(user_id)
    _require_self(user, actor)
    if user.is_builder:
        raise WrongState(_("You offer work already."))
    user.is_builder = True
    user.save(update_fields=["is_builder"])
    record(Event.PROFILE_CHANGED, actor=actor, target=user, before={"is_builder": False}, after={"is_builder": True})
    return user


def _require_self(user: User, actor: User) -> None:
    if actor.pk != user.pk:
        raise NotAllowed(_("Only the person themselves can change this."))


# Standing


@transaction.atomic
def suspend(user_id: UUID, *, actor: User, reason: str) -> User:
    """Close an account until further notice. Its sessions end here; each of them is told why at its next request."""
    moment = now()
    user = User.objects.lock(user_id)
    _require_staff(actor)
    if actor.pk == user.pk:
        raise NotAllowed(_("Nobody suspends themselves."), code="own_case")
    if user.is_suspended:
        raise WrongState(_("This account is suspended already."))
    reason = " ".join(reason.split())
    if not 10 <= len(reason) <= 300:
        raise Invalid(_("Give a reason of 10 to 300 characters. The person reads it."), code="reason")
    before = _standing(user)
    user.suspended_at, user.suspension_reason = moment, reason
    user.save(update_fields=["suspended_at", "suspension_reason"])
    ended = Session.objects.filter(user=user).update(session_data=told_of_suspension(user.pk), user=None)
    record(Event.USER_SUSPENDED, actor=actor, target=user, description=reason, before=before, after=_standing(user), sessions=ended)
    queue_mail(emails.suspended(user))
    return user


@transaction.atomic
def reinstate(user_id: UUID, *, actor: User, reason: str = "") -> User:
    """Open a suspended account again."""
    user = User.objects.lock(user_id)
    _require_staff(actor)
    if actor.pk == user.pk:
        raise NotAllowed(_("Nobody reinstates themselves."), code="own_case")
    if not user.is_suspended:
        raise WrongState(_("This account is not suspended."))
    before = _standing(user)
    user.suspended_at, user.suspension_reason = None, ""
    user.save(update_fields=["suspended_at", "suspension_reason"])
    reason = " ".join(reason.split())[:300]
    record(Event.USER_REINSTATED, actor=actor, target=user, description=reason, before=before, after=_standing(user))
    queue_mail(emails.reinstated(user))
    return user


def _standing(user: User) -> dict[str, Any]:
    return {"suspended_at": user.suspended_at, "suspension_reason": user.suspension_reason}


def _require_staff(actor: User) -> None:
    if not actor.is_staff or actor.is_suspended or not actor.is_active:
        raise NotAllowed(_("Only staff can do this."))


# Mail about accounts


@transaction.atomic
def queue_mail(letter: emails.Letter) -> QueuedMail:
    """Keep a rendered mail and the job that sends it, in the caller's transaction."""
    subject = " ".join(letter.subject.split())[:200]
    queued = QueuedMail.objects.create(to=letter.to, subject=subject, text=letter.text, html=letter.html, created_at=now())
    enqueue("port444.accounts.jobs.send_mail", queued.pk)
    return queued


def send_mail(mail_id: UUID) -> None:
    """Send a queued mail unless it is sent, being sent or given up. Raises what the mail server raises.

    The claim is committed before the mail server hears of it, and the Message-ID is the row's: cut off in between, the same
    message goes out again and is recognised.
    """
    queued = QueuedMail.objects.claim(mail_id, now())
    if queued is None:
        return
    try:
        mail.send(mail.Mail(queued.to, queued.subject, queued.text, key=f"account-{queued.pk}", html=queued.html))
    except Exception:
        QueuedMail.objects.unsent().filter(pk=queued.pk).update(claimed_at=None)
        raise
    QueuedMail.objects.filter(pk=queued.pk).update(sent_at=now(), text="", html="")


def forget() -> None:
    """Remove what has had its time: mails that were sent or given up, answers of the API, and sessions that have ended."""
    moment = now()
    QueuedMail.objects.unsent().filter(created_at__lt=moment - MAIL_LIVES).delete()
    QueuedMail.objects.filter(sent_at__lt=moment - SENT_MAIL_LIVES).delete()
    AnsweredCall.objects.filter(created_at__lt=moment - ANSWERS_LIVE).delete()
    ApiAllowance.objects.filter(free_at__lt=moment).delete()
    SessionStore.clear_expired()
