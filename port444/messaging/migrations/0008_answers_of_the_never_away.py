"""Whoever was never away has no time away: least and greatest pass over what is unknown, so that the whole wait counted as away."""

from django.db import migrations

AWAY = """CASE WHEN b.away_from IS NULL THEN interval '0'
  ELSE greatest(least({until}, b.away_until) - greatest(f.asked_at, b.away_from), interval '0') END"""
NOTE = """
CREATE OR REPLACE FUNCTION messaging_note_answer() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  talk messaging_conversation;
BEGIN
  SELECT * INTO talk FROM messaging_conversation WHERE id = NEW.conversation_id;
  IF NEW.author_id = talk.client_id THEN
    INSERT INTO messaging_firstanswer (conversation_id, builder_id, asked_at)
    SELECT talk.id, b.id, NEW.created_at FROM builders_builder b WHERE b.user_id = talk.builder_id AND NOT EXISTS (
      SELECT FROM messaging_message m WHERE m.conversation_id = talk.id AND m.kind = 'text' AND m.id <> NEW.id)
    ON CONFLICT DO NOTHING;
  ELSE
    UPDATE messaging_firstanswer f SET answered_at = NEW.created_at, due_at = NEW.created_at, minutes = floor(extract(epoch FROM
             NEW.created_at - f.asked_at - {away}) / 60)
      FROM builders_builder b WHERE f.conversation_id = talk.id AND f.answered_at IS NULL AND b.id = f.builder_id;
  END IF;
  RETURN NULL;
END $$;
""".replace("{away}", AWAY.format(until="NEW.created_at"))
# What was noted wrongly is noted anew, and counted by the next sweep.
AGAIN = """
UPDATE messaging_firstanswer f SET minutes = floor(extract(epoch FROM f.answered_at - f.asked_at) / 60), due_at = f.answered_at
  FROM builders_builder b WHERE b.id = f.builder_id AND b.away_from IS NULL AND f.answered_at IS NOT NULL AND f.due_at IS NOT NULL;
"""


class Migration(migrations.Migration):
    dependencies = [("messaging", "0007_note_first_answers")]
    operations = [migrations.RunSQL(NOTE + AGAIN, migrations.RunSQL.noop)]
