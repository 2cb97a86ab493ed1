"""The form for a conversation's instructions and parameters."""

import html
import json
import re
import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from chatcore.accounts.principals import Principal
from chatcore.llm.models import Model
from chatcore.realtime.models import Event
from conversations.models import Conversation, Message
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


def field(drawn: str, name: str) -> str:
    """A field with what is written below it."""
    found = re.search(rf'<(?:input|select|textarea) id="parameter-{name}".*?</p>', drawn, re.DOTALL)
    assert found, name
    return found[0]


def test_what_the_model_takes_is_offered_with_its_limits(
    owner: Principal, browser: Client, thinker: Model
) -> None:
    conversation = make_conversation(owner, model="thinker", params={"top_p": 0.5, "verbosity": "low"})

    drawn = text(browser.get(form_of(conversation)))

    assert "What Thinker takes" in drawn
    assert "1 to 4,000" in drawn, "not more than the model can write"
    assert 'placeholder="0.7"' in field(drawn, "temperature"), "the model's own default"
    assert 'value="0.5"' in field(drawn, "top_p")
    assert '<option value="low" selected>' in field(drawn, "verbosity")
    assert '<option value="high"' in field(drawn, "reasoning_effort")


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


def carried(drawn: str) -> dict[str, str]:
    """What the composer of a new chat holds besides the message."""
    found = re.findall(r'<input type="hidden" name="(system|params|model|content)" value="([^"]*)"', drawn)
    return {name: html.unescape(value) for name, value in found}


def test_what_is_wished_of_a_new_chat_begins_with_its_first_message(
    owner: Principal, browser: Client, thinker: Model
) -> None:
    form, swift = reverse("new_parameters"), {"model": "swift"}
    asked = {"model": "thinker", **carried(text(browser.get("/")))}

    opened = text(browser.post(form, asked | {"content": "Begun"}, headers=HTMX))
    typed = {"system": "In verse,\r\n<always>.", "temperature": "0,4", "stop": "END"}
    saved = browser.post(form, {**carried(opened), **typed, "save": "1"}, headers=HTMX)
    wishes = carried(text(saved))
    again = text(browser.post(form, wishes | {"model": "thinker"}, headers=HTMX))
    other = text(browser.post(reverse("new_parameters_mark"), wishes | swift, headers=HTMX))
    sent = {"content": "Why?", "client_id": str(uuid.uuid4()), "model": "thinker", **wishes}
    browser.post("/", sent)
    browser.post("/", sent)

    assert "What Thinker takes" in opened
    assert saved["HX-Retarget"] == "#wishes"
    assert "Instructions and parameters: 3 set" in text(saved)
    assert json.loads(wishes["params"]) == {"temperature": 0.4, "stop": ["END"]}
    assert 'value="0.4"' in field(again, "temperature")
    assert "Not known to this model: Temperature, Stop at" in other
    assert carried(other) == wishes, "what a model does not know is not lost"
    conversation = Conversation.objects.get()
    assert conversation.system == "In verse,\n<always>."
    assert conversation.params == {"temperature": 0.4, "stop": ["END"]}


def test_a_new_chat_is_refused_what_a_conversation_is_refused(
    owner: Principal, browser: Client, thinker: Model
) -> None:
    form = reverse("new_parameters")
    wrong = {"model": "thinker", "system": "Be brief.", "temperature": "3", "seed": "x", "save": "1"}

    refused = browser.post(form, wrong, headers=HTMX)
    cleared = browser.post(form, wrong | {"params": '{"speed": 2}', "clear": "1"}, headers=HTMX)
    forged = [
        browser.post("/", {"content": "x", "params": params}) for params in ("{", '{"top_p": 9}', "[1]")
    ]

    assert refused.status_code == 422
    assert "must be at most 2" in field(text(refused), "temperature")
    assert 'value="x"' in field(text(refused), "seed"), "what was typed stays"
    assert ">Be brief.</textarea>" in text(refused)
    assert carried(text(cleared)) == {"system": "Be brief.", "params": "{}"}
    assert [answer.status_code for answer in forged] == [422, 422, 422]
    assert not Conversation.objects.exists()
    assert not Message.objects.exists()


def test_without_scripts_the_form_gives_back_the_message_that_was_begun(
    owner: Principal, browser: Client, thinker: Model
) -> None:
    asked = {"model": "thinker", "content": "Begun,\r\nnot sent"}

    opened = text(browser.post(reverse("new_parameters"), asked))
    back = text(browser.post(reverse("new_parameters"), carried(opened) | {"system": "Brief.", "save": "1"}))

    assert carried(opened)["content"] == "Begun,\nnot sent"
    assert "Begun,\nnot sent</textarea>" in back
    assert '<option value="thinker" selected>' in back
    assert carried(back)["system"] == "Brief."
