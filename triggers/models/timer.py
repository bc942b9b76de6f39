"""Timers: A has been seen for a key, B is awaited until `due_at`."""

from django.db import models


class Timer(models.Model):
    """One wait of a rule for a profile and key. Primary key in the database (lane, rule_id, profile_id, key).

    Armed and moved by the event that starts the wait, deleted by the one that ends it or when it has fired.
    """

    pk = models.CompositePrimaryKey("lane", "rule_id", "profile_id", "key")
    lane = models.SmallIntegerField()
    rule_id = models.BigIntegerField()
    profile_id = models.UUIDField()
    key = models.TextField(default="")
    event_id = models.UUIDField()
    seq = models.BigIntegerField()
    occurred_at = models.DateTimeField()
    due_at = models.DateTimeField()

    class Meta:
        db_table = "timer"
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.rule_id} {self.profile_id} {self.key}"
