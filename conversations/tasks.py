"""Jobs of the conversations. A job carries an id and nothing else; the rows decide."""

import uuid

from chatcore.jobs import Retry, app
from chatcore.offload import offload
from conversations import attachments, runner, unstored
from conversations.enqueue import ANSWER, REMOVE_FILE, TITLE
from conversations.titling import write_title

TITLE_PATIENCE_SECONDS = 2.0


@app.task(name=ANSWER, queue="replies", retry=Retry())
async def answer(reply_id: str) -> None:
    """Wake this worker's runner: it takes this reply and all others that wait, in one statement."""
    current = runner.current()
    if current is not None and uuid.UUID(reply_id) not in current.runs:
        await current.wake()


@app.task(name=TITLE, queue="background", retry=Retry())
async def title(conversation_id: str) -> None:
    """Nobody waits for a title as for an answer: it lets replies that begin go first, and crowds of them."""
    current = runner.current()
    if current is not None:
        await current.calm(TITLE_PATIENCE_SECONDS)
    await write_title(uuid.UUID(conversation_id))


@app.task(name=REMOVE_FILE, queue="background", retry=Retry(attempts=5))
async def remove_file(file: str) -> None:
    await offload(attachments.remove_file, file)


@app.periodic(cron="47 * * * *")
@app.task(name="conversations.sweep_attachments", queue="background", retry=Retry())
async def sweep_attachments(timestamp: int) -> None:  # noqa: ARG001
    """Delete files that were uploaded and never sent."""
    await offload(attachments.sweep_waiting)


@app.periodic(cron="17 * * * *")
@app.task(name="conversations.sweep_unstored", queue="background", retry=Retry())
async def sweep_unstored(timestamp: int) -> None:  # noqa: ARG001
    await offload(unstored.sweep_unstored)
