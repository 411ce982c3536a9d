"""What keeps the rows that search reads: functions and triggers, and the rows of services that are for sale already.

A listing is written with its service, its builder's languages, calls and absence, and the person's name and standing, in the same
transaction. What only moves its place (orders, stars) is noted without waiting: a row that somebody else holds is left to the sweep, so
that no order ever waits, or stands in a circle, for the search. A migration that renames a category calls `catalog_list` for its services.
"""

from django.db import migrations

from auditlog.witness import watch

QUALITY = """
-- From 400 to 1000: a service without anything to its credit is found still, below the others. docs/finding.md says it in words.
CREATE FUNCTION catalog_quality(
  stars bigint, reviews bigint, own_stars bigint, own_reviews bigint, orders bigint, completed bigint, answer_minutes int,
  published_at timestamptz, moment timestamptz
) RETURNS int LANGUAGE sql IMMUTABLE AS $$
  SELECT round(400 + 600 * least(1,
      0.40 * greatest(0, least(1, ((own_stars + 5 * (stars + 5 * 4.3) / (reviews + 5)) / (own_reviews + 5) - 3) / 2))
    + 0.15 * least(1, ln(1 + completed) / ln(101.0))
    + 0.15 * least(1, ln(1 + orders) / ln(101.0))
    + 0.15 * coalesce(greatest(0, least(1, 1 - ln(greatest(answer_minutes, 30) / 30.0) / ln(48.0))), 0.5)
    + (CASE WHEN completed < 5 THEN 0.30 ELSE 0.15 END) * greatest(0, 1 - extract(epoch FROM moment - published_at) / (60 * 86400))
  ))::int
$$;
"""

LIST = """
CREATE FUNCTION catalog_level(completed bigint, stars bigint, reviews bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN completed >= 50 AND reviews > 0 AND 10 * stars >= 47 * reviews THEN 'top' WHEN completed >= 5 THEN 'established' ELSE 'new' END
$$;

CREATE FUNCTION catalog_terms(words text) RETURNS SETOF text LANGUAGE sql IMMUTABLE AS $$
  SELECT DISTINCT word FROM regexp_split_to_table(lower(words), '[^[:alnum:]]+') word WHERE length(word) BETWEEN 3 AND 30 AND word ~ '[[:alpha:]]'
$$;

CREATE FUNCTION catalog_list(wanted uuid[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  moment timestamptz := clock_timestamp();
BEGIN
  DELETE FROM catalog_listing l USING catalog_service s JOIN builders_builder b ON b.id = s.builder_id JOIN accounts_user u ON u.id = b.user_id
   WHERE l.service_id = ANY(wanted) AND s.id = l.service_id AND (s.status <> 'published' OR NOT u.is_active OR u.suspended_at IS NOT NULL);
  INSERT INTO catalog_listing (service_id, builder_id, category_id, section_id, title_words, head_words, all_words, from_price, least_days,
    order_count, rating_tenths, level, languages, takes_calls, away_from, away_until, published_at, quality, due_at)
  SELECT s.id, b.id, c.id, coalesce(c.parent_id, c.id), words.title, words.head,
         words.head || to_tsvector('english', s.summary || ' ' || s.description),
         s.from_price, s.least_days, s.order_count, round(10.0 * s.rating_sum / nullif(s.rating_count, 0)),
         catalog_level(b.completed_count, b.rating_sum, b.rating_count), b.languages, b.consultation_enabled,
         CASE WHEN b.away_stops_orders THEN b.away_from END, CASE WHEN b.away_stops_orders THEN b.away_until END, s.published_at,
         catalog_quality(b.rating_sum, b.rating_count, s.rating_sum, s.rating_count, s.order_count, b.completed_count, b.answer_minutes, s.published_at, moment),
         moment + interval '1 day'
    FROM catalog_service s JOIN builders_builder b ON b.id = s.builder_id JOIN accounts_user u ON u.id = b.user_id
    JOIN catalog_category c ON c.id = s.category_id LEFT JOIN catalog_category p ON p.id = c.parent_id
   CROSS JOIN LATERAL (
     SELECT to_tsvector('english', s.title) || places AS title,
            to_tsvector('english', s.title || ' ' || array_to_string(s.tags, ' ') || ' ' || c.name || ' ' || coalesce(p.name, '') || ' ' || u.name)
              || places AS head
       FROM array_to_tsvector(ARRAY['=' || c.id, '=' || coalesce(c.parent_id, c.id)]) places  -- where a synonym of one category holds
   ) words
   WHERE s.id = ANY(wanted) AND s.status = 'published' AND u.is_active AND u.suspended_at IS NULL
   ORDER BY s.id
  ON CONFLICT (service_id) DO UPDATE SET
    builder_id = excluded.builder_id, category_id = excluded.category_id, section_id = excluded.section_id, title_words = excluded.title_words,
    head_words = excluded.head_words, all_words = excluded.all_words, from_price = excluded.from_price, least_days = excluded.least_days,
    order_count = excluded.order_count, rating_tenths = excluded.rating_tenths, level = excluded.level, languages = excluded.languages,
    takes_calls = excluded.takes_calls, away_from = excluded.away_from, away_until = excluded.away_until, published_at = excluded.published_at,
    quality = excluded.quality, due_at = excluded.due_at;
  INSERT INTO catalog_term (word, seen_at)
  SELECT DISTINCT word, moment
    FROM catalog_service s JOIN builders_builder b ON b.id = s.builder_id JOIN accounts_user u ON u.id = b.user_id
    JOIN catalog_category c ON c.id = s.category_id
   CROSS JOIN LATERAL catalog_terms(s.title || ' ' || array_to_string(s.tags, ' ') || ' ' || c.name || ' ' || u.name) word
   WHERE s.id = ANY(wanted) AND s.status = 'published' AND u.is_active AND u.suspended_at IS NULL
   ORDER BY word  -- in one order, so that two who bring the same new words wait for each other and not across
  ON CONFLICT DO NOTHING;
END $$;
"""

