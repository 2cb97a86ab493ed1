"""Django in this process, for benchmarks that call the code themselves. Import it before anything with models."""

import gc
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import django
from django.core.management import call_command
from django.db import connection

from bench import installation

os.environ |= {"DJANGO_SETTINGS_MODULE": "chatcore.settings", "CHATCORE_NO_DETECT": "1"}
django.setup()
gc.freeze()  # as Chatcore's own processes do


@contextmanager
def database() -> Iterator[None]:
    """A migrated database on a durable Postgres of this run's own."""
    with installation.postgres():
        call_command("migrate", verbosity=0)
        try:
            yield
        finally:
            # A last ring for the workers may find no connection; nobody minds.
            logging.disable(logging.WARNING)
            connection.close()
            connection.close_pool()  # type: ignore[attr-defined]
