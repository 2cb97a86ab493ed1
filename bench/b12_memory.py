"""B12: memory of idle processes without Postgres and Redis, as proportional set size of the process tree.

Each has been used before: a page was served, and a reply made and waited for. What is counted is what stays. On a
machine where no other Python runs, the libraries that processes share elsewhere count in full: up to 35 MB more.
"""

import time

import httpx

from bench import installation, trees
from bench.figure import Figure
from tests.running import Chatcore
from tests.servers import RedisServer

SETTLE_SECONDS = 2.0
NATIVE, LITELLM = "native", "litellm"
UPSTREAM_MODEL = "stream-20x0"


def run() -> list[Figure]:
    with installation.postgres(), installation.upstream() as address, RedisServer() as redis:
        with Chatcore(redis_url=redis.url) as two:
            _use(two, address)
            web, worker = (_settled(two, name) for name in ("web0", "worker0"))
            installation.add_models(two, "litellm", address, {LITELLM: UPSTREAM_MODEL}, vendor="openai")
            _reply(two, LITELLM)
            with_litellm = _settled(two, "worker0")
        with Chatcore() as one:
            _use(one, address)
            up = _settled(one, "up")
    return [
        _figure("web, after use", web, 130),
        _figure("worker, after one reply", worker, 260),
        _figure("worker, after one reply through LiteLLM", with_litellm),
        _figure("everything in one process, after one reply", up, 330),
    ]


def _figure(title: str, megabytes: float, goal: int | None = None) -> Figure:
    limit, met = (f"<= {goal} MB", megabytes <= goal) if goal else ("", None)
    return Figure(f"B12 memory of {title}", megabytes, "MB PSS", None, None, limit, met)


def _use(chatcore: Chatcore, address: str) -> None:
    installation.add_models(chatcore, "openai", address, {NATIVE: UPSTREAM_MODEL})
    assert httpx.get(f"{chatcore.url}/accounts/login/", timeout=30).status_code == 200
    _reply(chatcore, NATIVE)


def _reply(chatcore: Chatcore, model: str) -> None:
    with chatcore.client() as client:
        started = client.post("/api/v1/conversations/", json={"model": model, "title": "Measured"})
        path = f"/api/v1/conversations/{started.json()['id']}/replies"
        answer = client.post(path, json={"content": "Hello"}, headers={"Prefer": "wait=25"})
        assert answer.json()["reply"]["status"] == "done", answer.text


def _settled(chatcore: Chatcore, name: str) -> float:
    time.sleep(SETTLE_SECONDS)
    return trees.memory(chatcore.processes[name].pid)
