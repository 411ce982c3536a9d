"""Addresses of the console's own pages; the stock ones are the admin's."""

from __future__ import annotations

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from . import views
from .panels import PANELS

app_name = "support"


class PanelConverter(StringConverter):
    """The panels that there are; beside them other parts have pages of a person."""

    regex = "|".join(panel.key for panel in PANELS)


register_converter(PanelConverter, "panel")

urlpatterns = [
    path("", views.home, name="home"),
    path("queues/<slug:key>/", views.queue, name="queue"),
    path("search/", views.search, name="search"),
    path("credits/<uuid:credit_id>/", views.credit, name="credit"),
    path("disputes/", views.list_disputes, name="disputes"),
    path("disputes/<int:dispute_number>/", views.dispute, name="dispute"),
    path("disputes/<int:dispute_number>/decide/", views.decide_dispute, name="decide_dispute"),
    path("disputes/<int:dispute_number>/submit/", views.submit_decision, name="submit_decision"),
    path("disputes/<int:dispute_number>/ask/", views.ask_in_dispute, name="ask_in_dispute"),
    path("disputes/<int:dispute_number>/files/<uuid:attachment_id>/", views.dispute_file, name="dispute_file"),
    path("people/<uuid:user_id>/", views.person, name="person"),
    path("people/<uuid:person_id>/incident/", views.open_incident, name="open_incident"),
    path("people/<uuid:user_id>/<panel:panel>/", views.panel, name="panel"),
    path("threads/<uuid:conversation_id>/", views.thread, name="thread"),
    path("threads/<uuid:conversation_id>/open/", views.open_thread, name="open_thread"),
    path("orders/<int:number>/", views.order, name="order"),
    path("incidents/", views.incidents, name="incidents"),
    path("incidents/next/", views.next_incident, name="next_incident"),
    path("incidents/close/", views.close_incidents, name="close_incidents"),
    path("incidents/<int:incident_number>/", views.incident, name="incident"),
    path("incidents/<int:incident_number>/take/", views.take_incident, name="take_incident"),
    path("incidents/<int:incident_number>/hand-over/", views.hand_incident_over, name="hand_incident_over"),
    path("incidents/<int:incident_number>/put-back/", views.put_incident_back, name="put_incident_back"),
    path("incidents/<int:incident_number>/note/", views.note_incident, name="note_incident"),
    path("incidents/<int:incident_number>/check/", views.check_incident, name="check_incident"),
    path("incidents/<int:incident_number>/decide/", views.decide_incident, name="decide_incident"),
    path("incidents/<int:incident_number>/agree/", views.agree_to_close, name="agree_to_close"),
    path("incidents/<int:incident_number>/decline/", views.decline_to_close, name="decline_to_close"),
    path("incidents/<int:incident_number>/reopen/", views.reopen_incident, name="reopen_incident"),
    path("incidents/<int:incident_number>/merge/", views.merge_incident, name="merge_incident"),
    path("suppressions/", views.suppressions, name="suppressions"),
    path("suppressions/<uuid:suppression_id>/end/", views.end_suppression, name="end_suppression"),
    path("detectors/", views.detectors, name="detectors"),
    path("detectors/<slug:detector>/", views.detector, name="detector"),
    path("detectors/<slug:detector>/draft/", views.draft_detector, name="draft_detector"),
    path("detectors/versions/<uuid:version_id>/try/", views.try_detector, name="try_detector"),
    path("detectors/versions/<uuid:version_id>/activate/", views.activate_detector, name="activate_detector"),
    path("words/", views.words, name="words"),
    path("words/<uuid:synonym_id>/remove/", views.remove_word, name="remove_word"),
    path("audit/", views.audit, name="audit"),
    path("audit/export/", views.export_audit, name="export_audit"),
    path("people/<uuid:person_id>/view/", views.view_as, name="view_as"),
    path("viewing/end/", views.end_viewing, name="end_viewing"),
    path("viewings/", views.viewings, name="viewings"),
    path("viewings/<uuid:viewing_id>/", views.viewing, name="viewing"),
    path("viewings/<uuid:viewing_id>/end/", views.revoke_viewing, name="revoke_viewing"),
    path("actions/", views.list_actions, name="actions"),
    path("actions/export/", views.export_actions, name="export_actions"),
    path("plans/", views.list_plans, name="plans"),
    path("plans/new/<str:kind>/", views.draft, name="draft"),
    path("plans/<int:number>/", views.plan, name="plan"),
    path("plans/<int:number>/submit/", views.submit, name="submit_plan"),
    path("plans/<int:number>/approve/", views.approve, name="approve_plan"),
    path("plans/<int:number>/reject/", views.reject, name="reject_plan"),
    path("plans/<int:number>/withdraw/", views.withdraw, name="withdraw_plan"),
]
