from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "port444.notifications"
