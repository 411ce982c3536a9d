"""When accounts were opened lies by itself, some in each note, as it is asked of everybody with whom somebody dealt."""

from django.db import migrations

FILL = """
INSERT INTO detector_memory (key, data, seen_at)
SELECT 'openings:' || left(md5(person), 3), json_object_agg(person, up)::text, max(seen_at)
FROM (SELECT substr(key, 5) AS person, (data::json ->> 'up')::bigint AS up, seen_at FROM detector_memory WHERE key LIKE 'who:%') AS everybody
WHERE up IS NOT NULL GROUP BY 1
"""


class Migration(migrations.Migration):
    dependencies = [("auditlog", "0026_quick_memory")]

    operations = [migrations.RunSQL(FILL, "DELETE FROM detector_memory WHERE key LIKE 'openings:%'")]
