from __future__ import annotations

from django.urls import path

from . import views

app_name = "amendments"
urlpatterns = [
    path("orders/<int:number>/changes/", views.list_changes, name="list"),
    path("orders/<int:number>/changes/new/", views.propose, name="propose"),
    path("orders/<int:number>/more-time/", views.more_time, name="more_time"),
    path("orders/<int:number>/changes/extra-revision/", views.extra_revision, name="extra_revision"),
    path("changes/<uuid:amendment_id>/", views.detail, name="detail"),
    path("changes/<uuid:amendment_id>/live/", views.live, name="live"),
    path("changes/<uuid:amendment_id>/revise/", views.revise, name="revise"),
    path("changes/<uuid:amendment_id>/approve/", views.approve, name="approve"),
    path("changes/<uuid:amendment_id>/decline/", views.decline, name="decline"),
    path("changes/<uuid:amendment_id>/ask/", views.ask, name="ask"),
    path("changes/<uuid:amendment_id>/withdraw/", views.withdraw, name="withdraw"),
    path("changes/<uuid:amendment_id>/retry/", views.retry, name="retry"),
    path("changes/<uuid:amendment_id>/money-back/", views.money_back, name="money_back"),
]
