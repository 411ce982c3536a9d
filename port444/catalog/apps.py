from django.apps import AppConfig


class CatalogConfig(AppConfig):
    name = "port444.catalog"
