"""LiteLLM in a process of its own, run as `python -m chatcore.llm.litellm_child`; nothing else imports it.

Beside us it would cost 4 s, 190 MB and stalls of the event loop. It speaks JSON, one value a line:

- in: `{"id", "do": "stream" | "models" | "cancel", …}`
- out: `[id, kind, value]`, where kind is dropped (names of parameters), text, reasoning, tool, usage, finish,
  models or error; the last three end their request. `[0, "ready", pid]` comes once, when LiteLLM is imported.

It ends when its input ends, and dies with the process that started it. Its arguments are the number of that process,
and for providers of workspaces a JSON list: what OUTBOUND_ALLOW lets it call besides public addresses.
"""

import asyncio
import ctypes
import functools
import json
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

from chatcore.llm import failures, litellm_cohere, litellm_connecting, litellm_guard
from chatcore.llm.errors import MAX_DETAIL
from chatcore.llm.litellm_process import LONGEST_REQUEST
from chatcore.llm.sse import MAX_LINE

PR_SET_PDEATHSIG = 1
PIECE = 64 * 1024  # characters: at most 12 bytes of JSON each, and so well below MAX_LINE
NEVER = 24 * 60 * 60  # seconds; whoever asked keeps the time and cancels, once there is a connection
# LiteLLM's exceptions by name, the special before the general.
CODES = {
    "ContextWindowExceededError": "context_too_long",
    "ContentPolicyViolationError": "content_filter",
    "PaymentRequiredError": "auth",
    "MidStreamFallbackError": "cut_off",
    "BadGatewayError": "unavailable",
    "Timeout": "timeout",
    "APIConnectionError": "unavailable",
    "APIResponseValidationError": "garbage",
    "LiteLLMUnknownProvider": "not_found",
    "TooLong": "garbage",
    "Refused": "address_refused",
}

# Their usage does not tell reasoning from text: what LiteLLM says of it is its own guess.
SILENT_ON_REASONING = ("anthropic/", "bedrock/")


class TooLong(Exception):
    """More in one name than a line to the parent may hold: it would end this process, and every answer in it."""


class Child:
    """Serves requests until its input ends."""

    def __init__(self, litellm: Any, output: asyncio.StreamWriter) -> None:
        self._litellm = litellm
        self._output = output
        self._running: dict[int, asyncio.Task[None]] = {}

    async def serve(self, requests: asyncio.StreamReader) -> None:
        await self._send(0, "ready", os.getpid())
        while line := await requests.readline():
            message = json.loads(line)
            number = message["id"]
            if message["do"] == "cancel":
                if task := self._running.get(number):
                    task.cancel()
                continue
            task = asyncio.create_task(self._answer(number, message))
            self._running[number] = task
            task.add_done_callback(functools.partial(self._forget, number))

    def _forget(self, number: int, _: asyncio.Task[None]) -> None:
        del self._running[number]

    async def _answer(self, number: int, message: dict[str, Any]) -> None:
        try:
            if message["do"] == "models":
                names = await asyncio.to_thread(self._models, message["vendor"], message["access"])
                await self._send(number, "models", names)
            else:
                await self._stream(number, message)
        except Exception as error:
            await self._send(number, "error", explained(error))

    async def _stream(self, number: int, message: dict[str, Any]) -> None:
        if dropped := self._not_supported(message):
            await self._send(number, "dropped", dropped)
        litellm_connecting.SECONDS.set(message["connect_seconds"])
        chunks = await self._litellm.acompletion(
            model=message["model"],
            messages=message["messages"],
            stream=True,
            stream_options={"include_usage": True},
            num_retries=0,
            max_retries=0,
            timeout=NEVER,
            **message["params"],
            **message["access"],
        )
        finish = ""
        try:
            async for chunk in chunks:
                for choice in chunk.choices[:1]:
                    finish = choice.finish_reason or finish
                    await self._send_delta(number, choice.delta)
                if usage := getattr(chunk, "usage", None):
                    await self._send(number, "usage", counts(usage, _reported(chunks), message["model"]))
        finally:
            await chunks.aclose()
        if not _ended_early(chunks):
            await self._send(number, "finish", finish)
        elif getattr(chunks, "chunks", None):
            await self._send(number, "error", {"code": "cut_off", "detail": "no finish reason came"})
        else:
            await self._send(number, "error", {"code": "garbage", "detail": "nothing that can be read"})

    async def _send_delta(self, number: int, delta: Any) -> None:
        if reasoning := getattr(delta, "reasoning_content", None):
            for piece in pieces(reasoning):
                await self._send(number, "reasoning", piece)
        for piece in pieces(delta.content or ""):
            await self._send(number, "text", piece)
        for call in delta.tool_calls or ():
            index, function = call.index or 0, call.function
            first, *others = [*pieces(function.arguments or "")] or [""]
            await self._send(number, "tool", [index, call.id or "", function.name or "", first])
            for piece in others:
                await self._send(number, "tool", [index, "", "", piece])

    def _not_supported(self, message: dict[str, Any]) -> list[str]:
        """The parameters LiteLLM will leave out: `drop_params` does so without a word."""
        supported = self._litellm.get_supported_openai_params(message["model"])
        names = message["params"].keys() - {"user"}
        return sorted(names - set(supported)) if supported else []

    def _models(self, vendor: str, access: dict[str, Any]) -> list[str]:
        names: list[str] = self._litellm.get_valid_models(
            check_provider_endpoint=True,
            custom_llm_provider=vendor,
            api_key=access.get("api_key"),
            api_base=access.get("api_base"),
        )
        known = names or sorted(self._litellm.models_by_provider.get(vendor, ()))
        return [name.removeprefix(f"{vendor}/") for name in known]

    async def _send(self, number: int, kind: str, value: Any) -> None:
        line = json.dumps((number, kind, value), separators=(",", ":")).encode()
        if len(line) > MAX_LINE:
            raise TooLong(f"{kind} of {len(line)} bytes at once")
        self._output.write(line + b"\n")
        try:
            await self._output.drain()
        except ConnectionError:
            os._exit(0)  # nobody is left to answer to


