"""Profiles: a projection of the log that the evaluator keeps."""

from django.db import models


class Profile(models.Model):
    """A person, known (`user_id`) or anonymous (`anonymous_id` of a source). Primary key in the database (id, lane).

    `public_traits` names the traits that pages gave their value; `dropped_statements` counts what said more than fits.
    `seen_at` is the received_at of the last live activity, moved in steps; `linked_to` the known profile that an
    anonymous one joined, by a sign-in at `linked_seq` of the log; `joined` maps the profiles that joined this one to
    the spans of the log in which they belong to it. `asked` lists those that were asked to join.
    """

    id = models.UUIDField(primary_key=True)
    lane = models.SmallIntegerField()
    user_id = models.TextField(null=True)
    anonymous_id = models.TextField(null=True)
    source_id = models.IntegerField(null=True)
    traits = models.JSONField(default=dict)
    public_traits = models.JSONField(default=list, db_default=[])
    dropped_statements = models.IntegerField(default=0, db_default=0)
    seen_at = models.DateTimeField(null=True)
    linked_to = models.UUIDField(null=True)
    linked_seq = models.BigIntegerField(default=0, db_default=0)
    joined = models.JSONField(default=dict)
    asked = models.JSONField(default=list)
    applied_seq = models.BigIntegerField(default=0)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "profile"
        default_permissions = ("view",)
        verbose_name, verbose_name_plural = "person", "people"

    def __str__(self) -> str:
        return self.user_id or f"anonymous {self.anonymous_id}"


class ProfileChange(models.Model):
    """A copy of each identify and link, so that profiles can be rebuilt after retention dropped the events."""

    id = models.UUIDField(primary_key=True)
    lane = models.SmallIntegerField()
    profile_id = models.UUIDField()
    seq = models.BigIntegerField()
    patch = models.JSONField()

    class Meta:
        db_table = "profile_change"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.profile_id} {self.seq}"
