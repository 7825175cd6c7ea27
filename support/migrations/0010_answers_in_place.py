from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("support", "0009_report_told")]

    operations = [
        migrations.RemoveIndex("reportedcard", "reported_pending"),
        migrations.AddIndex("reportedcard", models.Index(fields=["report", "id"], name="reported_in_turn")),
        # Each row is written twice: reported, and answered.
        migrations.RunSQL(
            "ALTER TABLE support_reportedcard SET (fillfactor = 45)",
            "ALTER TABLE support_reportedcard RESET (fillfactor)",
        ),
    ]
