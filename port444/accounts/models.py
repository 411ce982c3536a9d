"""People: one user can hire and offer work."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import Any, ClassVar
from uuid import UUID
from zoneinfo import available_timezones

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.sessions.base_session import AbstractBaseSession
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Lower, Upper
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from auditlog.actions import record
from auditlog.events import Event
from auditlog.models import Category, Watched
from port444.kit.clock import now
from port444.kit.ids import uuid7


@cache
def zone_names() -> frozenset[str]:
    """All IANA time zones; read from disk once, as the listing walks a thousand files."""
    return frozenset(available_timezones())


def check_zone(name: str) -> None:
    """Raise ValidationError unless `name` is an IANA time zone."""
    if name not in zone_names():
        raise ValidationError(_("Choose a time zone from the list."), code="zone")


class Theme(models.TextChoices):
    SYSTEM = "system", _("Like my device")
    LIGHT = "light", _("Light")
    DARK = "dark", _("Dark")


class UserQuerySet(models.QuerySet["User"]):
    def lock(self, pk: Any) -> User:
        return self.select_for_update(of=("self",), no_key=True).get(pk=pk)


class UserManager(BaseUserManager["User"]):
    def get_queryset(self) -> UserQuerySet:
        return UserQuerySet(self.model, using=self._db)

    def lock(self, pk: Any) -> User:
        return self.get_queryset().lock(pk)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """By `manage.py createsuperuser` alone: whoever may run commands makes staff, and the log says when."""
        with transaction.atomic(using=self._db):
            user = self.create_user(email, password, is_staff=True, is_superuser=True, **fields)
            record(Event.STAFF_MADE, actor=None, target=user, after={"is_staff": True, "is_superuser": True}, email=user.email)
        return user


class User(AbstractBaseUser, PermissionsMixin):
    """A person who can sign in. A suspended user is signed out at once and told why."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField("e-mail", unique=True)
    name = models.CharField(max_length=80)
    is_client = models.BooleanField("hires", default=True)
    is_builder = models.BooleanField("offers work", default=False)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    time_zone = models.CharField(max_length=64, default="UTC", validators=[check_zone])
    language = models.CharField(max_length=8, default="en")
    phone = models.CharField(max_length=20, blank=True, help_text=_("In international form, for example +31 20 123 4567."))
    theme = models.CharField(max_length=6, choices=Theme.choices, default=Theme.SYSTEM)
    suspended_at = models.DateTimeField(null=True, blank=True)
    suspension_reason = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=now)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    audited = Watched(
        Category.SECURITY,
        kept="is_superuser is_client is_builder is_staff is_active time_zone language suspended_at suspension_reason created_at",
        personal="email name phone",
        hidden="password",
        ignored="last_login theme",
    )

    class Meta:
        indexes = [
            GinIndex(OpClass(Upper("name"), name="gin_trgm_ops"), name="user_name_trgm"),
            GinIndex(OpClass(Upper("email"), name="gin_trgm_ops"), name="user_email_trgm"),
            models.Index(fields=["name", "id"], condition=Q(is_staff=True), name="user_staff"),  # few among many: who is told of what
        ]
        constraints = [
            models.UniqueConstraint(Lower("email"), name="user_email_once"),
            models.CheckConstraint(
                condition=Q(suspended_at__isnull=True, suspension_reason="") | (Q(suspended_at__isnull=False) & ~Q(suspension_reason="")),
                name="user_suspension_has_reason",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_suspended(self) -> bool:
        return self.suspended_at is not None

    @property
    def first_name(self) -> str:
        return self.name.split()[0] if self.name else ""

    @property
    def initials(self) -> str:
        parts = self.name.split()
        return "".join(part[0] for part in (parts[:1] + parts[-1:] if len(parts) > 1 else parts)).upper()

    def get_full_name(self) -> str:
        return self.name

    def get_short_name(self) -> str:
        return self.first_name


class UserDevice(models.Model):
    """A browser (by its random first-party cookie) in which a user has been signed in."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="devices")
    device_id = models.UUIDField()
    user_agent = models.CharField(max_length=512, blank=True)
    ip_address = models.GenericIPAddressField(null=True)
    first_seen_at = models.DateTimeField(default=now)
    last_seen_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "device_id"], name="user_device_once")]
        indexes = [models.Index(fields=["device_id"], name="user_device_id")]

    def __str__(self) -> str:
        return f"{self.user_id} on {self.device_id}"


class Session(AbstractBaseSession):
    """A signed-in browser, known by its user, so that all sessions of one person can be ended at once."""

    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="sessions")
    device_id = models.UUIDField(null=True)

    class Meta(AbstractBaseSession.Meta):
        abstract = False

    @classmethod
    def get_session_store_class(cls) -> Any:
        return import_string(f"{settings.SESSION_ENGINE}.SessionStore")


class QueuedMailQuerySet(models.QuerySet["QueuedMail"]):
    def unsent(self) -> QueuedMailQuerySet:
        return self.filter(sent_at__isnull=True)

    def free(self, moment: datetime) -> QueuedMailQuerySet:
        """Unsent, and nobody is sending it; a claim that outlived every mail server's patience has lapsed."""
        return self.unsent().filter(Q(claimed_at__isnull=True) | Q(claimed_at__lt=moment - QueuedMail.PATIENCE))

    def claim(self, pk: UUID, moment: datetime) -> QueuedMail | None:
        """The mail, if it is ours to send now: of two workers one gets it."""
        return self.get(pk=pk) if self.free(moment).filter(pk=pk).update(claimed_at=moment) else None


class QueuedMail(models.Model):
    """A mail about an account, rendered in the request and sent by a job; its words are wiped once it is sent.

    What a link in it opens must not lie about: sent mails keep only the address and the moment.
    """

    PATIENCE: ClassVar[timedelta] = timedelta(minutes=2)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    to = models.EmailField()
    subject = models.CharField(max_length=200)
    text = models.TextField()
    html = models.TextField(blank=True)
    created_at = models.DateTimeField(default=now)
    claimed_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)

    objects = QueuedMailQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(sent_at__isnull=True) | Q(text="", html=""), name="queued_mail_wiped_when_sent"),
        ]
        indexes = [models.Index(fields=["created_at"], condition=Q(sent_at__isnull=True), name="queued_mail_unsent")]

    def __str__(self) -> str:
        return f"{self.subject} to {self.to}"


