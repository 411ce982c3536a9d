"""What the row witness keeps of these tables; the models say the same as `audited`."""

from django.db import migrations

from auditlog.witness import watch


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_sessions_and_mail"),
        ("auditlog", "0008_row_witness"),
        ("account", "0009_emailaddress_unique_primary_email"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("mfa", "0003_authenticator_type_uniq"),
    ]
    operations = [
        watch(
            "accounts_user",
            "user",
            "security",
            kept="is_superuser is_client is_builder is_staff is_active time_zone language suspended_at suspension_reason created_at",
            personal="email name phone",
            hidden="password",
        ),
        watch(
            "account_emailaddress",
            "emailaddress",
            "security",
            kept="user_id verified primary",
            personal="email",
        ),
        watch(
            "accounts_user_groups",
            "user_groups",
            "security",
            kept="user_id group_id",
        ),
        watch(
            "accounts_user_user_permissions",
            "user_user_permissions",
            "security",
            kept="user_id permission_id",
        ),
        watch(
            "auth_group",
            "group",
            "security",
            kept="name",
        ),
        watch(
            "auth_group_permissions",
            "group_permissions",
            "security",
            kept="group_id permission_id",
        ),
        watch(
            "mfa_authenticator",
            "authenticator",
            "security",
            kept="user_id type",
            hidden="data",
        ),
    ]
