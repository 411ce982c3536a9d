"""What the row witness keeps of these tables; the models say the same as `audited`."""

from django.db import migrations

from auditlog.witness import watch


class Migration(migrations.Migration):
    dependencies = [("catalog", "0007_sales_are_counted"), ("auditlog", "0008_row_witness")]
    operations = [
        watch(
            "catalog_service",
            "service",
            "user_action",
            kept="builder_id category_id title slug summary description tags questions status from_price least_days order_count rating_sum rating_count offer_floor hints_hidden published_at paused_at created_at",
        ),
        watch(
            "catalog_package",
            "package",
            "user_action",
            kept="service_id tier name price delivery_days revisions deliverables is_offered",
            amount="price",
        ),
    ]
