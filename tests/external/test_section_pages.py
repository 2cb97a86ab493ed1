"""Pages of schedules, sources and authenticators as a browser gets them."""

import re
import uuid
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chatcore.accounts.models import Integration
from chatcore.accounts.principals import Principal
from external.models import Authenticator, KeySet, Schedule, Source
from tests.conversations.pages.browsing import signed_in, text
from tests.external.proving import SECRET, make_authenticator
from tests.external.scheduling import make_schedule
from tests.external.vendors import ACCOUNT, GENERIC, TWILIO, make_source
from tests.factories import make_key_principal, make_principal

pytestmark = pytest.mark.django_db
TOKEN = "a-very-secret-token"
SCHEDULE = {
    "name": "Morning report",
    "content": "It is {{weekday}}.",
    "cron": "0 7 * * mon-fri",
    "time_zone": "Europe/Vienna",
    "respond": "none",
    "missed": "skip",
    "thread": "morning",
}
LINE = {"name": "Support line", "secrets-auth_token": TOKEN, "settings-account_sid": ACCOUNT}
SIGNED = {"name": "Till", "secret": SECRET}
FORMS: dict[str, tuple[str, dict[str, str], str]] = {
    "schedule": ("", SCHEDULE, "Nothing is posted by the clock yet"),
    "source": ("?kind=twilio", LINE, "No service posts here yet"),
    "authenticator": ("?kind=signature", SIGNED, "Every system uses a key"),
}
ROWS: dict[str, Callable[[Principal], Any]] = {
    "schedule": make_schedule,
    "source": lambda owner: make_source(owner, **TWILIO),
    "authenticator": lambda owner: make_authenticator(
        integration=make_key_principal(owner, "*:*").integration
    ),
}
MODELS: dict[str, Any] = {"schedule": Schedule, "source": Source, "authenticator": Authenticator}
kinds = pytest.mark.parametrize("name", list(FORMS))


@pytest.fixture
def owner() -> Principal:
    return make_principal()


BY_KEY = GENERIC | {"settings": GENERIC["settings"] | {"proof": "key"}}
WAYS_IN: dict[str, tuple[Callable[[Principal], Any], str]] = {
    "an authenticator": (ROWS["authenticator"], "authenticators"),
    "a source": (ROWS["source"], "sources"),
    "a source that takes signatures": (lambda owner: make_source(owner, **GENERIC), "sources"),
    "a source that asks for a key": (lambda owner: make_source(owner, **BY_KEY), ""),
}


@pytest.mark.parametrize("way", WAYS_IN)
def test_an_integration_without_a_key_names_its_other_ways_in(owner: Principal, way: str) -> None:
    make, listed = WAYS_IN[way]
    row = make(owner)
    browser, nobody = signed_in(owner), "nobody can come in"
    pages = [reverse("integration", args=[row.integration_id]), reverse("integrations")]
    shown, badge = text(browser.get(pages[0])), "No key" in text(browser.get(pages[1]))
    assert (nobody not in shown) == (f'<a href="/workspace/{listed}/">{listed}</a>' in shown) == bool(listed)
    assert badge is not bool(listed)

    type(row).objects.filter(pk=row.pk).update(enabled=False)
    assert nobody in text(browser.get(pages[0]))
    assert "No key" in text(browser.get(pages[1]))


def integration_of(owner: Principal) -> Integration:
    found = make_key_principal(owner, "*:*").integration
    assert found
    return found


def words(answer: Any) -> str:
    return unescape(text(answer))


@kinds
def test_one_is_added_shown_edited_switched_and_removed(owner: Principal, name: str) -> None:
    query, form, nothing = FORMS[name]
    browser, add = signed_in(owner), reverse(f"add_{name}") + query
    assert nothing in text(browser.get(reverse(f"{name}s")))
    assert "there is none yet" in text(browser.get(add))
    author = integration_of(owner)

    added = browser.post(add, form | {"integration": str(author.pk)})
    row = MODELS[name].objects.get()
    page = reverse(name, args=[row.pk])
    assert added["Location"] == page
    assert (row.name, row.integration, row.enabled) == (form["name"], author, True)
    assert form["name"] in text(browser.get(reverse(f"{name}s")))

    edit, switch = reverse(f"edit_{name}", args=[row.pk]), reverse(f"switch_{name}", args=[row.pk])
    for shown in (browser.get(page), browser.get(edit)):
        assert "no-store" in shown["Cache-Control"]
        assert form["name"] in text(shown)
        assert TOKEN not in text(shown)
        assert SECRET not in text(shown)
    kept = {field: value for field, value in form.items() if "secret" not in field}
    assert browser.post(edit, kept | {"name": "Another"})["Location"] == page
    off = text(browser.post(switch, {"enabled": "0"}, follow=True))
    assert "Switch on" in off
    row.refresh_from_db()
    assert (row.name, row.enabled) == ("Another", False)
    assert "Switch off" in text(browser.post(switch, {"enabled": "1"}, follow=True))

    assert browser.post(reverse(f"remove_{name}", args=[row.pk]))["Location"] == reverse(f"{name}s")
    assert not MODELS[name].objects.exists()


