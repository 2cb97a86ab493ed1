"""System checks of the settings and the database."""

import pytest
from django.db import connection
from pytest_django import Settings

from chatcore import checks


def test_a_single_process_needs_no_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "1")
    assert checks.web_concurrency() == []


def test_several_processes_without_redis_are_an_error(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    assert [problem.id for problem in checks.web_concurrency()] == ["chatcore.E001"]
    settings.REDIS_URL = "redis://127.0.0.1:6379/0"
    assert checks.web_concurrency() == []


def test_a_shared_database_wants_its_secrets_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    assert checks.secret_of_external_database() == []
    settings.EMBEDDED_POSTGRES = False
    assert [problem.id for problem in checks.secret_of_external_database()] == ["chatcore.W001"]
    monkeypatch.setenv("SECRET_KEY", "from the environment")
    assert checks.secret_of_external_database() == []


@pytest.mark.django_db
def test_the_embedded_database_passes() -> None:
    assert checks.postgres(databases=["default"]) == []
    assert checks.postgres(databases=None) == []


@pytest.mark.django_db(transaction=True)
def test_a_database_that_knows_only_ascii_does_not() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "create database only_ascii template template0 locale_provider builtin builtin_locale 'C'"
        )
    original = connection.settings_dict["NAME"]
    try:
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]
        connection.settings_dict["NAME"] = "only_ascii"
        assert [problem.id for problem in checks.postgres(databases=["default"])] == ["chatcore.E004"]
    finally:
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]
        connection.settings_dict["NAME"] = original
        with connection.cursor() as cursor:
            cursor.execute("drop database only_ascii")