async def warm_up(litellm: Any) -> None:
    """The first answer costs LiteLLM a second of late imports: have it before somebody waits for it."""
    messages = [{"role": "user", "content": "ready?"}]
    chunks = await litellm.acompletion(
        model="anthropic/warm-up", messages=messages, mock_response="ready", stream=True
    )
    async for _ in chunks:
        pass


def pieces(text: str) -> Iterator[str]:
    """What a vendor said at once, in parts that each fit into a line; of "" there are none."""
    return (text[start : start + PIECE] for start in range(0, len(text), PIECE))


def _ended_early(chunks: Any) -> bool:
    """LiteLLM makes up a finish reason for a stream that ended without one; its own record tells."""
    received = getattr(chunks, "received_finish_reason", "unknown")
    return received is None and getattr(chunks, "intermittent_finish_reason", None) is None


def _reported(chunks: Any) -> Any:
    """The last usage the vendor itself sent; None where LiteLLM has counted with a tokenizer of its own."""
    kept = [getattr(chunk, "usage", None) for chunk in getattr(chunks, "chunks", ())]
    return next((usage for usage in reversed(kept) if usage), None)


def counts(usage: Any, reported: Any, model: str) -> dict[str, int | bool | None]:
    """The arguments of Usage. What LiteLLM made up for lack of a report is marked, or left out."""
    prompt = getattr(usage, "prompt_tokens_details", None)
    completion = getattr(reported, "completion_tokens_details", None)
    says_reasoning = not ("claude" in model or model.startswith(SILENT_ON_REASONING))
    return {
        "input_tokens": getattr(usage, "prompt_tokens", None),
        "output_tokens": getattr(usage, "completion_tokens", None),
        "cached_tokens": getattr(prompt, "cached_tokens", None) if reported else None,
        "reasoning_tokens": getattr(completion, "reasoning_tokens", None) if says_reasoning else None,
        "cache_write_tokens": getattr(prompt, "cache_creation_tokens", None) if reported else None,
        "estimated": reported is None,
    }


def explained(error: Exception) -> dict[str, Any]:
    """The arguments of the ProviderError that `error` stands for. All that was said decides, its beginning is told."""
    original = getattr(error, "original_exception", None)
    if isinstance(original, Exception) and type(original).__name__ != "APIConnectionError":
        # The failure of a stream that had begun wraps what the vendor said.
        error = original
    error = _refused_before(error) or error
    status = getattr(error, "status_code", None)
    status = status if isinstance(status, int) else None
    said = failures.of_answer(status or 500, str(error).encode("utf-8", "replace"), _headers(error))
    names = [kind.__name__ for kind in type(error).__mro__]
    code = next((CODES[name] for name in names if name in CODES), said.code)
    return {
        "code": code,
        "detail": str(error)[:MAX_DETAIL],
        "retry_after": said.retry_after,
        "upstream_status": status,
    }


def _refused_before(error: BaseException | None) -> litellm_guard.Refused | None:
    """The refusal to connect that LiteLLM has wrapped, once or more often, in words of its own."""
    while error is not None and not isinstance(error, litellm_guard.Refused):
        error = error.__cause__ or error.__context__
    return error


def _headers(error: Exception) -> dict[str, str]:
    response = getattr(error, "response", None)
    headers = getattr(error, "litellm_response_headers", None) or getattr(response, "headers", None) or {}
    return {str(name).lower(): str(value) for name, value in dict(headers).items()}


def die_with(parent: int) -> None:
    """SIGKILL when `parent` ends, also when it had no time to close our input (Linux: prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)


async def run(litellm: Any, output: Any) -> None:
    loop = asyncio.get_running_loop()
    requests = asyncio.StreamReader(limit=LONGEST_REQUEST)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(requests), sys.stdin)
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, output)
    await warm_up(litellm)
    await Child(litellm, asyncio.StreamWriter(transport, protocol, None, loop)).serve(requests)
    os._exit(0)  # nothing here is worth the seconds an orderly end would take


def main() -> None:
    parent, *allowed = sys.argv[1:]
    die_with(int(parent))
    if allowed:
        litellm_guard.install(json.loads(allowed[0]))
    # LiteLLM prints: what it says goes where errors go, the pipe is ours.
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    import httpx  # noqa: PLC0415 (as LiteLLM's own)
    import litellm  # noqa: PLC0415 (only after its prints are out of the way)

    litellm.telemetry = False
    litellm.drop_params = True
    litellm.suppress_debug_info = True
    litellm.disable_streaming_logging = True
    litellm.turn_off_message_logging = True
    litellm_cohere.repair(litellm)
    litellm_connecting.limit(httpx)
    asyncio.run(run(litellm, output))


if __name__ == "__main__":
    main()
