from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "port444.accounts"

    def ready(self) -> None:
        # Addresses and second factors are changed by allauth itself, which tells of it by signals and has no other hook.
        from allauth.account import signals as account
        from allauth.mfa import signals as mfa

        from port444.kit import metrics

        from . import adapter, queries

        metrics.watch("account mails", queries.readings)
        account.email_added.connect(adapter.on_email_added)
        account.email_confirmed.connect(adapter.on_email_confirmed)
        account.email_removed.connect(adapter.on_email_removed)
        account.email_changed.connect(adapter.on_email_changed)
        mfa.authenticator_added.connect(adapter.on_second_factor_added)
        mfa.authenticator_removed.connect(adapter.on_second_factor_removed)
        mfa.authenticator_reset.connect(adapter.on_second_factor_reset)
        mfa.authenticator_used.connect(adapter.on_second_factor_used)
        mfa.authentication_failed.connect(adapter.on_second_factor_failed)
