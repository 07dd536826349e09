"""A published standard keeps who wrote and approved it; comments and reports of phases are kept as they are."""

from django.db import migrations

GUARDS = """
DROP TRIGGER releases_standard_kept ON releases_standardversion;
CREATE TRIGGER releases_standard_kept BEFORE DELETE OR UPDATE OF
        number, title, body, sha256, published_at, line, system, base, weakens, author_id, approver_id,
        platform_approver_id
    ON releases_standardversion FOR EACH ROW EXECUTE FUNCTION releases_refuse_change();
CREATE TRIGGER releases_comment_kept BEFORE UPDATE OR DELETE ON releases_comment
    FOR EACH ROW EXECUTE FUNCTION releases_refuse_change();
CREATE TRIGGER releases_phasereport_kept BEFORE UPDATE OR DELETE ON releases_phasereport
    FOR EACH ROW EXECUTE FUNCTION releases_refuse_change();
"""

REMOVE = """
DROP TRIGGER releases_comment_kept ON releases_comment;
DROP TRIGGER releases_phasereport_kept ON releases_phasereport;
DROP TRIGGER releases_standard_kept ON releases_standardversion;
CREATE TRIGGER releases_standard_kept BEFORE DELETE OR UPDATE OF number, title, body, sha256, published_at
    ON releases_standardversion FOR EACH ROW EXECUTE FUNCTION releases_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("releases", "0004_standards_and_carrying")]

    operations = [migrations.RunSQL(GUARDS, REMOVE)]
