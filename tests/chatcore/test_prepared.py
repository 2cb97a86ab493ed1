"""A prepared query gives what the query itself gives, whatever thread asks and in whatever order."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from chatcore.accounts import keys
from chatcore.accounts.models import Key, Membership
from chatcore.llm.models import Model
from chatcore.prepared import Prepared
from tests.factories import make_model, make_principal


@pytest.mark.django_db
def test_related_rows_and_annotations_come_along() -> None:
    owner = make_principal(role=Membership.Role.OWNER)
    assert owner.user
    integration = owner.workspace.integrations.create(name="Bot", acts_as=owner.user)
    key, text = keys.mint(integration)
    prepared: Prepared[Key] = Prepared(
        lambda public_id: Key.objects.usable().filter(public_id=public_id), str
    )
    assert prepared("nothing") == []
    [found] = prepared(key.public_id)
    assert (found, found.role, found.integration.acts_as) == (key, "owner", owner.user)
    assert prepared.first("nothing else") is None
    assert keys.find(text) == key


@pytest.mark.django_db
def test_each_place_gets_its_own_argument() -> None:
    made = [make_model(name=name) for name in ("one", "two")]
    by_both: Prepared[Model] = Prepared(
        lambda id, name: Model.objects.filter(id=id, name=name), uuid.UUID, str
    )
    for model in made:
        assert by_both(model.id, model.name) == [model]
    assert by_both(made[0].id, made[1].name) == []


@pytest.mark.django_db(transaction=True)
def test_every_thread_asks_over_its_own_connection() -> None:
    model = make_model(name="shared")
    by_name: Prepared[Model] = Prepared(lambda name: Model.objects.filter(name=name), str)
    assert by_name("shared") == [model]

    def ask(_: int) -> list[Model]:
        try:
            return by_name("shared")
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(ask, range(20))) == [[model]] * 20


@pytest.mark.django_db
def test_an_argument_that_is_forgotten_is_noticed() -> None:
    careless: Prepared[Model] = Prepared(lambda name: Model.objects.filter(name="fixed"), str)
    with pytest.raises(AssertionError, match="does not reach"):
        careless("shared")
