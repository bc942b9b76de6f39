"""Event types, discovered from traffic, and how many of each came in each minute."""

from django.db import models


class EventType(models.Model):
    """A name that was seen in the log, with the property paths seen beside it.

    `properties` maps a dotted path to {"types": [...], "samples": [...]}; it is what the rule form offers.
    """

    name = models.CharField(max_length=200, unique=True)
    properties = models.JSONField(default=dict, blank=True)
    is_activity = models.BooleanField(
        default=True,
        verbose_name="counts as activity",
        help_text="Whether this event shows that a person is active.",
    )
    server_only = models.BooleanField(
        default=False, help_text="Refused from pages and apps: only a secret key may send it."
    )
    is_derived = models.BooleanField(
        default=False, editable=False, help_text="The platform itself appends it when somebody falls silent."
    )
    first_seen_at = models.DateTimeField(null=True, blank=True)
    last_seen_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class EventCount(models.Model):
    """How many events of a name a lane took in a minute, kept by the evaluator (primary key (minute, lane, ...))."""

    pk = models.CompositePrimaryKey("minute", "lane", "source_id", "name")
    minute = models.DateTimeField()
    lane = models.SmallIntegerField()
    source_id = models.IntegerField()
    name = models.TextField()
    received = models.IntegerField()
    without_identity = models.IntegerField(default=0)

    class Meta:
        db_table = "event_count"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.minute} {self.name}"
