"""What detectors remember is written quickly: as text that nothing asks into, with room for the next version of a row beside it."""

from django.db import migrations

import auditlog.models.detection

ROOM = "ALTER TABLE detector_memory SET (fillfactor = 75, toast_tuple_target = 8160)"


class Migration(migrations.Migration):
    dependencies = [("auditlog", "0025_second_person")]

    operations = [
        migrations.AlterField(model_name="detectormemory", name="data", field=auditlog.models.detection.JsonText()),
        migrations.RunSQL(ROOM, "ALTER TABLE detector_memory RESET (fillfactor, toast_tuple_target)"),
    ]
