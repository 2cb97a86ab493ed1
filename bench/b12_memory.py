"""B12: memory of idle processes, without Postgres and Redis: as proportional set size of the process tree.

Each has been used before: the web processes have served the sign-in page and a live connection's reply, the worker has
made it. What is counted is what stays.
"""

import time

import httpx

from bench import installation, trees
from bench.figure import Figure
from tests.running import Chatcore
from tests.servers import RedisServer

SETTLE_SECONDS = 2.0
MODEL = "stream-20x0"


def run() -> list[Figure]:
    with installation.postgres(), installation.upstream() as address, RedisServer() as redis:
        with Chatcore(redis_url=redis.url) as two:
            _use(two, address)
            web, worker = (_settled(two, name) for name in ("web0", "worker0"))
        with Chatcore() as one:
            _use(one, address)
            up = _settled(one, "up")
    return [
        _figure("web", web, 130),
        _figure("worker", worker, 260),
        _figure("everything in one process", up, 330),
    ]


def _figure(title: str, megabytes: float, goal: int) -> Figure:
    name = f"B12 {title}, idle after one reply"
    return Figure(name, megabytes, "MB PSS", None, None, f"<= {goal} MB", megabytes <= goal)


def _use(chatcore: Chatcore, address: str) -> None:
    installation.add_models(chatcore, "openai", address, {MODEL: MODEL})
    assert httpx.get(f"{chatcore.url}/accounts/login/", timeout=30).status_code == 200
    with chatcore.client() as client:
        started = client.post("/api/v1/conversations/", json={"model": MODEL, "title": "Measured"})
        path = f"/api/v1/conversations/{started.json()['id']}/replies"
        answer = client.post(path, json={"content": "Hello"}, headers={"Prefer": "wait=25"})
        assert answer.json()["reply"]["status"] == "done", answer.text


def _settled(chatcore: Chatcore, name: str) -> float:
    time.sleep(SETTLE_SECONDS)
    return trees.memory(chatcore.processes[name].pid)
