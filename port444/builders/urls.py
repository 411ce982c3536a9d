from __future__ import annotations

from django.urls import path

from . import views

app_name = "builders"
urlpatterns = [
    path("b/<slug:slug>/", views.detail, name="detail"),
    path("b/<slug:slug>/photo.svg", views.photo, name="photo"),
    path("b/<slug:slug>/card.jpg", views.card, name="card"),
    path("b/<slug:slug>/work/<uuid:pk>.jpg", views.picture, name="picture"),
    path("settings/portfolio/", views.portfolio, name="portfolio"),
    path("settings/portfolio/<uuid:pk>/", views.piece, name="piece"),
    path("settings/portfolio/<uuid:pk>/picture/", views.put_picture, name="put_picture"),
    path("settings/portfolio/<uuid:pk>/move/", views.move_piece, name="move_piece"),
    path("settings/portfolio/<uuid:pk>/remove/", views.remove_piece, name="remove_piece"),
    path("settings/portfolio/pictures/<uuid:pk>/remove/", views.remove_picture, name="remove_picture"),
    path("settings/profile/", views.edit, name="edit"),
    path("settings/profile/photo/", views.put_photo, name="put_photo"),
]
