"""Talk: one conversation for a client and a builder, with messages and files."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from port444.builders.models import Builder
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.kit.sentences import read
from port444.kit.uploads import KINDS

SMALL_SIDE = 56  # pixels on a page


class MessageKind(models.TextChoices):
    TEXT = "text"
    NOTICE = "notice"


class ConversationQuerySet(models.QuerySet["Conversation"]):
    def lock(self, pk: Any) -> Conversation:
        return self.select_for_update(of=("self",), no_key=True).get(pk=pk)

    def visible_to(self, user: Any) -> ConversationQuerySet:
        return self.filter(Q(client=user) | Q(builder=user))


class Conversation(models.Model):
    """The one thread between a client and a builder (both as users). Orders and calls point at it and post notices into it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    client = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    builder = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=now)
    last_message_at = models.DateTimeField(default=now)
    # When the talk will have rested for a day; whoever looks at talks that came to rest clears it. None: nothing was said since.
    rests_at = models.DateTimeField(null=True)

    objects = ConversationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "builder"], name="conversation_once"),
            models.CheckConstraint(condition=~Q(client=F("builder")), name="conversation_two_people"),
        ]
        indexes = [
            models.Index(fields=["client", "-last_message_at"], name="conversation_of_client"),
            models.Index(fields=["builder", "-last_message_at"], name="conversation_of_builder"),
            models.Index(fields=["rests_at", "id"], condition=Q(rests_at__isnull=False), name="conversation_at_rest"),
        ]

    def __str__(self) -> str:
        return str(self.pk)

    def get_absolute_url(self) -> str:
        return reverse("messaging:thread", args=[self.pk])

    def other(self, user: Any) -> Any:
        """The person on the other side of `user`."""
        return self.builder if user.pk == self.client_id else self.client

    def is_party(self, user: Any) -> bool:
        return user.pk in (self.client_id, self.builder_id)


class Message(models.Model):
    """Something written by one side, or a notice of the system (no author). `subject_*` names what it is about, e.g. an order."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.PROTECT, related_name="messages")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, db_index=False)
    kind = models.CharField(max_length=6, choices=MessageKind.choices, default=MessageKind.TEXT)
    body = models.TextField(max_length=5000, blank=True)
    # Of a notice, the sentence itself (`Said.kept`), so that each side reads it in their language. None: there is only `body`.
    said = models.JSONField(null=True)
    icon = models.CharField(max_length=40, blank=True)
    subject_type = models.CharField(max_length=30, blank=True)
    subject_id = models.UUIDField(null=True)
    created_at = models.DateTimeField(default=now)
    # A form carries this key, so that pressing "send" twice writes one message.
    client_key = models.UUIDField(default=uuid7)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="notice", author__isnull=True) | Q(kind="text", author__isnull=False), name="message_author_fits_kind"
            ),
            models.CheckConstraint(
                condition=Q(subject_type="", subject_id__isnull=True) | (~Q(subject_type="") & Q(subject_id__isnull=False)),
                name="message_subject_complete",
            ),
            models.UniqueConstraint(fields=["conversation", "client_key"], name="message_sent_once"),
        ]
        indexes = [
            models.Index(fields=["conversation", "-created_at", "-id"], name="message_of_conversation"),
            models.Index(fields=["subject_id", "created_at"], condition=Q(subject_id__isnull=False), name="message_of_subject"),
            models.Index(fields=["author", "created_at"], name="message_of_author"),
        ]

    def __str__(self) -> str:
        return self.body[:60]

    @property
    def words(self) -> str:
        """What people read: what somebody wrote, or a notice in the language of whoever reads now. `body` has notices in English."""
        return str(read(self.said)) if self.said else self.body

    @property
    def subject(self) -> Subject | None:
        return (self.subject_type, self.subject_id) if self.subject_id is not None else None


class FirstAnswer(models.Model):
    """How soon a builder first answered a client who had begun a conversation. A trigger writes it with the messages.

    `minutes` leaves out the time for which the builder was away, as their profile said when they answered. `due_at` is when it begins or
    ceases to count.
    """

    conversation = models.OneToOneField(Conversation, on_delete=models.CASCADE, primary_key=True, related_name="first_answer")
    builder = models.ForeignKey(Builder, on_delete=models.CASCADE, related_name="+", db_index=False)
    asked_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    minutes = models.PositiveIntegerField(null=True)
    due_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(answered_at__isnull=True, minutes__isnull=True) | Q(answered_at__gte=F("asked_at"), minutes__isnull=False),
                name="first_answer_is_whole",
            )
        ]
        indexes = [
            models.Index(fields=["builder", "answered_at"], condition=Q(answered_at__isnull=False), name="first_answer_of_builder"),
            models.Index(fields=["due_at", "conversation"], condition=Q(due_at__isnull=False), name="first_answer_due"),
        ]

    def __str__(self) -> str:
        return str(self.conversation_id)


class ReportReason(models.TextChoices):
    SPAM = "spam", _("Spam or advertising")
    OFF_PLATFORM = "off_platform", _("Wants to be paid outside of port444")
    ABUSE = "abuse", _("Insults or threats")
    FRAUD = "fraud", _("Seems to be a fraud")
    OTHER = "other", _("Something else")


class Report(models.Model):
    """One side's word to support about a conversation; once for each side."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.PROTECT, related_name="reports")
    reporter = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=12, choices=ReportReason.choices)
    text = models.TextField(max_length=1000, blank=True)
    created_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-created_at"]
        constraints = [models.UniqueConstraint(fields=["conversation", "reporter"], name="report_once")]

    def __str__(self) -> str:
        return f"{self.reason} in {self.conversation_id}"