TRIGGERS = """
CREATE FUNCTION catalog_list_service() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM catalog_list(ARRAY[NEW.id]); RETURN NULL; END $$;
CREATE TRIGGER list_new AFTER INSERT ON catalog_service FOR EACH ROW WHEN (NEW.status = 'published') EXECUTE FUNCTION catalog_list_service();
CREATE TRIGGER list_changed AFTER UPDATE OF status, title, summary, description, tags, category_id, from_price, least_days, published_at, builder_id
  ON catalog_service FOR EACH ROW WHEN (NEW.status = 'published' OR OLD.status = 'published') EXECUTE FUNCTION catalog_list_service();

CREATE FUNCTION catalog_note_counts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE catalog_listing SET order_count = NEW.order_count, due_at = clock_timestamp() WHERE service_id = (
    SELECT service_id FROM catalog_listing WHERE service_id = NEW.id FOR NO KEY UPDATE SKIP LOCKED);
  RETURN NULL;
END $$;
CREATE TRIGGER list_counts AFTER UPDATE OF order_count, rating_sum, rating_count ON catalog_service
  FOR EACH ROW WHEN (NEW.status = 'published') EXECUTE FUNCTION catalog_note_counts();

CREATE FUNCTION catalog_list_builder() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE catalog_listing SET languages = NEW.languages, takes_calls = NEW.consultation_enabled,
         away_from = CASE WHEN NEW.away_stops_orders THEN NEW.away_from END, away_until = CASE WHEN NEW.away_stops_orders THEN NEW.away_until END
   WHERE builder_id = NEW.id;
  RETURN NULL;
END $$;
CREATE TRIGGER list_services AFTER UPDATE OF languages, consultation_enabled, away_from, away_until, away_stops_orders ON builders_builder
  FOR EACH ROW EXECUTE FUNCTION catalog_list_builder();

CREATE FUNCTION catalog_list_person() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM catalog_list(ARRAY(SELECT s.id FROM catalog_service s JOIN builders_builder b ON b.id = s.builder_id WHERE b.user_id = NEW.id ORDER BY s.id));
  RETURN NULL;
END $$;
CREATE TRIGGER list_services AFTER UPDATE OF name, is_active, suspended_at ON accounts_user FOR EACH ROW
  WHEN ((NEW.name, NEW.is_active, NEW.suspended_at) IS DISTINCT FROM (OLD.name, OLD.is_active, OLD.suspended_at))
  EXECUTE FUNCTION catalog_list_person();

CREATE FUNCTION catalog_synonym_queries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.word_query := plainto_tsquery('english', NEW.word);
  NEW.means_query := plainto_tsquery('english', NEW.means);
  INSERT INTO catalog_term (word, seen_at) SELECT word, NEW.created_at FROM catalog_terms(NEW.word || ' ' || NEW.means) word ORDER BY word
  ON CONFLICT DO NOTHING;
  RETURN NEW;
END $$;
CREATE TRIGGER synonym_queries BEFORE INSERT OR UPDATE ON catalog_synonym FOR EACH ROW EXECUTE FUNCTION catalog_synonym_queries();

ALTER TABLE catalog_listing ALTER COLUMN title_words SET STATISTICS 300, ALTER COLUMN head_words SET STATISTICS 300, ALTER COLUMN all_words SET STATISTICS 300;
SELECT catalog_list(ARRAY(SELECT id FROM catalog_service WHERE status = 'published'));
"""


class Migration(migrations.Migration):
    dependencies = [("catalog", "0010_finding"), ("builders", "0004_answers"), ("accounts", "0008_answer_code"), ("auditlog", "0008_row_witness")]
    operations = [
        migrations.RunSQL(QUALITY),
        migrations.RunSQL(LIST),
        migrations.RunSQL(TRIGGERS),
        watch("catalog_synonym", "synonym", "administrative", kept="category_id word means created_at"),
    ]
