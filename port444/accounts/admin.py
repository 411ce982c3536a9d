from __future__ import annotations

from django.contrib import admin

from port444.kit.console import ReadOnlyAdmin

from .models import QueuedMail, User, UserDevice


@admin.register(User)
class UserAdmin(ReadOnlyAdmin):
    """People. Closing and opening an account are plans of the console."""

    about = "pk"

    list_display = ("email", "name", "is_client", "is_builder", "is_staff", "suspended_at", "created_at")
    list_filter = ("is_builder", "is_staff", ("suspended_at", admin.EmptyFieldListFilter))
    search_fields = ("id", "email__istartswith", "name__istartswith")
    search_help_text = "The whole id, or how the e-mail or the name begins."
    ordering = ("-id",)
    fields = (
        ("email", "name"),
        ("is_client", "is_builder", "is_staff", "is_active"),
        ("time_zone", "language", "phone", "theme"),
        ("suspended_at", "suspension_reason"),
        ("created_at", "last_login", "id"),
    )
    change_form_template = "accounts/admin/user.html"


@admin.register(UserDevice)
class UserDeviceAdmin(ReadOnlyAdmin):
    """Which browsers a person has used, and who else has used one."""

    about = "user_id"

    list_display = ("user", "device_id", "ip_address", "user_agent", "first_seen_at", "last_seen_at")
    list_select_related = ("user",)
    search_fields = ("device_id", "user__email__iexact")
    search_help_text = "A whole device id or e-mail. What was done from an address is found in the audit log."
    ordering = ("-id",)


@admin.register(QueuedMail)
class QueuedMailAdmin(ReadOnlyAdmin):
    """Whether a mail about an account went out. Its words are not shown: a link in them opens the account."""

    list_display = ("subject", "to", "created_at", "sent_at")
    list_filter = (("sent_at", admin.EmptyFieldListFilter),)
    search_fields = ("to__iexact",)
    search_help_text = "A whole e-mail address."
    ordering = ("-id",)
    fields = ("subject", "to", ("created_at", "claimed_at", "sent_at"), "id")
