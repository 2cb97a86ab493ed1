"""What Postgres alone makes of the intake's statements: pgbench, on the same database, with as many clients.

One transaction is one message with its queued reply: nine statements, each a round trip, in the tables of the product.
"""

import os
import re
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from chatcore import embedded
from chatcore.embedded.places import binary
from tests.running import Chatcore
from tests.servers import data_folder

CLIENTS, SECONDS = 32, 10

PREPARE = """
create table bench_place as
select row_number() over () - 1 as client, c.id as conversation, c.workspace_id, c.owner_id, t.integration_id
from conversations_conversation c join external_thread t on t.conversation_id = c.id;
create index on bench_place (client);
"""

SCRIPT = """
begin;
select p.conversation, p.workspace_id, p.owner_id, p.integration_id, uuidv7() as message, uuidv7() as reply
from bench_place p join conversations_conversation c on c.id = p.conversation
where p.client = :client_id for no key update of c \\gset
insert into conversations_message (id, workspace_id, conversation_id, author, user_id, integration_id, text, reasoning,
    status, created_at, model_name, model_label, params, attempt, restarts, finish_reason, route)
values (':message', ':workspace_id', ':conversation', 'integration', ':owner_id', ':integration_id',
    'Disk 93 % full on db-3', '', 'done', now(), '', '', '{}', 0, 0, '', '[]');
insert into conversations_message (id, workspace_id, conversation_id, parent_id, author, user_id, integration_id, text,
    reasoning, status, created_at, model_name, model_label, params, attempt, restarts, finish_reason, route)
values (':reply', ':workspace_id', ':conversation', ':message', 'assistant', ':owner_id', ':integration_id',
    '', '', 'queued', now(), 'echo', 'Echo', '{}', 0, 0, '', '[]');
insert into realtime_event (workspace_id, conversation_id, type, version, actor, audience, payload)
values (':workspace_id', ':conversation', 'message.created', 1, 'integration', array[':owner_id'::uuid],
    '{"text": "Disk 93 % full on db-3"}'),
    (':workspace_id', ':conversation', 'reply.queued', 1, 'integration', array[':owner_id'::uuid], '{}');
insert into procrastinate_jobs (queue_name, task_name, args)
values ('replies', 'conversations.answer', '{"reply_id": ":reply"}');
update conversations_conversation set active_leaf_id = ':reply', last_message_at = now() where id = ':conversation';
update conversations_member set unread = unread + 1, last_message_at = now() where conversation_id = ':conversation';
insert into external_intakemessage (message_id, integration_id, source, strategy, external_id, thread, hops, metadata,
    accepted_at)
values (':message', ':integration_id', 'api', 'mapped', ':message', '', 0, '{}', now());
end;
"""


def transactions_per_second(chatcore: Chatcore) -> float:
    """With the conversations that threads have opened there; at least as many as clients."""
    with chatcore.connect() as connection:
        connection.execute(PREPARE)
    where = embedded.connection_settings(data_folder())
    with TemporaryDirectory() as folder:
        script = Path(folder) / "intake.sql"
        script.write_text(SCRIPT)
        done = subprocess.run(
            [
                *(str(binary("pgbench")), "--no-vacuum", "--file", str(script)),
                *("--client", str(CLIENTS), "--jobs", "2", "--time", str(SECONDS)),
                *("--host", str(where["HOST"]), "--username", str(where["USER"]), chatcore.database),
            ],
            env=os.environ | {"PGCLIENTENCODING": "UTF8"},
            capture_output=True,
            text=True,
            check=False,
        )
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    assert found, done.stderr
    return float(found[1])
