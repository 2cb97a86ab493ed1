"""`manage.py up`: everything on this machine in one process: Postgres, migrations, first set-up, web, worker."""

import contextlib
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from chatcore import embedded
from chatcore.accounts import bootstrap
from chatcore.processes import preconditions, web
from chatcore.processes.database import EmbeddedDatabase
from chatcore.processes.supervisor import Part, PartFailedError, supervise
from chatcore.processes.worker import Worker


class Command(BaseCommand):
    help = "Run everything on this machine: database, web server and worker. HOST and PORT say where."

    def handle(self, *_: Any, **__: Any) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):  # until the event loop takes over
            signal.signal(number, lambda *_: sys.exit(0))
        try:
            with contextlib.ExitStack() as stack:
                self._run(stack)
        except (embedded.EmbeddedError, web.AddressError, PartFailedError) as error:
            raise CommandError(str(error)) from None

    def _run(self, stack: contextlib.ExitStack) -> None:
        listener = stack.enter_context(web.listen(settings.HOST, settings.PORT))
        server = None
        if settings.EMBEDDED_POSTGRES:
            server = stack.enter_context(embedded.Server(settings.DATA_DIR))
        stack.callback(_close_pools)
        preconditions.database()
        preconditions.layer()
        first = self._prepare()
        supervise(
            lambda: _parts(listener, server, lambda: self._announce(first)),
            abandon=server.interrupt if server else lambda: None,
        )

    def _prepare(self) -> bootstrap.FirstRun | None:
        with preconditions.alone_migrating():
            preconditions.up_to_date(self.stdout.write)
            return bootstrap.first_run()

    def _announce(self, first: bootstrap.FirstRun | None) -> None:
        self.stdout.write(f"Chatcore is running at {settings.PUBLIC_URL}/")
        if first:
            self.stdout.write(f"Sign in as the owner, once: {first.sign_in_link}")
        if first and first.curl_example:
            self.stdout.write(f"Try the API:\n{first.curl_example}")
        else:
            self.stdout.write(f"Keys for the API are made at {settings.PUBLIC_URL}/workspace/integrations/")
        self.stdout.write("Ctrl-C stops everything.")
        self.stdout.flush()


def _parts(
    listener: socket.socket, server: embedded.Server | None, announce: Callable[[], None]
) -> Sequence[Part]:
    """In the order they are stopped."""
    parts: list[Part] = [web.Web(listener, announce), Worker(settings.REPLY_CONCURRENCY)]
    return [*parts, EmbeddedDatabase(server)] if server else parts


def _close_pools() -> None:
    for connection in connections.all(initialized_only=True):
        connection.close()
        close_pool = getattr(connection, "close_pool", None)
        if close_pool:
            close_pool()
