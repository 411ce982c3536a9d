"""Talking: opening a conversation, writing into it, reading it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection, transaction
from django.utils import translation
from django.utils.translation import gettext as _

from auditlog.actions import Finding, Reason, open_incident, record
from auditlog.events import Event
from auditlog.models import RANK, DetectionMethod, IncidentSeverity, IncidentType
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit import previews
from port444.kit import uploads as files
from port444.kit.clock import now
from port444.kit.errors import Conflict, Invalid, NotAllowed, TooMany, WrongState
from port444.kit.ids import uuid7
from port444.kit.jobs import enqueue
from port444.kit.language import speaking_to
from port444.kit.sentences import Day, Said, plain, say
from port444.notifications.actions import notify, read_about

from . import queries
from .models import (
    Attachment,
    Conversation,
    FirstAnswer,
    Message,
    MessageKind,
    PersonReport,
    PreviewStatus,
    ReadMarker,
    Report,
    ReportReason,
    Subject,
)

LONGEST = 5000
TICK = timedelta(microseconds=1)


@transaction.atomic
def open_conversation(client: User, builder_user: User, *, actor: User | None) -> Conversation:
    """The one conversation of `client` and `builder_user`, made when there is none. `actor` is one of both, or None for the system."""
    if client.pk == builder_user.pk:
        raise Invalid(_("You cannot write to yourself."), code="self")
    if actor is not None and actor.pk not in (client.pk, builder_user.pk):
        raise NotAllowed(_("Only the two people of a conversation can open it."))
    moment = now()
    row = Conversation(client=client, builder=builder_user, created_at=moment, last_message_at=moment)
    Conversation.objects.bulk_create([row], ignore_conflicts=True)
    conversation = Conversation.objects.select_related("client", "builder").get(client=client, builder=builder_user)
    if conversation.pk == row.pk:
        record(Event.CONVERSATION_OPENED, actor=actor, target=conversation, client=client.pk, builder=builder_user.pk)
    return conversation


@transaction.atomic
def start_conversation(builder_id: UUID, *, actor: User, body: str, client_key: UUID, uploads: Sequence[Any] = ()) -> Message:
    """Write to a builder for the first time, or again."""
    builder = Builder.objects.visible().select_related("user").get(pk=builder_id)
    conversation = open_conversation(actor, builder.user, actor=actor)
    return send_message(conversation.pk, actor=actor, body=body, client_key=client_key, uploads=uploads)


@transaction.atomic
def send_message(
    conversation_id: UUID, *, actor: User, body: str, client_key: UUID, uploads: Sequence[Any] = (), subject: Subject | None = None
) -> Message:
    """Send text, files or both as `actor`. The same `client_key` sends once and gives the same message.

    Raises Invalid (empty, too long, files that do not pass; nothing is written), NotAllowed, WrongState when the other side's
    account is closed, and TooMany.
    """
    conversation = _lock(conversation_id)
    if not conversation.is_party(actor):
        raise NotAllowed(_("This is not your conversation."))
    sent = Message.objects.filter(conversation=conversation, client_key=client_key, author=actor).first()
    if sent is not None:
        return sent
    reader = conversation.other(actor)
    if reader.is_suspended or not reader.is_active:
        raise WrongState(_("The account of %(name)s is closed at the moment, so messages cannot reach it.") % {"name": reader.first_name})
    text = _checked(body, uploads)
    moment = now()
    _refuse_flood(actor, moment)
    message = _append(conversation, moment, author=actor, body=text, client_key=client_key, subject=subject)
    with _kept_or_removed() as kept:
        for upload in uploads:
            kept.append(_keep(conversation, upload, actor, message))
        _mark(conversation, actor, message.created_at)
        record(Event.MESSAGE_SENT, actor=actor, target=message, conversation=conversation.pk, to=reader.pk, length=len(text), files=len(kept))
        _tell(conversation, message, reader, kept)
    if actor.pk == conversation.client_id:
        _answer_for_the_away(conversation, moment)
    return message


@transaction.atomic
def post_notice(conversation_id: UUID, *, body: str | Said, icon: str, subject: Subject | None) -> Message:
    """Add a line of the system, e.g. "Order 1042 started". Call it inside the action's transaction; it tells nobody by itself."""
    return _append(_lock(conversation_id), now(), kind=MessageKind.NOTICE, body=body, icon=icon, subject=subject)


@transaction.atomic
def keep_upload(conversation: Conversation, upload: Any, *, actor: User) -> Attachment:
    """Check a file and keep it for the two people of `conversation`. Raises Invalid, and then nothing is kept.

    The bytes are written at once: when the caller's transaction fails later they stay behind without a row, unreachable.
    """
    if not conversation.is_party(actor):
        raise NotAllowed(_("This is not your conversation."))
    with _kept_or_removed() as kept:
        kept.append(_keep(conversation, upload, actor, None))
    return kept[0]


