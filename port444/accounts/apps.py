from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "port444.accounts"
