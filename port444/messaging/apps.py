from django.apps import AppConfig


class MessagingConfig(AppConfig):
    name = "port444.messaging"
