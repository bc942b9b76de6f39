#!/usr/bin/env python
"""Django's command line for the engagement platform."""

import os
import sys

from django.core.management import execute_from_command_line

from engagement.local.state import load_services

WITHOUT_DATABASE = {"help", "--help", "-h", "--version", "makemigrations", "collectstatic", "startapp"}


def check_database(arguments: list[str]) -> None:
    """Say in one sentence that no database is known, before a command fails at length."""
    needs_database = bool(arguments) and arguments[0] not in WITHOUT_DATABASE and "--help" not in arguments
    if needs_database and "DATABASE_URL" not in os.environ and not load_services():
        sys.exit("No database: start the platform with `make run`, or set DATABASE_URL.")


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "engagement.settings")
    check_database(sys.argv[1:])
    execute_from_command_line(sys.argv)
