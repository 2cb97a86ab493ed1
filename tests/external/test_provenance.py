"""Where messages came from: how a repetition is found."""

import pytest
from django.db import connection

from chatcore.accounts.models import Integration
from external import provenance
from tests.factories import make_principal

pytestmark = pytest.mark.django_db

MANY = """
insert into external_intakemessage
    (message_id, integration_id, source, strategy, external_id, thread, hops, metadata, accepted_at)
select gen_random_uuid(), %s, 'api', 'mapped', 'alert-' || n, '', 0, '{}', now() from generate_series(1, 2000) n
"""


def test_a_repetition_is_found_by_its_index_however_young_the_statistics_are() -> None:
    owner = make_principal()
    integration = Integration.objects.create(workspace=owner.workspace, name="Alerts", acts_as=owner.user)
    asked = {"integration": integration.id, "external_ids": ["alert-7", "alert-70000"]}
    with connection.cursor() as sql:
        sql.execute("set local session_replication_role = replica")  # of messages that are not there
        sql.execute(MANY, [integration.id])
        sql.execute("set local session_replication_role = origin")
        sql.execute(f"explain {provenance._TAKEN}", asked)
        plan = "\n".join(line for (line,) in sql.fetchall())
        assert "using intake_external_id on external_intakemessage" in plan, plan
        sql.execute(provenance._TAKEN, asked)
        assert sql.fetchall() == [("alert-7",)]