@transaction.atomic
def mark_read(conversation_id: UUID, *, actor: User, until: datetime | None = None) -> None:
    """Note that `actor` has seen the conversation up to `until` (now); never moves back."""
    conversation = Conversation.objects.visible_to(actor).filter(pk=conversation_id).first()
    if conversation is None:
        raise NotAllowed(_("This is not your conversation."))
    marker = ReadMarker.objects.filter(conversation=conversation, user=actor).first()
    if marker is not None and marker.read_at >= conversation.last_message_at:
        return
    _mark(conversation, actor, until or max(now(), conversation.last_message_at))
    if not queries.unread_in(conversation, actor).exists():
        read_about(conversation.get_absolute_url(), actor=actor)


def _lock(conversation_id: UUID) -> Conversation:
    return Conversation.objects.select_related("client", "builder__builder").lock(conversation_id)


def _checked(body: str, uploads: Sequence[Any]) -> str:
    """The text as it is kept. Every file is checked before the first one is written."""
    text = body.replace("\r\n", "\n").strip()
    if not text and not uploads:
        raise Invalid(_("Write something, or add a file."), code="empty")
    if len(text) > LONGEST:
        said = _("A message has at most %(most)s characters; this one has %(length)s.") % {"most": LONGEST, "length": len(text)}
        raise Invalid(said, code="too_long")
    if "\x00" in text:
        raise Invalid(_("The text holds a character that cannot be kept."), code="characters")
    if len(uploads) > settings.UPLOAD_MAX_FILES:
        raise Invalid(_("A message takes at most %(most)s files.") % {"most": settings.UPLOAD_MAX_FILES}, code="too_many_files")
    for upload in uploads:
        files.check(upload)
    return text


def _refuse_flood(actor: User, moment: datetime) -> None:
    recent = Message.objects.filter(author=actor, created_at__gt=moment - timedelta(minutes=1))
    if recent[: settings.MESSAGES_A_MINUTE].count() >= settings.MESSAGES_A_MINUTE:
        raise TooMany(_("That were many messages in one minute. Wait a moment and send again; your text is not lost."))


def _append(
    conversation: Conversation,
    moment: datetime,
    *,
    body: str | Said,
    author: User | None = None,
    kind: MessageKind = MessageKind.TEXT,
    client_key: UUID | None = None,
    icon: str = "",
    subject: Subject | None = None,
) -> Message:
    """Add a message behind all others: readers page and poll by time, so no message may appear before one that was seen.

    A sentence is kept as it is beside its English words.
    """
    newest = Message.objects.filter(conversation=conversation).order_by("-created_at", "-id").values_list("created_at", flat=True).first()
    moment = max(moment, newest + TICK) if newest else moment
    subject_type, subject_id = subject or ("", None)
    message = Message.objects.create(
        conversation=conversation,
        author=author,
        kind=kind,
        body=plain(body),
        said=body.kept() if isinstance(body, Said) else None,
        icon=icon,
        subject_type=subject_type,
        subject_id=subject_id,
        created_at=moment,
        client_key=client_key or uuid7(),
    )
    conversation.last_message_at = moment
    if kind == MessageKind.TEXT:
        conversation.rests_at = moment + timedelta(hours=settings.REST_HOURS)
    conversation.save(update_fields=["last_message_at", "rests_at"])
    return message


def _answer_for_the_away(conversation: Conversation, moment: datetime) -> None:
    """Say to a client that the builder is away: once in a conversation for each span."""
    builder = queries.builder_of(conversation)
    if builder is None or builder.away_paused_at is None or builder.away_until is None or not builder.is_away_at(moment):
        return
    key = queries.away_key(conversation, builder)
    if Message.objects.filter(conversation=conversation, client_key=key).exists():
        return
    back = builder.away_until.astimezone(ZoneInfo(conversation.client.time_zone))
    # A day that begins at midnight for the one who is away seldom does for the one who reads.
    name, day = conversation.builder.first_name, Day(back.date(), "D j M")
    if (back.hour, back.minute) == (0, 0):
        line = say("%(name)s is away, and back on %(day)s. Your message waits here until then.", name=name, day=day)
    else:
        line = say("%(name)s is away, and back on %(day)s, %(time)s. Your message waits here until then.", name=name, day=day, time=f"{back:%H:%M}")
    if builder.away_message:
        line = say("%(line)s %(name)s says: “%(words)s”", line=line, name=name, words=builder.away_message)
    _append(conversation, moment, kind=MessageKind.NOTICE, body=line, icon="tree-palm", client_key=key)


