"""`manage.py source add NAME [--origin URL]… [--scope SCOPE]…`: make a source and print its keys."""

from argparse import ArgumentParser
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError

from tracking.models import DEFAULT_SCOPES, Scope
from tracking.origins import OriginRefused
from tracking.sources import create_source


class Command(BaseCommand):
    """Make a source. Prints one JSON object on one line; the secret key is not shown again."""

    help = "Make a source and print its keys as one line of JSON: the secret key is shown only here."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare `add NAME [--origin URL]… [--scope SCOPE]…`."""
        actions = parser.add_subparsers(dest="action", required=True)
        add = actions.add_parser("add", help="Make a source.")
        add.add_argument("name")
        add.add_argument("--origin", action="append", default=[], help="A page's origin, such as https://shop.example")
        may = f"What the secret key may do, once for each; without any: {' and '.join(DEFAULT_SCOPES)}."
        add.add_argument("--scope", action="append", choices=Scope.values, help=may)

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the source."""
        try:
            _, keys = create_source(options["name"], options["origin"], options["scope"] or DEFAULT_SCOPES)
        except OriginRefused as error:
            raise CommandError(str(error)) from None
        except IntegrityError as error:
            raise CommandError("A source with this name, or of one of these origins, exists already.") from error
        self.stdout.write(msgspec.json.encode(keys).decode())
