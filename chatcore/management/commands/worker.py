"""`manage.py worker`: jobs and replies only. Any number of them, on any number of machines."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from chatcore.processes import preconditions
from chatcore.processes.supervisor import PartFailedError, supervise
from chatcore.processes.worker import Worker


class Command(BaseCommand):
    help = "Run jobs. Needs REDIS_URL to reach the web processes, and a database that is up to date."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--concurrency", type=int, default=settings.REPLY_CONCURRENCY, help="Jobs at once."
        )

    def handle(self, *_: Any, concurrency: int, **__: Any) -> None:
        preconditions.part_of_many()
        try:
            supervise(lambda: [Worker(concurrency, lambda: self.stdout.write("The worker is running."))])
        except PartFailedError as error:
            raise CommandError(str(error)) from None
