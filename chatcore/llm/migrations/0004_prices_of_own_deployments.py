"""Deployments of workspaces' own models at providers of all workspaces name no prices: the shared models' count."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("llm", "0003_deployment_vanished_at")]
    operations = [
        migrations.RunSQL(
            """
            update llm_deployment set prices = null from llm_model, llm_provider
            where llm_model.id = model_id and llm_model.workspace_id is not null
                and llm_provider.id = provider_id and llm_provider.workspace_id is null
            """,
            migrations.RunSQL.noop,
        ),
        migrations.RunSQL("update llm_deployment set prices = null where prices = '{}'", migrations.RunSQL.noop),
        migrations.RunSQL("update llm_model set prices = null where prices = '{}'", migrations.RunSQL.noop),
    ]
