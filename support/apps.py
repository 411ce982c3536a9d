from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class SupportConfig(AppConfig):
    name = "support"
    default = True


class SupportAdminConfig(admin_apps.AdminConfig):
    default = False
    default_site = "support.site.SupportAdminSite"
