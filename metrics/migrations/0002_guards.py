from pathlib import Path

from django.db import migrations

SQL = Path(__file__).with_suffix(".sql").read_text()
UNDO = """
DROP TRIGGER metrics_measurement_frozen ON metrics_measurement;
DROP TRIGGER metrics_caseresult_frozen ON metrics_caseresult;
DROP TRIGGER metrics_evaluationrun_frozen ON metrics_evaluationrun;
DROP TRIGGER metrics_window_frozen ON metrics_window;
DROP FUNCTION metrics_refuse_update();
DROP FUNCTION metrics_run_update();
DROP FUNCTION metrics_window_update();
"""


class Migration(migrations.Migration):
    dependencies = [("metrics", "0001_start")]
    operations = [migrations.RunSQL(SQL, UNDO)]
