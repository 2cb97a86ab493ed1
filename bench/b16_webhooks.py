"""B16: from an event to its arrival at the healthy webhooks while a fifth of all hang, and while none does.

Twenty webhooks that ask for everything, an event every quarter of a second for fifteen seconds, one worker's sender, a
receiver over HTTP in a process of its own. The baseline is the same with all twenty healthy; the 95th percentile is
over the same sixteen webhooks in both.
"""

import asyncio
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import quantiles

from django.conf import settings
from django.utils import timezone

from bench import inside
from bench.figure import Figure
from chatcore.accounts.models import Workspace
from chatcore.offload import offload
from chatcore.realtime.log import Announcement, announce
from chatcore.realtime.models import Event
from conversations.events import ConversationDeleted
from external.models import Attempt, Delivery, Webhook
from external.webhooks.dispatch import dispatch
from external.webhooks.service import WebhookSender
from external.webhooks.signing import new_secret

WEBHOOKS, HANGING = 20, 4
EVENTS, GAP_SECONDS = 60, 0.25
GOAL = 1.2

RECEIVER = """
import asyncio
from aiohttp import web

async def take(request):
    await request.read()
    if request.path == "/hang":
        await asyncio.Event().wait()
    return web.Response(status=204)

async def main():
    app = web.Application()
    app.router.add_post("/{path}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def run() -> list[Figure]:
    settings.OUTBOUND_ALLOW = ["127.0.0.1:*"]
    with inside.database(), receiver() as address:
        asyncio.run(_measure(address, 0))  # warms up
        calm = asyncio.run(_measure(address, 0))
        troubled = asyncio.run(_measure(address, HANGING))
    ratio = troubled / calm
    return [
        Figure(
            "B16 event to healthy webhooks, p95", troubled, "s", calm, ratio, f"<= {GOAL} x", ratio <= GOAL
        )
    ]


@contextmanager
def receiver() -> Iterator[str]:
    with subprocess.Popen([sys.executable, "-c", RECEIVER], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()


async def _measure(address: str, hanging: int) -> float:
    """The 95th percentile in seconds, of the webhooks that hang in neither run."""
    workspace, healthy = await offload(_webhooks, address, hanging)
    while await offload(dispatch) is None:
        pass
    sender = WebhookSender()
    await sender.start()
    for _ in range(EVENTS):
        await offload(_happen, workspace)
        await asyncio.sleep(GAP_SECONDS)
    told = Delivery.objects.filter(webhook__in=healthy, status="delivered")
    while await offload(told.count) < EVENTS * len(healthy):
        await asyncio.sleep(0.1)
    await sender.stop(0)
    taken = await offload(_latencies, healthy)
    await offload(_forget)
    return quantiles(taken, n=20)[-1]


def _webhooks(address: str, hanging: int) -> tuple[uuid.UUID, list[uuid.UUID]]:
    workspace = Workspace.objects.create(name="Bench")
    made = [
        Webhook.objects.create(
            workspace=workspace,
            url=f"{address}/{'hang' if number < hanging else 'ok'}",
            types=["*"],
            secret=new_secret(),
            status=Webhook.Status.ACTIVE,
            activated_at=timezone.now(),
        ).id
        for number in range(WEBHOOKS)
    ]
    return workspace.id, made[HANGING:]


def _happen(workspace: uuid.UUID) -> None:
    announce(
        Announcement(
            body=ConversationDeleted(),
            workspace=workspace,
            conversation=uuid.uuid4(),
            actor="system",
            audience=(),
        )
    )


def _latencies(webhooks: list[uuid.UUID]) -> list[float]:
    """Seconds from the event to the end of the answer."""
    happened = dict(Event.objects.values_list("id", "created_at"))
    attempts = Attempt.objects.filter(delivery__webhook__in=webhooks).select_related("delivery")
    return [
        (attempt.started_at - happened[attempt.delivery.event]).total_seconds()
        + (attempt.duration_ms or 0) / 1000
        for attempt in attempts
    ]


def _forget() -> None:
    Webhook.objects.all().delete()
