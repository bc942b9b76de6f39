"""Who stands behind profile ids: one query for a page of rows."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils.html import format_html

from engagement.lib.keyset import KeysetChangeList
from tracking.models import Profile
from triggers.models import Rule


class NamedChangeList(KeysetChangeList):
    """A page of rows with `rule_id` and `profile_id`, which are given `rule_name` and `person_name`."""

    def get_results(self, request: Any) -> None:
        """Read the page, then the names of all its rules and people."""
        super().get_results(request)
        rules = dict(Rule.objects.values_list("pk", "name"))
        people = load_people_names(row.profile_id for row in self.result_list)
        for row in self.result_list:
            row.rule_name = rules.get(row.rule_id, f"rule {row.rule_id}")
            row.person_name = people.get(row.profile_id, "somebody")


def load_people_names(profile_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Return how each profile is called."""
    rows = Profile.objects.filter(id__in=set(profile_ids)).values_list("id", "user_id", "anonymous_id")
    return {row[0]: row[1] or f"anonymous {row[2] or ''}" for row in rows}


def link_person(profile_id: UUID, name: str) -> str:
    """Return a link to a person's page."""
    return format_html('<a href="{}">{}</a>', reverse("admin:tracking_profile_change", args=[profile_id]), name)
