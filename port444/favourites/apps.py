from django.apps import AppConfig


class FavouritesConfig(AppConfig):
    name = "port444.favourites"