# Tables of Django and allauth that say who may do what.
AUDITED_ELSEWHERE = {
    "account.EmailAddress": Watched(Category.SECURITY, kept="user_id verified primary", personal="email"),
    "accounts.User_groups": Watched(Category.SECURITY, kept="user_id group_id"),
    "accounts.User_user_permissions": Watched(Category.SECURITY, kept="user_id permission_id"),
    "auth.Group": Watched(Category.SECURITY, kept="name"),
    "auth.Group_permissions": Watched(Category.SECURITY, kept="group_id permission_id"),
    "mfa.Authenticator": Watched(Category.SECURITY, kept="user_id type", hidden="data", ignored="created_at last_used_at"),
}


class Scope(models.TextChoices):
    """What a token may be used for. Reading is a scope of its own: without it a token can only do."""

    READ = "read", _("Read what you can see")
    ORDERS = "orders", _("Place orders and carry them out, with their offers, changes and disputes")
    CALLS = "calls", _("Book and hold calls, and set your hours")
    MESSAGES = "messages", _("Write messages and mark what was read")
    MONEY = "money", _("Pay, and withdraw what you have earned")
    WEBHOOKS = "webhooks", _("Set up webhooks")
    CONSOLE = "console", _("Work in the console, within your rights as staff")


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def lock(self, pk: Any) -> ApiToken:
        return self.select_for_update(of=("self",), no_key=True).get(pk=pk)

    def usable(self, moment: datetime) -> ApiTokenQuerySet:
        return self.filter(revoked_at__isnull=True, expires_at__gt=moment)


class ApiToken(models.Model):
    """A program's way in, for one person. The token itself is shown once; here lies only its SHA-256, which tells nobody what it was."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=60)
    start = models.CharField(max_length=12, help_text=_("The first characters, by which its owner knows it again."))
    digest = models.CharField(max_length=64, unique=True)
    scopes = ArrayField(models.CharField(max_length=12, choices=Scope.choices))
    created_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    last_ip = models.GenericIPAddressField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiTokenQuerySet.as_manager()

    audited = Watched(
        Category.SECURITY,
        kept="user_id scopes created_at expires_at revoked_at",
        personal="name",
        hidden="digest",
        ignored="start last_used_at last_ip",
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(scopes__contained_by=Scope.values) & Q(scopes__len__gt=0), name="api_token_scopes_known"),
            models.CheckConstraint(condition=Q(expires_at__gt=F("created_at")), name="api_token_ends_after_it_begins"),
        ]
        indexes = [models.Index(fields=["user", "-id"], name="api_token_of_user")]

    def __str__(self) -> str:
        return f"{self.name} ({self.start}...)"


class AnsweredCall(models.Model):
    """What a call of the API with an idempotency key was answered, written in the transaction of what it did."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    asked = models.CharField(max_length=64, help_text=_("SHA-256 of method, address and body."))
    code = models.PositiveSmallIntegerField(default=0)
    answer = models.TextField(blank=True)
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="answered_call_once")]
        indexes = [models.Index(fields=["created_at"], name="answered_call_age")]

    def __str__(self) -> str:
        return self.key


class ApiAllowance(models.Model):
    """When a caller will have used nothing, if they stop now (GCRA, ITU-T I.371): one row and one statement decide about a request."""

    who = models.CharField(max_length=60, primary_key=True, help_text=_("Whose and which, for example user:<id>:reads."))
    free_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["free_at"], name="api_allowance_free")]

    def __str__(self) -> str:
        return self.who
