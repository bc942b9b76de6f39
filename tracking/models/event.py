"""The event log and what guards it from doubles. The tables are made by SQL in the first migration."""

from django.db import models


class EventOrigin(models.IntegerChoices):
    """Where an event comes from. Only live, derived and response events start rules."""

    LIVE = 0, "live"
    IMPORT = 1, "import"
    DERIVED = 2, "derived"
    RESPONSE = 3, "response"
    SYSTEM = 4, "system"


class Event(models.Model):
    """One row of the append-only log: partitioned by `id`, primary key (id, lane).

    `seq` is the order of the log; `lane` (0 to 63) the unit of parallel work; `occurred_at` is corrected for clock
    skew; `received_at` is the database's clock at the append. `depth` counts derivations: 0 for what an app sent.
    """

    id = models.UUIDField(primary_key=True)
    seq = models.BigIntegerField()
    lane = models.SmallIntegerField()
    profile_id = models.UUIDField()
    name = models.TextField()
    properties = models.JSONField(default=dict)
    context = models.JSONField(default=dict)
    source_id = models.IntegerField(null=True)
    origin = models.SmallIntegerField(choices=EventOrigin.choices)
    depth = models.SmallIntegerField(default=0)
    message_id = models.TextField(null=True)
    user_id = models.TextField(null=True)
    anonymous_id = models.TextField(null=True)
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField()

    class Meta:
        db_table = "event"
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.name} {self.id}"


class EventDedup(models.Model):
    """The message ids of the last seven days whose event id cannot carry the client's own time.

    Only such events pay for it. `key` is a hash of (source, profile, message id, client timestamp).
    """

    key = models.UUIDField(primary_key=True)
    lane = models.SmallIntegerField()
    event_id = models.UUIDField()
    created_at = models.DateTimeField()

    class Meta:
        db_table = "event_dedup"
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.key)
