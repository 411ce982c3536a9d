"""When an account was opened lies by itself, as it is asked of everybody with whom somebody dealt."""

from django.db import migrations

FILL = """
INSERT INTO detector_memory (key, data, seen_at)
SELECT 'opening:' || substr(key, 5), json_build_object('up', data::json -> 'up')::text, seen_at
FROM detector_memory WHERE key LIKE 'who:%' AND data::json -> 'up' IS NOT NULL
"""


class Migration(migrations.Migration):
    dependencies = [("auditlog", "0026_quick_memory")]

    operations = [migrations.RunSQL(FILL, "DELETE FROM detector_memory WHERE key LIKE 'opening:%'")]
