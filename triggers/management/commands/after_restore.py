"""`manage.py after_restore`: what was sent since a backup must not be sent again once it is restored."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from tracking.log.horizon import record_tick
from tracking.registry import get_registry
from triggers.deliver.restored import (
    Restored,
    advance_sequence,
    count_at_work,
    look_at_restored,
    put_in_doubt,
)
from triggers.detect.scan_silence import scan_silence
from triggers.detect.scan_timers import scan_timers
from triggers.worker import close_worker, get_worker

_ADVICE = """What happened after the backup is not in it. Before worker and beat start:
- Erase again who was erased since: their data are back.
- Suppress again who unsubscribed or bounced since, as far as the mail server's log tells.
Then settle what is in doubt under Deliveries, In doubt."""


class Command(BaseCommand):
    """Decide what the restored log holds, and put in doubt whatever may have been sent since the backup."""

    help = "Run after a restore, before worker and beat start: put in doubt what may have been sent since the backup."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--dry-run", action="store_true", help="Only say what would be done.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Look, and unless it is a dry run, act."""
        if options["dry_run"]:
            self._preview(look_at_restored())
            return
        if at_work := count_at_work():
            raise CommandError(f"Stop worker and beat first: {at_work} connections of theirs are open.")
        advance_sequence()
        try:
            events = sum(catch_up())
        finally:
            close_worker()
        self.stdout.write(f"{events} events were decided, silences since the backup included.")
        self._list(look_at_restored())
        self.stdout.write(f"{put_in_doubt()} messages are in doubt now.")
        self.stdout.write(_ADVICE)

    def _preview(self, found: Restored) -> None:
        self._list(found)
        self.stdout.write(f"{sum(found.doubtful.values())} messages would be put in doubt.")
        if found.undecided:
            self.stdout.write(f"{found.undecided} events are still to be decided; so would what follows from them.")
        if found.is_set_back:
            self.stdout.write(
                f"The log's sequence stands at {found.sequence}, behind {found.greatest}: it would be set forward."
            )

    def _list(self, found: Restored) -> None:
        for name, number in found.doubtful.items():
            self.stdout.write(f"{number:>8}  {name}")


def catch_up() -> Iterator[int]:
    """Decide whatever the log holds and find each silence up to now; yield how many events were decided."""
    worker = get_worker()
    while True:
        report = worker.evaluator.run_pass()
        yield report.events
        record_tick(worker.connection)
        written = scan_silence(worker.connection, worker.book, get_registry())
        written += scan_timers(worker.connection, worker.book)
        if not written and not report.events:
            return
