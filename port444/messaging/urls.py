from django.urls import path

from . import views

app_name = "messaging"
urlpatterns = [
    path("messages/", views.inbox, name="inbox"),
    path("messages/to/<slug:slug>/", views.start, name="start"),
    path("messages/<uuid:conversation_id>/", views.thread, name="thread"),
    path("messages/<uuid:conversation_id>/new/", views.poll, name="poll"),
    path("messages/<uuid:conversation_id>/read/", views.read, name="read"),
    path("messages/<uuid:conversation_id>/report/", views.report, name="report"),
    path("b/<slug:slug>/report/", views.report_person, name="report_person"),
    path("files/<uuid:attachment_id>/", views.file, name="file"),
    path("files/<uuid:attachment_id>/download/", views.attachment, name="attachment"),
    path("files/<uuid:attachment_id>/picture/", views.picture, name="picture"),
    path("files/<uuid:attachment_id>/small/", views.small, name="small"),
]
