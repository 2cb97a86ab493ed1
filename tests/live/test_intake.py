"""Messages from outside, on a running installation: the three ways to be answered, floods, and processes that die."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.running import Chatcore
from tests.until import until

PATH = "/api/v1/intake/messages"
FLOOD, ASKERS = 32, 16


def body(external_id: str, **fields: Any) -> dict[str, Any]:
    return {"content": "Disk 93 % full", "external_id": external_id, "respond": {"model": "echo"}} | fields


def test_whoever_waits_gets_the_whole_reply(chatcore: Chatcore) -> None:
    with chatcore.client(Prefer="wait=25") as http:
        answer, again = (http.post(PATH, json=body("waited")) for _ in range(2))
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (200, "wait=25")
    reply = answer.json()["reply"]
    assert reply["status"] == "done"
    assert reply["text"].startswith("You said: ")
    assert (again.json()["duplicate"], again.json()["reply"]["id"]) == (True, reply["id"])
    with chatcore.client() as http:
        told = http.get(answer.json()["status_url"]).json()
    assert told["reply"]["text"] == reply["text"]


def test_whoever_listens_hears_it_accepted_and_answered(chatcore: Chatcore) -> None:
    with (
        chatcore.client(Accept="text/event-stream") as http,
        http.stream("POST", PATH, json=body("heard")) as said,
    ):
        frames = [json.loads(line[6:]) for line in said.iter_lines() if line.startswith("data: ")]
    assert said.headers["Content-Type"].startswith("text/event-stream")
    accepted, *_, ended = frames
    assert (accepted["type"], accepted["data"]["duplicate"]) == ("external.accepted", False)
    assert ended["type"] == "reply.completed"
    assert ended["data"]["message"] == accepted["data"]["reply"]
    deltas = [frame["data"]["text"] for frame in frames if frame["type"] == "reply.delta"]
    assert "".join(deltas) == ended["data"]["text"]


@pytest.mark.parametrize(
    "headers", [{"Idempotency-Key": "flood-0123456789"}, {}], ids=["by key", "by external id"]
)
def test_a_flood_of_one_request_is_carried_out_once(many: Chatcore, headers: dict[str, str]) -> None:
    name = f"flood {sorted(headers)}"

    def ask(number: int) -> httpx.Response:
        with many.client(number % len(many.urls), **headers) as http:
            answer = http.post(PATH, json=body(name))
            while answer.status_code == 409:  # the first one is still at work
                assert answer.headers["Retry-After"]
                answer = http.post(PATH, json=body(name))
            return answer

    with ThreadPoolExecutor(ASKERS) as askers:
        answers = list(askers.map(ask, range(FLOOD)))

    assert {answer.status_code for answer in answers} <= {200, 202}
    assert len({answer.json()["message"]["id"] for answer in answers}) == 1
    assert len({answer.json()["reply"]["id"] for answer in answers}) == 1
    assert stored(many, name) == (1, 1)


def stored(chatcore: Chatcore, external_id: str) -> tuple[int, int]:
    """Messages of that id, and the replies to them."""
    with chatcore.connect() as sql:
        found = sql.execute(
            "select count(distinct i.message_id), count(reply.id) from external_intakemessage i "
            "left join conversations_message reply on reply.parent_id = i.message_id where i.external_id = %s",
            [external_id],
        ).fetchone()
    assert found
    return found[0], found[1]


# Where the transaction is stopped: before its first row, between its rows, before it ends.
POINTS = ("conversations_message", "procrastinate_jobs", "external_idempotencyrecord")


@pytest.mark.xdist_group("survival")
async def test_a_process_that_dies_in_the_middle_has_stored_nothing(gates: Path, redis_url: str) -> None:
    with Chatcore(
        scripts={"echo": [{"echo": True}]}, redis_url=redis_url, webs=len(POINTS) + 1, workers=0
    ) as chatcore:
        for number, table in enumerate(POINTS):
            headers = {"Idempotency-Key": f"survives-{table}"}
            await _kill_at(chatcore, number, table, headers)
            assert stored(chatcore, table) == (0, 0)

            with chatcore.client(len(POINTS), **headers) as http:
                answers = [http.post(PATH, json=body(table)) for _ in range(2)]

            assert [answer.status_code for answer in answers] == [202, 202]
            assert answers[0].content == answers[1].content
            assert stored(chatcore, table) == (1, 1)
        with chatcore.connect() as sql:
            jobs = sql.execute(
                "select count(*) from procrastinate_jobs where task_name = 'conversations.answer'"
            )
            assert jobs.fetchone() == (len(POINTS),)


@pytest.mark.xdist_group("survival")
async def test_what_is_committed_when_the_process_dies_is_stored_once(gates: Path, redis_url: str) -> None:
    with Chatcore(scripts={"echo": [{"echo": True}]}, redis_url=redis_url, webs=3, workers=0) as chatcore:
        for number, headers in enumerate(({"Idempotency-Key": "unheard-0123456789"}, {})):
            name = f"unheard {number}"
            await _kill_before_the_answer(chatcore, number, headers, name)
            assert stored(chatcore, name) == (1, 1)

            with chatcore.client(2, **headers) as http:
                answer = http.post(PATH, json=body(name))

            assert answer.status_code in {200, 202}
            assert stored(chatcore, name) == (1, 1)
            with chatcore.connect() as sql:
                jobs = sql.execute(
                    "select count(*) from procrastinate_jobs where args->>'reply_id' = %s",
                    [answer.json()["reply"]["id"]],
                )
                assert jobs.fetchone() == (1,)


async def _kill_before_the_answer(
    chatcore: Chatcore, number: int, headers: dict[str, str], name: str
) -> None:
    """Its transaction is committed, but Postgres waits for a standby before it says so: then it is killed."""
    with chatcore.connect() as sql:
        sql.execute(f"alter database {chatcore.database} set synchronous_commit = on")
        sql.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )
        with chatcore.client(number) as http:
            http.get("/api/v1/models/").raise_for_status()  # that the key was used is noted now, not later
        try:
            _let_commits_wait_for(sql, "nobody")
            asking = asyncio.create_task(asyncio.to_thread(_post, chatcore, number, headers, name))
            await until(lambda: _any(sql, COMMITTING))
            chatcore.kill(f"web{number}")
        finally:
            _let_commits_wait_for(sql, "")
        assert await asking is None
        await until(lambda: not _writing(sql))


COMMITTING = """wait_event = 'SyncRep' and exists (
    select from pg_locks where pg_locks.pid = pg_stat_activity.pid and mode = 'RowExclusiveLock'
        and relation = 'conversations_message'::regclass
)"""


def _let_commits_wait_for(sql: psycopg.Connection[Any], standby: str) -> None:
    """Those that are not careless, as the others of this server are."""
    sql.execute(f"alter system set synchronous_standby_names = '{standby}'")
    sql.execute("select pg_reload_conf()")


async def _kill_at(chatcore: Chatcore, number: int, table: str, headers: dict[str, str]) -> None:
    """Kill the web process while its transaction waits for this table."""
    with chatcore.connect() as holder, chatcore.connect() as watcher:
        with holder.transaction():
            holder.execute(f"lock table {table} in exclusive mode")
            asking = asyncio.create_task(asyncio.to_thread(_post, chatcore, number, headers, table))
            await until(lambda: _waiting(watcher))
            chatcore.kill(f"web{number}")
        assert await asking is None
        await until(lambda: not _writing(watcher))


def _post(chatcore: Chatcore, number: int, headers: dict[str, str], name: str) -> httpx.Response | None:
    with chatcore.client(number, **headers) as http:
        try:
            return http.post(PATH, json=body(name))
        except httpx.TransportError:
            return None


def _waiting(sql: psycopg.Connection[Any]) -> bool:
    """Somebody waits for a table."""
    return _any(sql, "wait_event_type = 'Lock' and wait_event = 'relation'")


def _writing(sql: psycopg.Connection[Any]) -> bool:
    return _any(sql, "backend_xid is not null")


def _any(sql: psycopg.Connection[Any], condition: str) -> bool:
    query = f"select exists (select from pg_stat_activity where datname = current_database() and {condition})"
    found = sql.execute(query).fetchone()
    return bool(found and found[0])
