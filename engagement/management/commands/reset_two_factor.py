"""`manage.py reset_two_factor USERNAME`: for who has lost the phone and the codes."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from engagement.admin.two_factor import forget_devices


class Command(BaseCommand):
    """Forget somebody's app and codes. They sign in by their password, and set it up again where it is demanded."""

    help = "Forget somebody's second factor, so that they can sign in by their password and set it up again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the name."""
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        """Forget the devices."""
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"Nobody is called {options['username']}.")
        number = forget_devices(user)
        self.stdout.write("Two-factor login is reset." if number else "There was no second factor.")
