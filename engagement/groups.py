"""The groups that come with the product, and what each may do."""

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db.models import Q

GROUPS: dict[str, tuple[str, ...]] = {
    "Marketer": (
        "triggers.view_rule",
        "triggers.add_rule",
        "triggers.change_rule",
        "triggers.delete_rule",
        "triggers.activate_rule",
        "triggers.view_template",
        "triggers.add_template",
        "triggers.change_template",
        "triggers.delete_template",
        "triggers.view_activation",
        "triggers.view_delivery",
        "triggers.view_destination",
        "tracking.view_profile",
        "tracking.view_eventtype",
    ),
    "Developer": (
        "tracking.view_source",
        "tracking.add_source",
        "tracking.change_source",
        "tracking.delete_source",
        "tracking.view_allowedorigin",
        "tracking.add_allowedorigin",
        "tracking.change_allowedorigin",
        "tracking.delete_allowedorigin",
        "tracking.view_hook",
        "tracking.add_hook",
        "tracking.change_hook",
        "tracking.delete_hook",
        "tracking.view_event",
        "tracking.view_eventtype",
        "tracking.change_eventtype",
        "tracking.view_quarantined",
        "tracking.change_quarantined",
        "tracking.delete_quarantined",
        "tracking.view_setaside",
        "triggers.view_rule",
        "triggers.view_destination",
        "triggers.add_destination",
        "triggers.change_destination",
        "triggers.delete_destination",
        "triggers.switch_destination",
    ),
    "Operator": (
        "django_celery_beat.view_periodictask",
        "django_celery_beat.change_periodictask",
        "django_celery_beat.view_intervalschedule",
        "django_celery_beat.add_intervalschedule",
        "tracking.view_setaside",
        "tracking.decide_again",
        "tracking.view_erasure",
        "triggers.view_rule",
        "triggers.view_delivery",
        "triggers.settle_delivery",
        "triggers.view_sendingswitch",
        "triggers.stop_sending",
        "triggers.view_destination",
        "triggers.switch_destination",
    ),
    "Privacy": (
        "tracking.view_profile",
        "tracking.export_person",
        "tracking.erase_person",
        "tracking.grant_privacy",
        "tracking.view_erasure",
    ),
}


def ensure_groups(**_: Any) -> None:
    """Make the groups that are lacking; what somebody changed in one that is there stays."""
    for name, permissions in GROUPS.items():
        group, is_new = Group.objects.get_or_create(name=name)
        if is_new:
            group.permissions.set(_find_permissions(permissions))


def _find_permissions(names: tuple[str, ...]) -> list[Permission]:
    wanted = Q(pk__in=())
    for name in names:
        app, codename = name.split(".")
        wanted |= Q(content_type__app_label=app, codename=codename)
    return list(Permission.objects.filter(wanted))
