"""The staff: Mara writes rules, Dev connects apps, Oskar keeps it running; each in one group only."""

from collections.abc import Callable
from ipaddress import ip_network

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Group, User
from django.test import Client

from engagement.groups import ensure_groups
from tests.admin.installation import fill_installation

Login = Callable[[str], Client]
STAFF = {"Marketer": "mara", "Developer": "dev", "Operator": "oskar"}


@pytest.fixture
def login() -> Login:
    """Return a function: a signed-in client of one group, or of a superuser for "admin"."""

    def sign_in(group: str) -> Client:
        user = User.objects.create_user(STAFF.get(group, "admin"), password="correct horse", is_staff=True)
        if group in STAFF:
            ensure_groups()
            user.groups.add(Group.objects.get(name=group))
        else:
            User.objects.filter(pk=user.pk).update(is_superuser=True)
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return sign_in


@pytest.fixture
def installation(log: None, settings: LazySettings) -> None:
    """An installation in which everything has happened."""
    settings.OUTBOUND_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    fill_installation()
