"""`manage.py load_demo`: the demo shop's source, rules and templates."""

from typing import Any

from django.core.management.base import BaseCommand

from engagement.demo.load import load_demo


class Command(BaseCommand):
    """Load the demo. Safe every time; prints only what it changed."""

    help = "Load the demo shop's source, rules and templates."

    def handle(self, *args: Any, **options: Any) -> None:
        """Load."""
        for change in load_demo():
            self.stdout.write(change)
