"""`manage.py prepare_local`: what a local installation needs before its first page."""

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command, get_commands
from django.core.management.base import BaseCommand

_EMAIL = "admin@example.com"


class Command(BaseCommand):
    """Migrate, make the user `admin`, load the demo's content. Safe every time."""

    help = "Migrate, make the user admin with the password of the state folder, load the demo's content."

    def handle(self, *args: Any, **options: Any) -> None:
        """Prepare."""
        call_command("migrate", verbosity=0)
        self._ensure_admin()
        if "load_demo" in get_commands():
            call_command("load_demo")

    def _ensure_admin(self) -> None:
        password = (settings.STATE_DIR / "admin-password").read_text().strip()
        user, is_new = get_user_model().objects.get_or_create(
            username="admin", defaults={"is_staff": True, "is_superuser": True, "email": _EMAIL}
        )
        if not user.email:
            # To send oneself a test.
            user.email = _EMAIL
            user.save(update_fields=["email"])
        if is_new or not user.check_password(password):
            user.set_password(password)
            user.save(update_fields=["password"])
