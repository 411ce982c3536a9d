"""The categories that the market opens with."""

from django.db import migrations

CATEGORIES = (
    ("web-development", "Web development", "globe"),
    ("mobile-apps", "Mobile apps", "smartphone"),
    ("data-and-machine-learning", "Data and machine learning", "chart-column"),
    ("smart-contracts", "Smart contracts", "link"),
    ("design", "Design", "palette"),
    ("video-and-animation", "Video and animation", "video"),
    ("writing", "Writing", "scroll-text"),
    ("translation", "Translation", "languages"),
    ("marketing-and-seo", "Marketing and SEO", "megaphone"),
    ("devops-and-cloud", "DevOps and cloud", "network"),
    ("audio-and-music", "Audio and music", "volume-2"),
    ("business-and-legal", "Business and legal", "scale"),
)


def open_market(apps, schema_editor):
    category = apps.get_model("catalog", "Category")
    for position, (slug, name, icon) in enumerate(CATEGORIES):
        category.objects.get_or_create(slug=slug, defaults={"name": name, "icon": icon, "position": position})


class Migration(migrations.Migration):
    dependencies = [("catalog", "0003_version_and_orders_of_search")]
    operations = [migrations.RunPython(open_market, migrations.RunPython.noop)]