# What a report means for whoever looks at it. It is one side's word, so none of them counts as more than a suspicion.
WEIGHTS = {
    ReportReason.SPAM: (IncidentType.SUSPICIOUS_ACTIVITY, IncidentSeverity.LOW),
    ReportReason.OFF_PLATFORM: (IncidentType.SUSPICIOUS_ACTIVITY, IncidentSeverity.MEDIUM),
    ReportReason.ABUSE: (IncidentType.SUSPICIOUS_ACTIVITY, IncidentSeverity.HIGH),
    ReportReason.FRAUD: (IncidentType.FRAUD_ATTEMPT, IncidentSeverity.HIGH),
    ReportReason.OTHER: (IncidentType.SUSPICIOUS_ACTIVITY, IncidentSeverity.LOW),
}
CONFIDENCE = 50
MOST_REPORTS = 10  # of people, by one person in a day


@transaction.atomic
def report_conversation(conversation_id: UUID, *, actor: User, reason: ReportReason, text: str = "") -> Report:
    """Bring a conversation before support, once for each side. The other side is not told.

    The same report again gives the first one. Raises NotAllowed, and Conflict when this side has reported it with other words.
    """
    conversation = _lock(conversation_id)
    if not conversation.is_party(actor):
        raise NotAllowed(_("This is not your conversation."))
    text = text.replace("\r\n", "\n").strip()
    first = Report.objects.filter(conversation=conversation, reporter=actor).first()
    if first is not None:
        if (first.reason, first.text) == (reason, text):
            return first
        raise Conflict(_("You have reported this conversation already. Support looks at it."), code="reported")
    other = conversation.other(actor)
    report = Report.objects.create(conversation=conversation, reporter=actor, reason=reason, text=text, created_at=now())
    record(Event.CONVERSATION_REPORTED, actor=actor, target=conversation, reason=reason, reported=other.pk)
    incident_type, severity = WEIGHTS[reason]
    finding = Finding(
        fingerprint=f"report:{report.pk}",
        incident_type=incident_type,
        severity=severity,
        confidence=CONFIDENCE,
        description=f"{actor.name} reported the conversation with {other.name}: {_named(reason)}",
        user_id=other.pk,
        related_users=[actor.pk],
        pattern="reported conversation",
        evidence={"conversation": str(conversation.pk), "report": str(report.pk), "reason": reason, "text": text},
    )
    open_incident(finding, actor=actor, method=DetectionMethod.USER_REPORT)
    return report


@transaction.atomic
def report_person(person_id: UUID, *, actor: User, reason: ReportReason, text: str = "") -> PersonReport:
    """Bring a builder before support, once for each who does. The builder is not told. The word of several is one case.

    The same report again gives the first one. Raises NotAllowed for oneself, and Conflict for other words or too many in a day.
    """
    if person_id == actor.pk:
        raise NotAllowed(_("This is you."))
    User.objects.lock(actor.pk)
    text = text.replace("\r\n", "\n").strip()
    first = PersonReport.objects.filter(person=person_id, reporter=actor).first()
    if first is not None:
        if (first.reason, first.text) == (reason, text):
            return first
        raise Conflict(_("You have reported this person already. Support looks at it."), code="reported")
    moment = now()
    if PersonReport.objects.filter(reporter=actor, created_at__gt=moment - timedelta(days=1)).count() >= MOST_REPORTS:
        raise Conflict(_("You have reported many people today. Write to support about the rest."), code="too_many_reports")
    person = User.objects.get(pk=person_id)
    report = PersonReport.objects.create(person=person, reporter=actor, reason=reason, text=text, created_at=moment)
    record(Event.PERSON_REPORTED, actor=actor, target=person, reason=reason, report=report.pk)
    words = list(PersonReport.objects.filter(person=person).order_by("-pk")[:20])
    said = f"{person.name} was reported: {_named(reason)}"
    open_incident(case_of(words, f"reported:{person.pk}", person.pk, said, "reported person"), actor=actor, method=DetectionMethod.USER_REPORT)
    return report


def case_of(words: Sequence[Any], fingerprint: str, user_id: UUID, said: str, pattern: str, **evidence: Any) -> Finding:
    """What several people reported of one thing, newest first, as one case: each report has `reporter_id`, `reason` and `text`."""
    incident_type, severity = max((WEIGHTS[ReportReason(one.reason)] for one in words), key=lambda weight: RANK[weight[1]])
    reasons = [Reason(CONFIDENCE, f"Reported: {_named(words[-1].reason)}")]
    if len(words) > 1:
        reasons.append(Reason(min(10 * (len(words) - 1), 40), f"By {len(words)} people who wrote each for themselves"))
    return Finding(
        fingerprint=fingerprint,
        incident_type=incident_type,
        severity=severity,
        confidence=sum(one.points for one in reasons),
        description=said,
        user_id=user_id,
        pattern=pattern,
        reasons=reasons,
        evidence={"reports": [{"reporter": str(one.reporter_id), "reason": one.reason, "text": one.text} for one in words], **evidence},
    )


