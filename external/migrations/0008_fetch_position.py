from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('external', '0007_completions'),
    ]

    operations = [
        migrations.AddField(
            model_name='fetch',
            name='position',
            field=models.PositiveSmallIntegerField(default=0, help_text="Its place among its message's files."),
        ),
    ]
