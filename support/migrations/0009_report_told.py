from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("support", "0008_retailers")]

    operations = [
        migrations.AddField(
            model_name="compromisereport",
            name="told",
            field=models.CharField(blank=True, editable=False, max_length=250),
        ),
    ]
