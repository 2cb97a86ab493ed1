"""`manage.py serve`: web only. Any number of them, on any number of machines."""

import os
import socket
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from chatcore.llm.service import ProvidersOfWeb
from chatcore.processes import preconditions, web
from chatcore.processes.children import Children
from chatcore.processes.supervisor import Part, PartFailedError, supervise


class Command(BaseCommand):
    help = (
        "Serve the web and the API. Needs REDIS_URL to reach the workers, and a database that is up to date."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--workers", type=int, default=int(os.environ.get("WEB_CONCURRENCY", "1")))
        parser.add_argument("--host", default=settings.HOST)
        parser.add_argument("--port", type=int, default=settings.PORT)
        parser.add_argument(
            "--fd", type=int, help="Serve on this inherited socket (used between our processes)."
        )

    def handle(self, *_: Any, workers: int, host: str, port: int, fd: int | None, **__: Any) -> None:
        announce = (lambda: None) if fd else lambda: self.stdout.write(f"Serving at http://{host}:{port}/")
        try:
            with web.listen(host, port) if fd is None else socket.socket(fileno=fd) as listener:
                preconditions.part_of_many()
                supervise(lambda: [_part(listener, workers, announce), ProvidersOfWeb()])
        except (web.AddressError, PartFailedError) as error:
            raise CommandError(str(error)) from None


def _part(listener: socket.socket, workers: int, announce: Callable[[], None]) -> Part:
    return web.Web(listener, announce) if workers == 1 else Children(listener, workers, announce)
