"""What an approval said of compatibility, and what consumers were told, stays as it was said."""

from django.db import migrations

GUARDS = """
CREATE FUNCTION systems_guard_compatibility() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state IN ('approved', 'deprecated', 'retired') AND
       (NEW.breaks, NEW.breaks_against, NEW.compatibility_note, NEW.window_days)
           IS DISTINCT FROM (OLD.breaks, OLD.breaks_against, OLD.compatibility_note, OLD.window_days) THEN
        RAISE EXCEPTION 'What was approved of compatibility never changes.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.deprecated_until IS NOT NULL AND NEW.deprecated_until IS DISTINCT FROM OLD.deprecated_until THEN
        RAISE EXCEPTION 'A deprecation window is promised once.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER systems_guard_compatibility BEFORE UPDATE ON systems_version
    FOR EACH ROW EXECUTE FUNCTION systems_guard_compatibility();

CREATE FUNCTION systems_guard_announcement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.version_id, NEW.consumer_id, NEW.announced_at) IS DISTINCT FROM
       (OLD.version_id, OLD.consumer_id, OLD.announced_at) OR OLD.acknowledged_at IS NOT NULL THEN
        RAISE EXCEPTION 'An announcement is acknowledged once, and not changed.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER systems_guard BEFORE UPDATE ON systems_announcement
    FOR EACH ROW EXECUTE FUNCTION systems_guard_announcement();
"""

REMOVE = """
DROP TRIGGER systems_guard_compatibility ON systems_version;
DROP TRIGGER systems_guard ON systems_announcement;
DROP FUNCTION systems_guard_compatibility, systems_guard_announcement;
"""


class Migration(migrations.Migration):
    dependencies = [("systems", "0003_compatibility_and_consumers")]

    operations = [migrations.RunSQL(GUARDS, REMOVE)]
