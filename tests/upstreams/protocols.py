"""The protocols a fake upstream speaks, told apart by the path that is asked."""

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from tests.upstreams.anthropic_messages import messages_body, messages_error, messages_refusal
from tests.upstreams.bedrock_converse import converse_body, converse_error, converse_refusal
from tests.upstreams.cohere_chat import cohere_body, cohere_error, cohere_refusal
from tests.upstreams.gemini_content import content_body, content_error, content_refusal
from tests.upstreams.openai_chat import chat_body, chat_error, chat_refusal, chat_whole
from tests.upstreams.plans import Plan


@dataclass(frozen=True)
class Protocol:
    """`stream` yields one event at a time; `error` is the event of a failure in mid-stream."""

    stream: Callable[[Plan], AsyncIterator[bytes]]
    error: Callable[[Plan], bytes]
    refusal: Callable[[Plan], dict[str, Any]]
    whole: Callable[[Plan], dict[str, Any]] | None = None
    content_type: str = "text/event-stream"


CHAT = Protocol(chat_body, chat_error, chat_refusal, chat_whole)
MESSAGES = Protocol(messages_body, messages_error, messages_refusal)
GEMINI = Protocol(content_body, content_error, content_refusal)
COHERE = Protocol(cohere_body, cohere_error, cohere_refusal)
BEDROCK = Protocol(
    converse_body, converse_error, converse_refusal, content_type="application/vnd.amazon.eventstream"
)
# A path that names the model, as some protocols do, has it in the group `model`.
PATHS = (
    (re.compile(r"/chat/completions$"), CHAT),
    (re.compile(r"/messages$"), MESSAGES),
    (re.compile(r"/models/(?P<model>[^/]+):streamGenerateContent$"), GEMINI),
    (re.compile(r"/v2/chat$"), COHERE),
    (re.compile(r"/model/(?P<model>[^/]+)/converse-stream$"), BEDROCK),
)


def protocol_of(path: str) -> tuple[Protocol, str] | None:
    """The protocol asked for, and the model where the path names it; None for a path of none."""
    for pattern, protocol in PATHS:
        if match := pattern.search(path):
            return protocol, match.groupdict().get("model", "")
    return None
