"""What is searched: title over tags and summary over description, and the builder's headline is left out on purpose."""

from django.db import migrations

TRIGGER = """
CREATE FUNCTION service_search_vector() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.search := setweight(to_tsvector('english', NEW.title), 'A')
    || setweight(to_tsvector('english', array_to_string(NEW.tags, ' ') || ' ' || NEW.summary), 'B')
    || setweight(to_tsvector('english', NEW.description), 'D');
  RETURN NEW;
END $$;
CREATE TRIGGER search_vector BEFORE INSERT OR UPDATE OF title, summary, description, tags ON catalog_service
  FOR EACH ROW EXECUTE FUNCTION service_search_vector();
"""


class Migration(migrations.Migration):
    dependencies = [("catalog", "0001_initial")]
    operations = [migrations.RunSQL(TRIGGER, "DROP TRIGGER search_vector ON catalog_service; DROP FUNCTION service_search_vector;")]
