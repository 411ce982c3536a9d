from django.urls import path

from . import views

app_name = "consultations"

urlpatterns = [
    path("b/<slug:slug>/call/", views.book, name="book"),
    path("b/<slug:slug>/call/times/", views.times, name="times"),
    path("b/<slug:slug>/call/quote/", views.quote, name="quote"),
    path("b/<slug:slug>/call/hold/", views.hold, name="hold"),
    path("calls/", views.call_list, name="list"),
    path("calls/availability/", views.availability, name="availability"),
    path("calls/calendars/", views.calendars, name="calendars"),
    path("calls/calendars/why/", views.why, name="why"),
    path("calls/calendars/choose/", views.choose_calendars, name="choose_calendars"),
    path("calls/calendars/connect/<slug:provider>/", views.connect_calendar, name="connect_calendar"),
    path("calls/calendars/callback/<slug:provider>/", views.calendar_callback, name="calendar_callback"),
    path("calls/calendars/copies/<uuid:copy_id>/retry/", views.retry_copy, name="retry_copy"),
    path("calls/calendars/<uuid:link_id>/disconnect/", views.disconnect_calendar, name="disconnect_calendar"),
    path("calls/calendars/<uuid:link_id>/read/", views.read_calendars, name="read_calendars"),
    path("calls/feed/", views.feed, name="feed"),
    path("calls/feed/renew/", views.renew_feed, name="renew_feed"),
    path("calls/feed/<str:token>.ics", views.feed_file, name="feed_file"),
    path("calls/<uuid:call_id>/", views.detail, name="detail"),
    path("calls/<uuid:call_id>/join/", views.join, name="join"),
    path("calls/<uuid:call_id>/join/room/", views.room_state, name="room"),
    path("calls/<uuid:call_id>/call.ics", views.ics, name="ics"),
    path("calls/<uuid:call_id>/complete/", views.complete, name="complete"),
    path("calls/<uuid:call_id>/cancel/", views.cancel, name="cancel"),
    path("calls/<uuid:call_id>/convert/", views.convert, name="convert"),
    path("calls/<uuid:call_id>/absence/report/", views.report_absence, name="report_absence"),
    path("calls/<uuid:call_id>/absence/admit/", views.admit_absence, name="admit_absence"),
    path("calls/<uuid:call_id>/absence/dispute/", views.dispute_absence, name="dispute_absence"),
    path("calls/<uuid:call_id>/absence/dismiss/", views.dismiss_absence, name="dismiss_absence"),
    path("calls/<uuid:call_id>/move/", views.move, name="move"),
    path("calls/proposals/<uuid:proposal_id>/accept/", views.accept, name="accept"),
    path("calls/proposals/<uuid:proposal_id>/decline/", views.decline, name="decline"),
    path("calls/proposals/<uuid:proposal_id>/withdraw/", views.withdraw, name="withdraw"),
    path("hooks/google/<uuid:channel_id>/", views.google_hook, name="google_hook"),
    path("hooks/graph/<uuid:channel_id>/", views.graph_hook, name="graph_hook"),
    path("hooks/zoom/", views.zoom_hook, name="zoom_hook"),
    path("hooks/calcom/<uuid:link_id>/", views.calcom_hook, name="calcom_hook"),
]
