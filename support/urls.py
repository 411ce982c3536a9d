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
    path("disputes/<int:dispute_number>/", views.dispute, name="dispute"),
    path("disputes/<int:dispute_number>/decide/", views.decide_dispute, name="decide_dispute"),
    path("disputes/<int:dispute_number>/submit/", views.submit_decision, name="submit_decision"),
    path("disputes/<int:dispute_number>/ask/", views.ask_in_dispute, name="ask_in_dispute"),
    path("disputes/<int:dispute_number>/files/<uuid:attachment_id>/", views.dispute_file, name="dispute_file"),
    path("people/<uuid:user_id>/", views.person, name="person"),
    path("people/<uuid:user_id>/<panel:panel>/", views.panel, name="panel"),
    path("threads/<uuid:conversation_id>/", views.thread, name="thread"),
    path("threads/<uuid:conversation_id>/open/", views.open_thread, name="open_thread"),
    path("orders/<int:number>/", views.order, name="order"),
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
