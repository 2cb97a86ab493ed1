"""The form for a conversation's instructions and parameters."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from chatcore.accounts.principals import Principal
from chatcore.llm.models import Model
from chatcore.realtime.models import Event
from conversations.models import Conversation
from tests.conversations.pages.browsing import HTMX, page_of, text
from tests.factories import make_conversation, make_model


@pytest.fixture
def thinker(owner: Principal) -> Model:
    """A model that takes everything, up to 4,000 tokens."""
    model = make_model("thinker", kind="openai", base_url="http://127.0.0.1:9/v1")
    Model.objects.filter(pk=model.pk).update(
        max_output=4000, supports_reasoning=True, default_params={"temperature": 0.7}
    )
    return model


def form_of(conversation: Conversation) -> str:
    return reverse("parameters", args=[conversation.id])


def field(html: str, name: str) -> str:
    """A field with what is written below it."""
    found = re.search(rf'<(?:input|select|textarea) id="parameter-{name}".*?</p>', html, re.DOTALL)
    assert found, name
    return found[0]


def test_what_the_model_takes_is_offered_with_its_limits(
    owner: Principal, browser: Client, thinker: Model
) -> None:
    conversation = make_conversation(owner, model="thinker", params={"top_p": 0.5, "verbosity": "low"})

    html = text(browser.get(form_of(conversation)))

    assert "What Thinker takes" in html
    assert "1 to 4,000" in html, "not more than the model can write"
    assert 'placeholder="0.7"' in field(html, "temperature"), "the model's own default"
    assert 'value="0.5"' in field(html, "top_p")
    assert '<option value="low" selected>' in field(html, "verbosity")
    assert '<option value="high"' in field(html, "reasoning_effort")


def test_what_is_saved_is_what_replies_follow(owner: Principal, browser: Client, thinker: Model) -> None:
    kept = {"response_format": {"type": "json_object"}, "seed": 4, "max_completion_tokens": 90}
    conversation = make_conversation(owner, model="thinker", params=kept)
    typed = {
        "system": "Answer in verse.\r\nAlways.",
        "temperature": " 0,4 ",
        "max_tokens": "1000",
        "stop": "END\r\n\r\nDone now",
        "seed": "",
        "reasoning_effort": "high",
    }

    response = browser.post(form_of(conversation), typed)

    assert response["Location"] == page_of(conversation)
    conversation.refresh_from_db()
    assert conversation.system == "Answer in verse.\nAlways."
    assert conversation.params == {
        "response_format": {"type": "json_object"},
        "temperature": 0.4,
        "max_tokens": 1000,
        "stop": ["END", "Done now"],
        "reasoning_effort": "high",
    }
    told = Event.objects.filter(type="conversation.updated").latest("id")
    assert told.payload["changed"] == ["params", "system"], "other screens hear of it"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"temperature": "3"}, "Temperature must be"),
        ({"temperature": "hot"}, "must be a number"),
        ({"temperature": "nan"}, "Temperature must be"),
        ({"max_tokens": "4001"}, "must be at most 4,000"),
        ({"max_tokens": "1.5"}, "must be a whole number"),
        ({"stop": "x" * 501}, "Stop at "),
        ({"reasoning_effort": "enormous"}, "Reasoning effort "),
    ],
)
def test_a_value_out_of_range_is_told_at_its_field(
    owner: Principal, browser: Client, thinker: Model, typed: dict[str, Any], words: str
) -> None:
    conversation = make_conversation(owner, model="thinker")
    (name,) = typed

    response = browser.post(form_of(conversation), {"system": "Be brief.", **typed}, headers=HTMX)

    told = field(text(response), name)
    assert response.status_code == 422
    assert 'aria-invalid="true"' in told
    assert words in told.replace("&#x27;", "'")
    assert typed[name] in told or "<select" in told, "what was typed stays"
    assert ">Be brief.</textarea>" in text(response)
    conversation.refresh_from_db()
    assert (conversation.params, conversation.system) == ({}, "")


def test_instructions_that_cannot_be_stored_are_told_at_theirs(owner: Principal, browser: Client) -> None:
    conversation = make_conversation(owner)

    response = browser.post(form_of(conversation), {"system": "a\x00b"}, headers=HTMX)

    assert response.status_code == 422
    assert "must not contain the character U+0000" in field(text(response), "system")


def test_what_another_model_does_not_know_is_named_and_can_be_removed(
    owner: Principal, browser: Client, thinker: Model
) -> None:
    conversation = make_conversation(owner, model="thinker", params={"seed": 4, "top_p": 0.5, "speed": 2})
    mark = reverse("parameters_mark", args=[conversation.id])
    before = text(browser.get(mark, headers=HTMX))

    browser.post(reverse("choose_model", args=[conversation.id]), {"model": "swift"}, headers=HTMX)
    after = text(browser.get(mark, headers=HTMX))
    form = text(browser.get(form_of(conversation)))
    browser.post(form_of(conversation), {"system": "", "without": ["speed", "seed"]}, headers=HTMX)

    assert "Not known to this model: speed" in before
    assert "Not known to this model: Seed, speed, Top p" in after
    assert "Swift takes no parameters." in form
    assert form.count("not known to Swift") == 3
    conversation.refresh_from_db()
    assert conversation.params == {"top_p": 0.5}, "what is kept counts again with a model that knows it"


def test_all_parameters_are_cleared_at_once_even_those_typed_wrongly(
    owner: Principal, browser: Client, thinker: Model
) -> None:
    conversation = make_conversation(owner, model="thinker", params={"seed": 4, "speed": 2}, system="Old.")

    browser.post(form_of(conversation), {"system": "New.", "temperature": "hot", "clear": "1"})

    conversation.refresh_from_db()
    assert (conversation.params, conversation.system) == ({}, "New.")