def test_settings_are_shown_as_they_were_given(owner: Principal) -> None:
    source = ROWS["source"](owner)
    Source.objects.filter(pk=source.pk).update(
        settings={"account_sid": ACCOUNT, "map": {"each": "$.alerts[*]"}}
    )
    page = unescape(text(signed_in(owner).get(reverse("source", args=[source.pk]))))
    assert "<dt>Account SID</dt>" in page
    assert '"each": "$.alerts[*]"' in page


def test_secrets_that_are_left_empty_stay(owner: Principal) -> None:
    source, authenticator = ROWS["source"](owner), ROWS["authenticator"](owner)
    browser = signed_in(owner)
    browser.post(reverse("edit_source", args=[source.pk]), LINE | {"secrets-auth_token": ""})
    browser.post(reverse("edit_authenticator", args=[authenticator.pk]), {"name": "Till", "secret": ""})
    source.refresh_from_db()
    authenticator.refresh_from_db()
    assert source.secrets == TWILIO["secrets"]
    assert (source.settings, authenticator.secret) == ({"account_sid": ACCOUNT}, SECRET)


JWT = {"name": "Ours", "options-issuer": "https://id.example.com/", "options-audience": "chatcore"}


@pytest.mark.parametrize(
    ("place", "changes", "field", "said"),
    [
        ("schedule", {"cron": "nonsense"}, "cron", "Must be five fields"),
        ("schedule", {"cron": ""}, "cron", "`at` must be given"),
        ("schedule", {"cron": "", "at": "2001-01-01T09:00"}, "at", "Must be in the future"),
        ("schedule", {"cron": "", "at": "soon"}, "at", "This is no date and time"),
        ("schedule", {"content": "{{weather}}"}, "content", "what can be filled in is"),
        ("schedule", {"thread": "", "conversation": str(uuid.uuid4())}, "conversation", "no such thing"),
        ("schedule", {"integration": str(uuid.uuid4())}, "integration", "Select a valid choice"),
        ("source?kind=twilio", {"secrets-auth_token": ""}, "secrets-auth_token", "Must be given"),
        ("source?kind=twilio", {"settings-account_sid": ""}, "settings-account_sid", "Must be given"),
        ("source?kind=generic", {"settings-map": "{"}, "settings-map", "This is no JSON"),
        (
            "source?kind=generic",
            {"settings-map": '{"content": "$["}'},
            "settings-map",
            "content: is no JSONPath",
        ),
        ("authenticator?kind=signature", {"secret": "short"}, "secret", "its secret must be whsec_"),
        ("authenticator?kind=jwt", JWT, "options-jwks_url", "jwks_url must be given"),
        (
            "authenticator?kind=jwt",
            JWT | {"options-jwks_url": "https://id.example.com/k", "options-algorithms": "HS256"},
            "options-algorithms",
            "must be a list of some of",
        ),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(
    owner: Principal, place: str, changes: dict[str, str], field: str, said: str
) -> None:
    name = place.partition("?")[0]
    form = FORMS[name][1] | {"integration": str(integration_of(owner).pk)} | changes
    answer = signed_in(owner).post(reverse(f"add_{name}") + place.removeprefix(name), form)
    assert answer.status_code == 422
    found = re.search(rf'id="id_{field}_error">([^<]*)<', text(answer))
    assert found
    assert said in unescape(found[1])
    assert TOKEN not in text(answer)
    assert SECRET not in text(answer)
    assert not MODELS[name].objects.exists()


@pytest.mark.parametrize("name", ["source", "authenticator"])
def test_a_name_that_is_taken_is_said_beside_the_name(owner: Principal, name: str) -> None:
    query, form, _ = FORMS[name]
    form, browser = form | {"integration": str(integration_of(owner).pk)}, signed_in(owner)
    browser.post(reverse(f"add_{name}") + query, form)
    again = browser.post(reverse(f"add_{name}") + query, form)
    assert (again.status_code, MODELS[name].objects.count()) == (422, 1)
    assert re.search(r'id="id_name_error">[^<]*name already', text(again))


def test_options_keep_their_shapes(owner: Principal) -> None:
    browser = signed_in(owner)
    fields = JWT | {
        "integration": str(integration_of(owner).pk),
        "options-jwks_url": "https://id.example.com/keys",
        "options-algorithms": "RS256\nES256",
        "options-user": "email",
        "options-once": "on",
    }
    browser.post(reverse("add_authenticator") + "?kind=jwt", fields)
    authenticator = Authenticator.objects.get()
    wanted = {"algorithms": ["RS256", "ES256"], "user": "email", "once": True}
    assert {name: authenticator.options[name] for name in wanted} == wanted
    assert "unverified_email" not in authenticator.options

    KeySet.objects.create(authenticator=authenticator, keys=[{}], fetched_at=timezone.now())
    assert "1 key" in text(browser.get(reverse("authenticator", args=[authenticator.pk])))
    edit = reverse("edit_authenticator", args=[authenticator.pk])
    browser.post(edit, fields | {"name": "Renamed"})
    assert KeySet.objects.exists()  # nothing else was changed: the keys need not be fetched anew
    browser.post(edit, fields | {"options-audience": "another"})
    assert not KeySet.objects.exists()

    source = make_source(owner, **GENERIC)
    page = words(browser.get(reverse("edit_source", args=[source.pk])))
    assert '"each": "$.alerts[*]"' in page


def test_an_edit_of_the_words_moves_no_time(owner: Principal) -> None:
    schedule = make_schedule(owner)
    due = schedule.next_run_at
    form = SCHEDULE | {"cron": schedule.cron, "time_zone": "UTC", "content": "Good day."}
    edit = reverse("edit_schedule", args=[schedule.pk])
    assert signed_in(owner).post(edit, form).status_code == 302
    schedule.refresh_from_db()
    assert (schedule.content, schedule.next_run_at) == ("Good day.", due)
    signed_in(owner).post(edit, form | {"cron": "", "at": "2030-01-02T09:30", "time_zone": "Europe/Vienna"})
    schedule.refresh_from_db()
    assert schedule.next_run_at
    assert (schedule.cron, schedule.next_run_at.isoformat()) == ("", "2030-01-02T08:30:00+00:00")


@pytest.mark.parametrize(("name", "field"), [("source", "adapter"), ("authenticator", "kind")])
def test_one_whose_package_is_gone_is_shown_and_removed(owner: Principal, name: str, field: str) -> None:
    row = ROWS[name](owner)
    MODELS[name].objects.update(**{field: "gone"})
    browser, page = signed_in(owner), reverse(name, args=[row.pk])
    assert "is not installed" in text(browser.get(page))
    assert browser.get(reverse(f"edit_{name}", args=[row.pk])).status_code == 200
    switch = reverse(f"switch_{name}", args=[row.pk])
    assert 'role="alert"' in text(browser.post(switch, {"enabled": "0"}, follow=True))
    assert browser.post(reverse(f"edit_{name}", args=[row.pk]), {"name": "New"}).status_code == 422
    assert browser.post(reverse(f"remove_{name}", args=[row.pk])).status_code == 302


@kinds
def test_members_strangers_and_visitors_get_nowhere(owner: Principal, name: str) -> None:
    row, member = ROWS[name](owner), make_principal(workspace=owner.workspace, role="member")
    for client, status in ((signed_in(member), 403), (signed_in(make_principal()), 404)):
        for verb in ("", "edit_", "switch_", "remove_"):
            ask = client.get if verb in ("", "edit_") else client.post
            for pk in (row.pk, uuid.uuid4()):
                assert (verb, ask(reverse(f"{verb}{name}", args=[pk])).status_code) == (verb, status)
    for place in (f"{name}s", f"add_{name}"):
        assert signed_in(member).get(reverse(place)).status_code == 403
        assert Client().get(reverse(place))["Location"].startswith("/accounts/login/")
    assert signed_in(owner).get(reverse(f"remove_{name}", args=[row.pk])).status_code == 405
    assert MODELS[name].objects.get().enabled


@kinds
def test_the_menu_leads_those_there_who_may(owner: Principal, name: str) -> None:
    link = f'href="{reverse(f"{name}s")}"'
    assert link in text(signed_in(owner).get("/"))
    assert link not in text(signed_in(make_principal(workspace=owner.workspace, role="member")).get("/"))


@pytest.mark.parametrize("name", ["source", "authenticator"])
def test_the_kind_is_chosen_before_the_form(owner: Principal, name: str) -> None:
    integration_of(owner)
    answer = text(signed_in(owner).get(reverse(f"add_{name}")))
    links = re.findall(r'href="(\?kind=[^"]+)"', answer)
    assert len(links) >= 2
    for link in links:
        assert '<form method="post">' in text(signed_in(owner).get(reverse(f"add_{name}") + link))
    assert 'href="?kind=' in text(signed_in(owner).get(reverse(f"add_{name}") + "?kind=unknown"))
