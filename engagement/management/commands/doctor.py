"""`manage.py doctor`: what is wrong with the installation, and what to do."""

from argparse import ArgumentParser
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError

from engagement.doctor import State, examine, is_failing

_MARKS = {State.OK: "ok", State.WARNING: "WARNING", State.FAILING: "FAILING", State.UNKNOWN: "?"}


class Command(BaseCommand):
    """Look at every part of the installation and at what waits for a person."""

    help = "Say what is wrong with the installation. Exit status 1 if something fails; warnings leave it at 0."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--json", action="store_true", help="Print the list as JSON on one line.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Examine."""
        found = examine()
        if options["json"]:
            self.stdout.write(msgspec.json.encode({"failing": is_failing(found), "findings": found}).decode())
        else:
            for one in found:
                self.stdout.write(f"{_MARKS[one.state]:<8} {one.name}: {one.says}")
                if one.hint:
                    self.stdout.write(f"{'':<8} {one.hint}")
        if is_failing(found):
            raise CommandError("Something fails.", returncode=1)
