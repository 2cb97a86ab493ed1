"""The waiting jobs of replies are found by their reply: a claim takes them along."""

from django.db import migrations

CREATE = """
create index procrastinate_jobs_answers on procrastinate_jobs ((args->>'reply_id'))
    where status = 'todo' and task_name = 'conversations.answer'
"""
DROP = "drop index if exists procrastinate_jobs_answers"


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0008_tool_calls"),
        ("procrastinate", "0041_post_retry_failed_job"),
    ]

    operations = [migrations.RunSQL(CREATE, DROP)]
