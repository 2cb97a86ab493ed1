"""The pages of usage as a browser gets them, and the staff's."""

import re
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chatcore.accounts.principals import Principal
from chatcore.usage.charts import draw, round_up
from chatcore.usage.models import Budget, Spending
from chatcore.usage.overview import read_wish
from tests.conversations.pages.browsing import signed_in, text
from tests.factories import make_key_principal, make_model, make_principal, make_user
from tests.usage.factories import make_budget, make_usage

pytestmark = pytest.mark.django_db
FORM = {"covers": "", "model": "", "limit": "5", "unit": "money", "period": "month", "enabled": "on"}


@pytest.fixture
def owner() -> Principal:
    return make_principal(make_user(name="Nora Stern"))


def page(principal: Principal, **query: str) -> str:
    answer = signed_in(principal).get(reverse("usage"), query)
    assert answer.status_code == 200
    return text(answer)


def figures(html: str) -> dict[str, str]:
    return dict(re.findall(r"<dt>(\w+)</dt><dd>([^<]*)</dd>", html))


def test_the_page_shows_figures_days_shares_and_budgets(owner: Principal) -> None:
    make_usage(owner)
    make_usage(owner, cost=Decimal("1.20"), model_name="deep", outcome="failed")
    make_usage(owner, cost=None)
    make_budget(owner, 3)

    html = page(owner, span="7", by="model")

    assert figures(html) == {"Cost": "1.20 USD", "Tokens": "3,300", "Calls": "3", "Failed": "1"}
    assert "The cost of 1 call is unknown" in html
    assert html.count('class="chart-bar"') == 7
    assert html.count('<th scope="row">20') == 7, "the same days as a table"
    assert re.findall(r'<span dir="auto">(\w+)</span>', html) == ["plain", "deep"]
    assert "3 requests a month" in html
    assert "3 requests spent" in html
    assert 'class="budget spent"' in html
    assert "style=" not in html
    assert "<script>" not in html


def test_owners_see_everybody_and_members_themselves(owner: Principal) -> None:
    member = make_principal(workspace=owner.workspace, role="member")
    make_usage(owner)
    make_usage(member)
    make_budget(owner)
    make_budget(owner, 7, user=member.user)

    assert figures(page(owner))["Calls"] == "2"
    html = page(member, by="user")
    assert figures(html)["Calls"] == "1"
    assert "Nora Stern" not in html
    assert "7 requests a month" in html
    assert "10 requests a month" not in html
    assert reverse("add_budget") not in html
    assert figures(page(make_principal()))["Calls"] == "0"


def test_the_address_chooses_days_groups_and_measure(owner: Principal) -> None:
    outside = make_key_principal(owner)
    make_usage(outside, created_at=datetime(2026, 2, 3, tzinfo=UTC))
    html = page(owner, **{"from": "2026-02-01", "to": "2026-02-28", "by": "integration", "measure": "cost"})
    assert outside.integration
    assert outside.integration.name in html
    assert "<title>2026-02-03: 0.0030 USD</title>" in html
    assert "from=2026-02-01&amp;to=2026-02-28&amp;format=csv" in html
    assert figures(page(owner))["Calls"] == "0"


def test_an_address_that_makes_no_sense_still_leads_to_a_page(owner: Principal) -> None:
    for query in (
        {"from": "x", "to": "y"},
        {"span": "∞"},
        {"by": "moon", "measure": "love"},
        {"from": "2026-01-01"},
    ):
        assert "Usage" in page(owner, **query)


def test_days_are_chosen_in_utc_and_never_too_many() -> None:
    today = date(2026, 3, 15)
    wish = read_wish({"span": "before"}, today)
    assert (str(wish.begin), str(wish.end)) == ("2026-02-01", "2026-02-28")
    assert str(read_wish({"span": "month"}, today).begin) == "2026-03-01"
    assert str(read_wish({"span": "7"}, today).begin) == "2026-03-09"
    wide = read_wish({"from": "2001-01-01", "to": "2026-03-15"}, today)
    assert (wide.end - wide.begin).days == 365
    assert read_wish({"from": "2026-03-02", "to": "2026-03-01"}, today).span == "30"


