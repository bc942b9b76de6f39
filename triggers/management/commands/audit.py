"""`manage.py audit`: does the table of activations hold exactly what follows from the log?"""

import json
from argparse import ArgumentParser
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from triggers.audit.compare import AuditReport, Difference, audit
from triggers.models import Rule


class Command(BaseCommand):
    """Replay the log beside production, which it does not disturb, and name every difference."""

    help = "Replay the log and compare: which activations were missed, which are unfounded. Exit status 1 if any."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--limit", type=int, default=20, help="How many differences of a kind are named (20).")
        parser.add_argument("--json", action="store_true", help="Print the whole report as JSON on one line.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Audit."""
        with tqdm(unit=" events", disable=None) as bar:

            def show(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            report = audit(show)
        if options["json"]:
            self.stdout.write(json.dumps(msgspec.to_builtins(report)))
        else:
            self._say(report, options["limit"])
        if not report.is_clean:
            raise CommandError("The table of activations is not what follows from the log.", returncode=1)

    def _say(self, report: AuditReport, limit: int) -> None:
        self.stdout.write(
            f"{report.events} events replayed (numbers {report.first_seq} to {report.last_seq}), "
            f"{report.activations} activations follow from them."
        )
        if report.set_aside:
            self.stdout.write(f"{report.set_aside} events were set aside in production and left out here too.")
        if report.erased:
            self.stdout.write(f"{report.erased} activations are of people who were erased meanwhile, and do not count.")
        names = dict(Rule.objects.values_list("pk", "name"))
        for title, found in (("Missed", report.missed), ("Unfounded", report.unfounded)):
            self.stdout.write(f"{title}: {len(found)}")
            for difference in found[:limit]:
                self.stdout.write(f"  {_describe(difference, names)}")
        for event in report.failed[:limit]:
            self.stdout.write(f"Could not be decided: event {event.id} (number {event.seq})")


def _describe(difference: Difference, names: dict[int, str]) -> str:
    rule = names.get(difference.rule_id, f"rule {difference.rule_id}")
    return f"“{rule}”, profile {difference.profile_id}, event {difference.event_id} (number {difference.event_seq})"
