"""A fake upstream as a process of its own, for benchmarks and for trying things out: `python -m tests.upstreams`.

It speaks OpenAI's chat completions (`…/chat/completions`), Anthropic's messages (`…/messages`), Gemini's
generateContent (`…/models/NAME:streamGenerateContent`), Cohere's chat (`…/v2/chat`) and Bedrock's converse
(`…/model/NAME/converse-stream`). The model's name says what goes wrong: see `named` in plans.py.
"""

import argparse
import asyncio

import uvloop
from aiohttp import web

from tests.upstreams.server import Heard, application


async def serve(port: int) -> None:
    runner = web.AppRunner(application({}, Heard()), handler_cancellation=True, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)  # noqa: T201
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=0, help="0 chooses a free one; the address is printed")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
