"""Jobs are announced after the commit (chatcore.jobs): a trigger that notifies inside it serialises all commits."""

from django.db import migrations

DROP = "drop trigger if exists procrastinate_jobs_notify_queue_job_inserted_v1 on procrastinate_jobs"
CREATE = """
create trigger procrastinate_jobs_notify_queue_job_inserted_v1
    after insert on procrastinate_jobs
    for each row when (new.status = 'todo'::procrastinate_job_status)
    execute procedure procrastinate_notify_queue_job_inserted_v1()
"""


class Migration(migrations.Migration):
    dependencies = [("procrastinate", "0041_post_retry_failed_job")]

    operations = [migrations.RunSQL(DROP, CREATE)]
