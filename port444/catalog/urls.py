from __future__ import annotations

from django.urls import path

from . import views

app_name = "catalog"
urlpatterns = [
    path("", views.search, name="search"),
    path("suggest/", views.suggestions, name="suggestions"),
    path("c/", views.categories, name="categories"),
    path("c/<slug:slug>/", views.category, name="category"),
    path("saved/searches/", views.saved_searches, name="saved_searches"),
    path("saved/searches/new/", views.save_search, name="save_search"),
    path("saved/searches/<uuid:pk>/", views.change_search, name="change_search"),
    path("saved/searches/<uuid:pk>/look/", views.look_at_search, name="look_at_search"),
    path("saved/searches/<uuid:pk>/remove/", views.remove_search, name="remove_search"),
    path("s/<slug:slug>/", views.service, name="service"),
    path("s/<slug:slug>/cover.svg", views.cover, name="cover"),
    path("s/<slug:slug>/card.jpg", views.card, name="card"),
    path("services/", views.mine, name="mine"),
    path("services/new/", views.create, name="create"),
    path("services/new/hints/", views.hints, name="new_hints"),
    path("services/<uuid:pk>/hints/", views.hints, name="hints"),
    path("services/<uuid:pk>/", views.edit, name="edit"),
    path("services/<uuid:pk>/publish/", views.publish, name="publish"),
    path("services/<uuid:pk>/pause/", views.pause, name="pause"),
]
