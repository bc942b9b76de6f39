"""Activations: a rule matched for a profile because of an event."""

from django.db import models


class Activation(models.Model):
    """Primary key in the database (id, lane); `id` is computed from the rule and the event.

    `trace` is the tree of every condition with its actual value and outcome. `released_seq` is the place in the log
    that says that its message was not sent: for later events it does not count. `is_once` rows without it are unique
    for (lane, rule, profile).
    """

    id = models.UUIDField(primary_key=True)
    lane = models.SmallIntegerField()
    profile_id = models.UUIDField()
    rule_id = models.BigIntegerField()
    rule_version_id = models.BigIntegerField()
    event_id = models.UUIDField()
    event_seq = models.BigIntegerField()
    occurred_at = models.DateTimeField()
    is_once = models.BooleanField(default=False)
    released_seq = models.BigIntegerField(null=True)
    trace = models.JSONField()
    created_at = models.DateTimeField()

    class Meta:
        db_table = "activation"
        default_permissions = ("view",)

    def __str__(self) -> str:
        return str(self.id)
