from django.apps import AppConfig


class PagesConfig(AppConfig):
    name = "port444.pages"
