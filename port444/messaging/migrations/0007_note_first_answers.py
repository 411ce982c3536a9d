"""Who notes how soon a builder answered: the messages themselves, whoever writes them."""

from django.db import migrations

NOTE = """
CREATE FUNCTION messaging_note_answer() RETURNS trigger LANGUAGE plpgsql AS $$
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
             NEW.created_at - f.asked_at
             - greatest(least(NEW.created_at, b.away_until) - greatest(f.asked_at, b.away_from), interval '0')) / 60)
      FROM builders_builder b WHERE f.conversation_id = talk.id AND f.answered_at IS NULL AND b.id = f.builder_id;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER note_answer AFTER INSERT ON messaging_message FOR EACH ROW WHEN (NEW.kind = 'text') EXECUTE FUNCTION messaging_note_answer();
"""


class Migration(migrations.Migration):
    dependencies = [("messaging", "0006_first_answers"), ("builders", "0004_answers")]
    operations = [migrations.RunSQL(NOTE, "DROP TRIGGER note_answer ON messaging_message; DROP FUNCTION messaging_note_answer;")]