def test_a_budget_is_added_edited_and_removed(owner: Principal) -> None:
    member = make_principal(workspace=owner.workspace, role="member")
    model = make_model("deep")
    browser = signed_in(owner)
    assert "The whole workspace" in text(browser.get(reverse("add_budget")))

    assert member.user
    chosen = FORM | {"covers": f"user:{member.user.pk}", "model": str(model.pk), "strict": "on"}
    assert browser.post(reverse("add_budget"), chosen)["Location"] == reverse("usage")
    budget = Budget.objects.get()
    assert (budget.user, budget.model, budget.limit, budget.strict) == (member.user, model, 5, True)

    address = reverse("edit_budget", args=[budget.pk])
    assert 'value="5"' in text(browser.get(address))
    browser.post(address, FORM | {"limit": "7.5"})
    budget.refresh_from_db()
    assert (budget.user, budget.limit, budget.strict) == (None, Decimal("7.5"), False)

    browser.post(reverse("remove_budget", args=[budget.pk]))
    assert not Budget.objects.exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"limit": "-1"}, "more than nothing"),
        ({"limit": "much"}, "Enter a number"),
        ({"limit": "1.5", "unit": "tokens"}, "whole numbers"),
        ({"covers": "user:nobody"}, "not one of the available choices"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(
    owner: Principal, changes: dict[str, str], words: str
) -> None:
    answer = signed_in(owner).post(reverse("add_budget"), FORM | changes)
    assert answer.status_code == 422
    assert words in text(answer)
    assert not Budget.objects.exists()


def test_a_second_budget_of_the_same_kind_is_refused_in_words(owner: Principal) -> None:
    make_budget(owner, 5, "money")
    answer = signed_in(owner).post(reverse("add_budget"), FORM)
    assert "There is such a budget already" in text(answer)


def test_members_and_strangers_change_no_budget(owner: Principal) -> None:
    budget = make_budget(owner)
    member = make_principal(workspace=owner.workspace, role="member")
    edit, remove = (reverse(name, args=[budget.pk]) for name in ("edit_budget", "remove_budget"))
    absent = reverse("edit_budget", args=[uuid.uuid4()])
    for client, status in ((signed_in(member), 403), (signed_in(make_principal()), 404)):
        assert client.get(edit).status_code == client.get(absent).status_code == status
        assert client.post(edit, FORM).status_code == status
        assert client.post(remove).status_code == status
    assert signed_in(member).get(reverse("add_budget")).status_code == 403
    assert Client().get(edit)["Location"].startswith("/accounts/login/")
    assert Budget.objects.get().limit == 10


def test_what_staff_set_is_shown_and_leads_nowhere(owner: Principal) -> None:
    budget = make_budget(owner, set_by_staff=True)
    html = page(owner)
    assert "10 requests a month" in html
    assert "Set by staff" in html
    assert reverse("edit_budget", args=[budget.pk]) not in html
    browser = signed_in(owner)
    for name in ("edit_budget", "remove_budget"):
        answer = browser.post(reverse(name, args=[budget.pk]), FORM)
        assert answer.status_code == 403
        assert "only they change or remove it" in text(answer)
    assert Budget.objects.get().limit == 10


def test_what_a_budget_has_spent_is_told_to_staff(staff: Client, owner: Principal) -> None:
    make_usage(owner)
    make_budget(owner, 1)
    page(owner)
    listed = text(staff.get(reverse("admin:usage_budget_changelist")))
    assert "1 request: all of it" in listed


def test_the_way_to_prices_is_shown_to_who_enters_them(owner: Principal) -> None:
    make_usage(owner, cost=None)
    assert "Enter prices of models" not in page(owner)
    assert owner.user
    owner.user.is_staff = True
    owner.user.save()
    assert "Enter prices of models" in page(owner)


def test_the_menu_leads_there(owner: Principal) -> None:
    assert f'href="{reverse("usage")}"' in text(signed_in(owner).get("/"))


@pytest.mark.parametrize(
    ("value", "top"),
    [("0", "1"), ("0.0034", "0.004"), ("1", "1"), ("21", "30"), ("999", "1000"), ("2000", "2000")],
)
def test_a_chart_ends_at_a_round_number(value: str, top: str) -> None:
    assert round_up(Decimal(value)) == Decimal(top)


def test_bars_are_as_high_as_their_values_and_little_is_still_seen() -> None:
    chart = draw([Decimal(0), Decimal(50), Decimal(100), Decimal("0.001")], ["a", "b", "c", "d"])
    assert [bar.height for bar in chart.bars] == ["0.00", "50.00", "100.00", "0.80"]
    assert [bar.y for bar in chart.bars] == ["100.00", "50.00", "0.00", "99.20"]


# --- Staff ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(
        make_user(is_staff=True, is_superuser=True), backend="django.contrib.auth.backends.ModelBackend"
    )
    return client


def test_staff_look_at_every_table_and_change_budgets_alone(staff: Client, owner: Principal) -> None:
    row, budget = make_usage(owner), make_budget(owner)
    for model in apps.get_app_config("usage").get_models():
        if model._meta.managed:
            name = model._meta.model_name
            assert staff.get(reverse(f"admin:usage_{name}_changelist")).status_code == 200, name
            assert staff.get(reverse(f"admin:usage_{name}_add")).status_code == (
                200 if name == "budget" else 403
            )
    assert ">0.003 USD<" in text(staff.get(reverse("admin:usage_usage_changelist")))
    ledger = reverse("admin:usage_usage_change", args=[row.pk])
    assert staff.get(ledger).status_code == 200
    assert staff.post(ledger, {"model_name": "other"}).status_code == 403
    assert staff.post(reverse("admin:usage_usage_delete", args=[row.pk]), {"post": "yes"}).status_code == 403

    added = text(staff.get(reverse("admin:usage_budget_add")))
    assert re.search(r'name="set_by_staff"[^>]* checked', added), "what staff add is theirs"
    address = reverse("admin:usage_budget_change", args=[budget.pk])
    Spending.objects.create(budget=budget, starts_on=timezone.now().date())
    fields = {"workspace": str(owner.workspace.pk), "unit": "tokens", "period": "month", "currency": "USD"}
    assert staff.post(address, fields | {"limit": "99", "enabled": "on"}).status_code == 302
    budget.refresh_from_db()
    assert (budget.unit, budget.limit) == ("tokens", 99)
    assert not Spending.objects.exists(), "what is counted otherwise is counted anew"
    assert "whole numbers" in text(staff.post(address, fields | {"limit": "1.5"}))
