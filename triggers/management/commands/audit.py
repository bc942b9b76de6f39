"""`manage.py audit`: do the table of activations and the silences in the log hold exactly what follows from the log?"""

import json
from argparse import ArgumentParser
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from triggers.audit.compare import AuditReport, Difference, audit
from triggers.audit.silences import SilenceDifference
from triggers.models import Rule


class Command(BaseCommand):
    """Replay the log beside production, which it does not disturb, and name every difference."""

    help = "Replay the log and compare: which activations and silences were missed or are unfounded. Status 1 if any."

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
            raise CommandError(_say_difference(report), returncode=1)

    def _say(self, report: AuditReport, limit: int) -> None:
        self.stdout.write(
            f"{report.events} events replayed (numbers {report.first_seq} to {report.last_seq}), "
            f"{report.activations} activations follow from them, and {report.silences} silences are among them."
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
        for title, silences in (
            ("Silences missed", report.missed_silences),
            ("Silences unfounded", report.unfounded_silences),
        ):
            self.stdout.write(f"{title}: {len(silences)}")
            for silence in silences[:limit]:
                self.stdout.write(f"  {_describe_silence(silence, names)}")
        for event in report.failed[:limit]:
            self.stdout.write(f"Could not be decided: event {event.id} (number {event.seq})")


def _say_difference(report: AuditReport) -> str:
    if report.missed or report.unfounded or report.failed:
        return "The table of activations is not what follows from the log."
    return "The silences in the log are not what follows from it."


def _describe_silence(silence: SilenceDifference, names: dict[int, str]) -> str:
    name = names.get(silence.rule_id, f"rule {silence.rule_id}")
    key = f", “{silence.key}”" if silence.key else ""
    moment = silence.complete_at.isoformat(timespec="seconds")
    return f"“{name}”, profile {silence.profile_id}{key}, complete at {moment} after event {silence.last_event_id}"


def _describe(difference: Difference, names: dict[int, str]) -> str:
    rule = names.get(difference.rule_id, f"rule {difference.rule_id}")
    return f"“{rule}”, profile {difference.profile_id}, event {difference.event_id} (number {difference.event_seq})"