class PersonReport(models.Model):
    """Somebody's word to support about a builder whom they may never have written with; once for each person."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reporter = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=12, choices=ReportReason.choices)
    text = models.TextField(max_length=1000, blank=True)
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["person", "reporter"], name="person_report_once"),
            models.CheckConstraint(condition=~Q(person=models.F("reporter")), name="person_report_of_another"),
            models.CheckConstraint(condition=Q(reason__in=ReportReason.values), name="person_report_reason_known"),
        ]
        indexes = [models.Index(fields=["reporter", "-created_at"], name="person_report_of_reporter")]

    def __str__(self) -> str:
        return f"{self.reason} about {self.person_id}"


class PreviewStatus(models.TextChoices):
    NONE = "none", _("Of this kind none is made")
    WAITING = "waiting", _("Being drawn")
    READY = "ready", _("Drawn")
    FAILED = "failed", _("It could not be drawn")


class AttachmentQuerySet(models.QuerySet["Attachment"]):
    def visible_to(self, user: Any) -> AttachmentQuerySet:
        return self.filter(Q(conversation__client=user) | Q(conversation__builder=user))


def attachment_path(attachment: Attachment, name: str) -> str:
    """Where the bytes lie: by id, never by the name that a person gave."""
    return f"attachments/{attachment.conversation_id}/{attachment.pk}"


class Attachment(models.Model):
    """A checked file of a conversation: sent with a message, a delivery or an answer. Served as a download only; what is shown of it is a
    picture drawn anew (`previews`)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.PROTECT, related_name="attachments")
    message = models.ForeignKey(Message, on_delete=models.PROTECT, related_name="attachments", null=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    file = models.FileField(upload_to=attachment_path, max_length=200)
    name = models.CharField(max_length=120)
    mimetype = models.CharField(max_length=100)
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=now)
    preview = models.CharField(max_length=7, choices=PreviewStatus.choices, default=PreviewStatus.NONE)
    preview_width = models.PositiveSmallIntegerField(null=True)
    preview_height = models.PositiveSmallIntegerField(null=True)

    objects = AttachmentQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=Q(size__gt=0), name="attachment_not_empty"),
            models.CheckConstraint(condition=Q(preview__in=PreviewStatus.values), name="attachment_preview_known"),
            models.CheckConstraint(condition=~Q(preview="ready") | Q(preview_width__gt=0, preview_height__gt=0), name="attachment_preview_has_size"),
        ]
        indexes = [models.Index(fields=["created_at"], condition=Q(preview="waiting"), name="attachment_to_draw")]

    def __str__(self) -> str:
        return self.name

    @property
    def href(self) -> str:
        return reverse("messaging:attachment", args=[self.pk])

    @property
    def page(self) -> str:
        """Where it is looked at."""
        return reverse("messaging:file", args=[self.pk])

    @property
    def kind(self) -> str:
        """As people call it, e.g. "PDF"."""
        return next((extension.upper() for extension, (mimetype, __) in KINDS.items() if mimetype == self.mimetype), "") or str(_("File"))

    @property
    def small(self) -> str:
        """The address of its small picture, if there is one."""
        return reverse("messaging:small", args=[self.pk]) if self.preview == PreviewStatus.READY else ""

    @property
    def small_size(self) -> tuple[int, int]:
        """Width and height of the small picture, so that nothing moves when it comes."""
        width, height = self.preview_width or 1, self.preview_height or 1
        return min(SMALL_SIDE, max(1, SMALL_SIDE * width // height)), min(SMALL_SIDE, max(1, SMALL_SIDE * height // width))

    @property
    def small_name(self) -> str:
        return f"{self.large_name}-small"

    @property
    def large_name(self) -> str:
        return f"previews/{self.conversation_id}/{self.pk}"


class ReadMarker(models.Model):
    """How far a person has read a conversation."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="markers")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    read_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["conversation", "user"], name="read_marker_once")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.read_at}"


Subject = tuple[str, UUID]
