from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.db.models.signals import post_migrate


class SupportConfig(AppConfig):
    name = "support"
    default = True

    def ready(self) -> None:
        from .roles import make_groups

        post_migrate.connect(make_groups, sender=self)


class SupportAdminConfig(admin_apps.AdminConfig):
    default = False
    default_site = "support.site.SupportAdminSite"
