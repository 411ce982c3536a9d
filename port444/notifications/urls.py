from django.conf import settings
from django.urls import path

from . import views

app_name = "notifications"
urlpatterns = [
    path("notifications/", views.listing, name="list"),
    path("notifications/read/", views.read_all, name="read_all"),
    path("notifications/bell/", views.bell, name="bell"),
    path("notifications/<uuid:notification_id>/read/", views.read, name="read"),
    path("notifications/stop/<str:token>/", views.unsubscribe, name="unsubscribe"),
    path("hooks/sms/twilio/", views.sms_reply, name="sms_reply"),
    path("settings/notifications/", views.preferences, name="settings"),
]
if settings.DEVELOPMENT:
    urlpatterns += [
        path("dev/outbox/", views.outbox, name="outbox"),
        path("dev/outbox/<slug:name>/", views.captured, name="captured"),
        path("dev/outbox/<slug:name>/html/", views.captured_html, name="captured_html"),
        path("dev/outbox/<slug:name>/<int:part>/", views.captured_part, name="captured_part"),
    ]
