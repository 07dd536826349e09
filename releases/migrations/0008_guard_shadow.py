"""A shadow run starts with a decision of its own; steps and shadow are part of the plan that a lock protects."""

from pathlib import Path

from django.db import migrations

BEFORE = Path(__file__).resolve().parent.parent / "sql" / "guards.sql"


def function_before() -> str:
    """The former guard of a release's life, cut out of the file that made it."""
    text = BEFORE.read_text()
    start = text.index("CREATE FUNCTION releases_guard_release()")
    return text[start : text.index("END $$;", start) + len("END $$;")].replace("CREATE", "CREATE OR REPLACE", 1)


STARTS = """        IF NEW.state IN ('canary', 'shadow') AND NOT EXISTS (
            SELECT 1 FROM releases_decision WHERE release_id = NEW.id AND occasion = 'started') THEN
            RAISE EXCEPTION 'A rollout starts with a decision.' USING ERRCODE = 'check_violation';
        END IF;
"""
STARTS_NOW = """        IF NEW.state IN ('canary', 'shadow') AND NOT EXISTS (
            SELECT 1 FROM releases_decision WHERE release_id = NEW.id
                AND occasion = CASE WHEN NEW.state = 'canary' THEN 'started' ELSE 'shadow' END) THEN
            RAISE EXCEPTION 'A rollout starts with a decision.' USING ERRCODE = 'check_violation';
        END IF;
"""
PLAN = """
DROP TRIGGER releases_plan_locked ON releases_rollout;
CREATE TRIGGER releases_plan_locked BEFORE INSERT OR DELETE OR UPDATE OF strategy, share, hours, {more}
        error_rate_max, p95_ms_max, source_id ON releases_rollout
    FOR EACH ROW EXECUTE FUNCTION releases_guard_part();
"""
KEPT = """
CREATE FUNCTION releases_guard_shadow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.state <> 'running' THEN
        RAISE EXCEPTION 'A shadow run that ended is kept as it is.' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER releases_shadow_kept BEFORE UPDATE OR DELETE ON releases_shadowrun
    FOR EACH ROW EXECUTE FUNCTION releases_guard_shadow();
"""


def guard() -> str:
    function = function_before()
    assert STARTS in function
    return function.replace(STARTS, STARTS_NOW) + PLAN.format(more="steps, shadow_source_id, shadow_hours,") + KEPT


def unguard() -> str:
    removed = "DROP TRIGGER releases_shadow_kept ON releases_shadowrun; DROP FUNCTION releases_guard_shadow();"
    return removed + function_before() + PLAN.format(more="")


class Migration(migrations.Migration):
    dependencies = [("releases", "0007_shadow_steps_instructions")]

    operations = [migrations.RunSQL(guard(), unguard())]