def _named(reason: str) -> str:
    """A reason as support reads it, in whatever language somebody reported."""
    with translation.override(settings.LANGUAGE_CODE):
        return str(ReportReason(reason).label)


@contextlib.contextmanager
def _kept_or_removed() -> Iterator[list[Attachment]]:
    """Collects kept files; when the block fails their bytes go, as their rows do."""
    kept: list[Attachment] = []
    try:
        yield kept
    except BaseException:
        for attachment in kept:
            attachment.file.delete(save=False)
        raise


def _keep(conversation: Conversation, upload: Any, actor: User, message: Message | None) -> Attachment:
    name, mimetype, sha256 = files.check(upload)
    attachment = Attachment(
        conversation=conversation,
        message=message,
        owner=actor,
        name=name,
        mimetype=mimetype,
        size=upload.size,
        sha256=sha256,
        created_at=now(),
        preview=PreviewStatus.WAITING if mimetype in previews.DRAWN else PreviewStatus.NONE,
    )
    attachment.file.save(name, upload, save=False)
    try:
        attachment.save(force_insert=True)
        record(Event.FILE_UPLOADED, actor=actor, target=attachment, name=name, size=upload.size, sha256=sha256)
        if attachment.preview == PreviewStatus.WAITING:
            enqueue("port444.messaging.jobs.make_preview", attachment.pk)
    except BaseException:
        attachment.file.delete(save=False)
        raise
    return attachment


def _mark(conversation: Conversation, reader: User, until: datetime) -> None:
    rows = ReadMarker.objects.filter(conversation=conversation, user=reader)
    if not rows.exists():
        ReadMarker.objects.bulk_create([ReadMarker(conversation=conversation, user=reader, read_at=until)], ignore_conflicts=True)
    rows.filter(read_at__lt=until).update(read_at=until)


def _tell(conversation: Conversation, message: Message, reader: User, kept: Sequence[Attachment]) -> None:
    """Tell the reader once for all that waits unread: the first unread message names the fact."""
    first = queries.first_unread(conversation, reader)
    if first is None:
        raise Conflict(_("This message could not be sent. Please try again."))
    author = conversation.other(reader)
    shown = message.body or ", ".join(attachment.name for attachment in kept)
    with speaking_to(reader):
        notify(
            reader,
            "message.received",
            title=_("%(name)s wrote to you") % {"name": author.name},
            body=shown[:200],
            url=conversation.get_absolute_url(),
            dedupe_key=f"message:{first.pk}",
            context={"label": _("Read and answer")},
            moment=message.created_at,
        )


ANSWERED_WITHIN = timedelta(days=90)  # what an answer counts for
COUNT_ANSWERS = """
UPDATE builders_builder b SET answer_minutes = made.minutes, answer_count = made.count
FROM (
  SELECT own.id, floor(percentile_cont(0.5) WITHIN GROUP (ORDER BY a.minutes)) AS minutes, count(a.minutes) AS count
    FROM unnest(%(builders)s) AS own (id)
    LEFT JOIN messaging_firstanswer a ON a.builder_id = own.id AND a.answered_at > %(since)s GROUP BY own.id
) AS made WHERE b.id = made.id
"""
COUNTED = """
UPDATE messaging_firstanswer SET due_at = CASE WHEN answered_at > %(since)s THEN answered_at + %(window)s END WHERE conversation_id = ANY(%(ids)s)
"""


@transaction.atomic
def count_answers_batch(moment: datetime, limit: int) -> int:
    """Work out how soon the builders of up to `limit` first answers answer that begin or cease to count; how many were taken.

    Builders are locked first, in their order. Four queries, or one for none.
    """
    due = FirstAnswer.objects.filter(due_at__lte=moment).order_by("due_at", "conversation")
    found = list(due.values_list("pk", "builder_id")[:limit])
    if found:
        builders = sorted({builder for _, builder in found})
        list(Builder.objects.filter(pk__in=builders).order_by("pk").select_for_update(no_key=True).values_list("pk"))
        values: dict[str, Any] = {"builders": builders, "ids": [pk for pk, _ in found], "since": moment - ANSWERED_WITHIN, "window": ANSWERED_WITHIN}
        with connection.cursor() as cursor:
            cursor.execute(COUNT_ANSWERS, values)
            cursor.execute(COUNTED, values)
    return len(found)
