"""Bringing a conversation before support."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from auditlog.events import Event
from auditlog.models import AuditLog, DetectionMethod, IncidentLog, IncidentSeverity, IncidentType
from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit.errors import Conflict, NotAllowed
from port444.messaging.actions import report_conversation, report_person
from port444.messaging.models import Conversation, Message, PersonReport, Report, ReportReason
from port444.notifications.models import Notification


def test_a_report_opens_a_case(conversation: Conversation, client_user: User, builder_user: User) -> None:
    report = report_conversation(conversation.pk, actor=client_user, reason=ReportReason.FRAUD, text=" Wants my card number \r\n")
    assert (report.reporter, report.reason, report.text) == (client_user, ReportReason.FRAUD, "Wants my card number")
    incident = IncidentLog.objects.get()
    assert (incident.incident_type, incident.severity) == (IncidentType.FRAUD_ATTEMPT, IncidentSeverity.HIGH)
    assert (incident.user_id, incident.related_users) == (builder_user.pk, [client_user.pk])
    assert incident.detection_method == DetectionMethod.USER_REPORT
    assert incident.evidence["conversation"] == str(conversation.pk)
    assert incident.evidence["text"] == "Wants my card number"
    assert AuditLog.objects.filter(event_type=Event.CONVERSATION_REPORTED.key, target_id=conversation.pk, actor_id=client_user.pk).count() == 1
    assert not Message.objects.exists(), "the other side is not told"
    assert not Notification.objects.exists()


def test_once_for_each_side(conversation: Conversation, client_user: User, builder_user: User) -> None:
    first = report_conversation(conversation.pk, actor=client_user, reason=ReportReason.SPAM)
    assert report_conversation(conversation.pk, actor=client_user, reason=ReportReason.SPAM) == first, "pressed twice"
    with pytest.raises(Conflict):
        report_conversation(conversation.pk, actor=client_user, reason=ReportReason.ABUSE)
    report_conversation(conversation.pk, actor=builder_user, reason=ReportReason.ABUSE)
    assert Report.objects.count() == 2
    assert IncidentLog.objects.count() == 2


def test_others_report_nothing(conversation: Conversation, stranger: User, client: Client) -> None:
    with pytest.raises(NotAllowed):
        report_conversation(conversation.pk, actor=stranger, reason=ReportReason.SPAM)
    client.force_login(stranger)
    address = reverse("messaging:report", args=[conversation.pk])
    assert client.get(address).status_code == 404
    assert client.post(address, {"reason": "spam"}).status_code == 404
    assert not Report.objects.exists()
    assert not IncidentLog.objects.exists()


def test_the_page(conversation: Conversation, client: Client, client_user: User, django_assert_num_queries: Any) -> None:
    client.force_login(client_user)
    address = reverse("messaging:report", args=[conversation.pk])
    assert address in client.get(conversation.get_absolute_url()).content.decode()
    with django_assert_num_queries(6):
        page = client.get(address).content.decode()
    assert "Anaya is not told" in page
    wrong = client.post(address, {"reason": "boredom", "text": "x" * 1001})
    assert wrong.status_code == 422
    assert "at most 1000 characters" in wrong.content.decode()
    assert not Report.objects.exists()
    done = client.post(address, {"reason": "off_platform", "text": ""}, follow=True)
    assert "Support looks at it" in done.content.decode()
    assert "You reported it on" in client.get(address).content.decode()
    assert client.post(address, {"reason": "spam", "text": ""}).status_code == 409
    assert Report.objects.get().reason == ReportReason.OFF_PLATFORM


def test_the_word_of_several_about_a_builder_is_one_case_that_gets_surer(builder: Builder, client_user: User, stranger: User) -> None:
    first = report_person(builder.user_id, actor=client_user, reason=ReportReason.OFF_PLATFORM, text="Asked for a bank transfer")
    assert report_person(builder.user_id, actor=client_user, reason=ReportReason.OFF_PLATFORM, text="Asked for a bank transfer") == first
    with pytest.raises(Conflict):
        report_person(builder.user_id, actor=client_user, reason=ReportReason.SPAM)
    report_person(builder.user_id, actor=stranger, reason=ReportReason.FRAUD)
    incident = IncidentLog.objects.get()
    assert (incident.user_id, incident.related_users, incident.hits, incident.confidence) == (builder.user_id, [], 2, 60)
    assert (incident.severity, incident.incident_type) == (IncidentSeverity.HIGH, IncidentType.FRAUD_ATTEMPT)
    assert sum(reason["points"] for reason in incident.reasons) == 60
    assert AuditLog.objects.filter(event_type=Event.PERSON_REPORTED.key, target_id=builder.user_id).count() == 2
    assert not Notification.objects.filter(user=builder.user).exists(), "the builder is not told"


def test_nobody_reports_themselves_or_everybody(builder: Builder, client_user: User, make_user: Callable[..., User], settings: Any) -> None:
    with pytest.raises(NotAllowed):
        report_person(builder.user_id, actor=builder.user, reason=ReportReason.SPAM)
    for number in range(10):
        report_person(make_user(f"Seller{number} Someone").pk, actor=client_user, reason=ReportReason.SPAM)
    with pytest.raises(Conflict) as refused:
        report_person(builder.user_id, actor=client_user, reason=ReportReason.SPAM)
    assert refused.value.code == "too_many_reports"
    assert PersonReport.objects.count() == IncidentLog.objects.count() == 10


def test_the_page_of_a_builder_leads_to_the_report(builder: Builder, client: Client, client_user: User) -> None:
    client.force_login(client_user)
    address = reverse("messaging:report_person", args=[builder.slug])
    assert address in client.get(builder.get_absolute_url()).content.decode()
    assert "Report Anaya" in client.get(address).content.decode()
    assert client.post(address, {"reason": "boredom"}).status_code == 422
    assert not PersonReport.objects.exists()
    assert "Support looks at it" in client.post(address, {"reason": "abuse", "text": "Insulted me"}, follow=True).content.decode()
    assert "You reported Anaya on" in client.get(address).content.decode()
    client.force_login(builder.user)
    assert client.get(address).status_code == 404
