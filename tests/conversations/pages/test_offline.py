"""What the browser is given for being offline, and messages that it sends twice."""

import re
import uuid

from django.contrib.staticfiles import finders
from django.test import Client

from chatcore.accounts.principals import Principal
from conversations.models import Conversation, Message
from tests.conversations.pages.browsing import HTMX, page_of, signed_in, text
from tests.factories import make_principal


def test_the_service_worker_is_asked_for_anew_and_knows_its_files(db: None, client: Client) -> None:
    response = client.get("/sw.js")

    assert response["Content-Type"].startswith("text/javascript")
    assert response["Cache-Control"] == "no-cache"
    assert re.match(r'const VERSION = "[0-9a-f]{12}";', text(response))
    files = re.findall(r'"/static/([^"]+)"', text(response).partition("FILES")[2].partition(";")[0])
    assert {"js/app.js", "css/base.css", "icons/sprite.svg", "django_htmx/htmx-2.min.js"} <= set(files)
    assert all(finders.find(name) for name in files)


def test_every_page_it_divides_has_what_it_looks_for(owner: Principal, browser: Client) -> None:
    html = text(browser.get("/"))

    assert owner.user
    assert len(re.findall(r'<main id="main"[^>]*>', html)) == 1
    assert re.search(rf'<body[^>]* data-user="{owner.user.id}"', html)
    assert re.search(r'(<div id="list"[^>]*>).*?(</div>\s*<div class="side-end">)', html, re.DOTALL)
    assert '<div class="new"' in html


def test_the_offline_page_is_the_same_for_everybody(db: None, client: Client) -> None:
    assert "You are offline" in text(client.get("/offline/"))
    part = text(client.get("/offline/", {"part": ""}))
    assert "<html" not in part
    assert "You are offline" in part


def test_a_first_message_sent_twice_starts_one_conversation(owner: Principal, browser: Client) -> None:
    once = {"content": "Hello", "client_id": str(uuid.uuid4())}

    first = browser.post("/", once, headers=HTMX)
    second = browser.post("/", once, headers=HTMX)

    assert text(first) == text(second) == page_of(Conversation.objects.get())
    assert Message.objects.filter(author="user").count() == 1


def test_nobody_gets_into_a_conversation_by_its_id(owner: Principal, browser: Client) -> None:
    once = {"content": "Hello", "client_id": str(uuid.uuid4())}
    browser.post("/", once, headers=HTMX)

    response = signed_in(make_principal()).post("/", once, headers=HTMX)

    assert response.status_code == 409
    assert Conversation.objects.count() == 1
