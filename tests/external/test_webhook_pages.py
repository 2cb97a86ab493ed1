"""The pages of webhooks as a browser gets them, and the staff's."""

import json
import re
import uuid
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chatcore.accounts.principals import Principal
from external.models import Delivery, Webhook
from tests.conversations.pages.browsing import signed_in, text
from tests.external.factories import make_delivery, make_webhook
from tests.factories import make_principal, make_user

pytestmark = pytest.mark.django_db
FORM = {
    "url": "https://hooks.example.com/in",
    "description": "Ours",
    "types": "message.created\nreply.*",
    "filter": '{"path": "data.author", "eq": "user"}',
    "payload": "thin",
    "ordered": "on",
}


@pytest.fixture
def owner() -> Principal:
    return make_principal()


def test_one_is_added_shown_edited_and_removed(owner: Principal) -> None:
    browser = signed_in(owner)
    assert "Nothing is told to anybody outside" in text(browser.get(reverse("webhooks")))
    added = browser.post(reverse("add_webhook"), FORM)
    webhook = Webhook.objects.get()
    assert added.status_code == 201
    assert f">{webhook.secret}</pre>" in text(added)
    assert "no-store" in added["Cache-Control"]
    assert (webhook.types, webhook.filter) == (["message.created", "reply.*"], json.loads(FORM["filter"]))
    assert (webhook.payload, webhook.ordered, webhook.status) == ("thin", True, "pending")

    shown = text(browser.get(reverse("webhook", args=[webhook.id])))
    assert webhook.secret not in shown
    assert "Waits for its answer" in shown
    assert "https://hooks.example.com/in" in text(browser.get(reverse("webhooks")))

    edit = reverse("edit_webhook", args=[webhook.id])
    assert "reply.*" in text(browser.get(edit))
    changed = browser.post(edit, FORM | {"types": "*", "filter": "", "payload": "full", "ordered": ""})
    assert changed["Location"] == reverse("webhook", args=[webhook.id])
    webhook.refresh_from_db()
    assert (webhook.types, webhook.filter, webhook.payload, webhook.ordered) == (["*"], None, "full", False)

    browser.post(reverse("remove_webhook", args=[webhook.id]))
    assert not Webhook.objects.exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"url": "https://10.0.0.1/"}, "not one Chatcore may call"),
        ({"url": ""}, "required"),
        ({"types": "message.craeted"}, "No event is called"),
        ({"filter": "{"}, "This is no JSON"),
        ({"filter": "[]"}, "A condition is an object"),
        ({"filter": '{"all": [{"path": "a", "eq": []}]}'}, "all/0/eq: This must be"),
        ({"filter": "[" * 5_000}, "This is no JSON"),
        ({"payload": "half"}, "not one of the available choices"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(
    owner: Principal, changes: dict[str, str], words: str
) -> None:
    answer = signed_in(owner).post(reverse("add_webhook"), FORM | changes)
    assert answer.status_code == 422
    assert words in text(answer)
    assert not Webhook.objects.exists()


def test_the_twenty_first_is_refused_in_words(owner: Principal) -> None:
    for _ in range(20):
        make_webhook(owner)
    answer = signed_in(owner).post(reverse("add_webhook"), FORM)
    assert "as many webhooks as it may have" in text(answer)


def test_the_log_shows_each_attempt_and_delivers_again(owner: Principal) -> None:
    now = timezone.now()
    webhook = make_webhook(owner, failing_since=now, held_until=now + timedelta(hours=1), failures=5)
    dead = make_delivery(webhook, status="dead", ended_at=now, attempts=1, body='{"text":"<b>"}')
    dead.log.create(number=1, started_at=now, duration_ms=31, status=500, answer="<script>x</script>")
    for _ in range(50):
        make_delivery(webhook)
    browser, page = signed_in(owner), reverse("webhook", args=[webhook.id])

    html = text(browser.get(page))
    assert html.count('<th scope="row">') == 50
    assert "Nothing was delivered since" in html
    assert "It is left alone until" in html
    older = re.search(r'href="(\?before=[^"]+)"', html)
    assert older
    rest = text(browser.get(page + older[1]))
    assert reverse("webhook_delivery", args=[dead.id]) in rest
    assert "Older ones" not in rest
    assert text(browser.get(f"{page}?status=dead")).count('<th scope="row">') == 1
    assert browser.get(f"{page}?status=x&before=y").status_code == 200

    shown = reverse("webhook_delivery", args=[dead.id])
    html = text(browser.get(shown))
    assert "&lt;script&gt;x&lt;/script&gt;" in html
    assert "{&quot;text&quot;:&quot;&lt;b&gt;&quot;}" in html
    assert "31 ms" in html
    again = browser.post(reverse("redeliver", args=[dead.id]), follow=True)
    assert "It is sent again" in text(again)
    assert Delivery.objects.get(pk=dead.pk).status == "pending"
    assert "0 are sent again" in text(browser.post(reverse("redeliver_all", args=[webhook.id]), follow=True))


def test_its_state_is_changed_by_buttons(owner: Principal) -> None:
    webhook = make_webhook(owner)
    delivery = make_delivery(webhook)
    browser = signed_in(owner)
    rotated = browser.post(reverse("rotate_webhook_secret", args=[webhook.id]))
    webhook.refresh_from_db()
    assert f">{webhook.secret}</pre>" in text(rotated)
    page = text(browser.post(reverse("disable_webhook", args=[webhook.id]), follow=True))
    assert "Somebody disabled it" in page
    refused = browser.post(reverse("redeliver", args=[delivery.id]), follow=True)
    assert "The webhook is not active" in text(refused)
    refused = browser.post(reverse("redeliver_all", args=[webhook.id]), follow=True)
    assert "The webhook is not active" in text(refused)
    page = text(browser.post(reverse("challenge_webhook", args=[webhook.id]), follow=True))
    assert "The challenge is on its way" in page
    Webhook.objects.update(challenge_error="The address answered 404.")
    assert "The address answered 404." in text(browser.get(reverse("webhook", args=[webhook.id])))


PAGES = ("webhook", "edit_webhook")
COMMANDS = (
    "remove_webhook",
    "challenge_webhook",
    "disable_webhook",
    "rotate_webhook_secret",
    "redeliver_all",
)


def test_members_strangers_and_visitors_get_nowhere(owner: Principal) -> None:
    delivery = make_delivery(make_webhook(owner))
    member = make_principal(workspace=owner.workspace, role="member")
    names = [(name, delivery.webhook_id) for name in (*PAGES, *COMMANDS)]
    names += [("webhook_delivery", delivery.id), ("redeliver", delivery.id)]
    for client, status in ((signed_in(member), 403), (signed_in(make_principal()), 404)):
        for name, pk in names:
            ask = client.get if name in (*PAGES, "webhook_delivery") else client.post
            foreign, absent = ask(reverse(name, args=[pk])), ask(reverse(name, args=[uuid.uuid4()]))
            assert (name, foreign.status_code, absent.status_code) == (name, status, status)
    for name in ("webhooks", "add_webhook"):
        assert signed_in(member).get(reverse(name)).status_code == 403
        assert Client().get(reverse(name))["Location"].startswith("/accounts/login/")
    assert Webhook.objects.get().is_active


def test_the_menu_leads_owners_there(owner: Principal) -> None:
    link = f'href="{reverse("webhooks")}"'
    assert link in text(signed_in(owner).get("/"))
    assert link not in text(signed_in(make_principal(workspace=owner.workspace, role="member")).get("/"))


def test_staff_see_all_but_secrets_and_deliver_again(owner: Principal) -> None:
    delivery = make_delivery(make_webhook(owner), status="dead", ended_at=timezone.now())
    delivery.log.create(number=1, started_at=timezone.now(), status=500, answer="broken")
    staff = Client()
    backend = "django.contrib.auth.backends.ModelBackend"
    staff.force_login(make_user(is_staff=True, is_superuser=True), backend=backend)
    shown = text(staff.get(reverse("admin:external_webhook_change", args=[delivery.webhook_id])))
    assert delivery.webhook.url in shown
    assert delivery.webhook.secret not in shown
    assert staff.get(reverse("admin:external_webhook_changelist")).status_code == 200
    assert "broken" in text(staff.get(reverse("admin:external_delivery_change", args=[delivery.id])))
    chosen = {"action": "deliver_again", "_selected_action": [str(delivery.id)]}
    answer = staff.post(reverse("admin:external_delivery_changelist"), chosen, follow=True)
    assert "1 are sent again" in text(answer)
    delivery.refresh_from_db()
    assert delivery.status == "pending"
