"""Reading pages as a browser gets them."""

import re
from typing import Any, Protocol

from django.test import Client
from django.urls import reverse

from chatcore.accounts.principals import Principal
from conversations.models import Conversation, Message
from tests.factories import make_conversation, make_reply

HTMX = {"HX-Request": "true"}


class Answer(Protocol):
    @property
    def content(self) -> bytes: ...


def signed_in(principal: Principal) -> Client:
    client = Client()
    assert principal.user
    client.force_login(principal.user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def text(response: Answer) -> str:
    return response.content.decode()


def page_of(conversation: Conversation) -> str:
    return reverse("chat", args=[conversation.id])


def address(name: str, message: Message) -> str:
    return reverse(name, args=[message.conversation_id, message.id])


def articles(html: str) -> list[str]:
    """The messages in a page, drawn; the empty bubble that scripts fill is none."""
    return re.findall(r"<article [^>]*data-message.*?</article>", html, re.DOTALL)


def ask(owner: Principal, said: str = "Why?", **reply: Any) -> tuple[Conversation, Message, Message]:
    """A conversation of one question and its finished reply."""
    conversation = make_conversation(owner, said)
    question = conversation.active_leaf
    assert question
    answer = make_reply(owner, conversation, **reply)
    return conversation, question, answer
