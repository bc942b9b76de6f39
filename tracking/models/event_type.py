"""Event types, discovered from traffic, their schemas, and how many of each came in each minute."""

from django.conf import settings
from django.db import models


class MisfitPolicy(models.TextChoices):
    """What becomes of an event that does not fit the schema in force."""

    ACCEPT = "accept", "accept it and count it"
    QUARANTINE = "quarantine", "hold it in quarantine"
    REJECT = "reject", "reject it"


class EventType(models.Model):
    """A name that was seen in the log, with the property paths seen beside it.

    `properties` maps a dotted path to {"types": [...]}; it is what the rule form offers where no schema is in force.
    Values are nowhere kept: examples are read from the log by `EventSample`, so that they go with their event.
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
    policy = models.CharField(
        max_length=10,
        choices=MisfitPolicy.choices,
        default=MisfitPolicy.ACCEPT,
        db_default=MisfitPolicy.ACCEPT,
        verbose_name="what does not fit",
        help_text="What becomes of an event that does not fit the approved schema. Without one, every event fits.",
    )
    in_force = models.ForeignKey(
        "tracking.SchemaVersion", null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    found_by = models.IntegerField(null=True, editable=False, help_text="The source that sent it first.")
    first_seen_at = models.DateTimeField(null=True, blank=True)
    last_seen_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class SchemaVersion(models.Model):
    """What an event's properties look like, as JSON Schema 2020-12. Its text never changes: an edit is a new version.

    It is a draft until somebody approves it. `EventType.in_force` is the one approved version that counts.
    """

    event_type = models.ForeignKey(EventType, on_delete=models.CASCADE, related_name="versions")
    number = models.IntegerField()
    schema = models.TextField(help_text="The JSON as it was written: the order of its names is the author's.")
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    approved_at = models.DateTimeField(null=True)
    approved_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ["event_type", "number"]
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["event_type", "number"], name="schema_version_number")]

    def __str__(self) -> str:
        return f"{self.event_type} v{self.number}"

    @property
    def is_draft(self) -> bool:
        """Whether nobody has approved it yet."""
        return self.approved_at is None


class EventCount(models.Model):
    """How many events of a name a lane took in a minute, kept by the evaluator (primary key (minute, lane, ...))."""

    pk = models.CompositePrimaryKey("minute", "lane", "source_id", "name")
    minute = models.DateTimeField()
    lane = models.SmallIntegerField()
    source_id = models.IntegerField()
    name = models.TextField()
    received = models.IntegerField()
    without_identity = models.IntegerField(default=0)
    misfits = models.IntegerField(default=0, db_default=0)
    dropped_ids = models.IntegerField(default=0, db_default=0)
    dropped_statements = models.IntegerField(default=0, db_default=0)

    class Meta:
        db_table = "event_count"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.minute} {self.name}"


class EventSample(models.Model):
    """An event of the log that shows what its type looks like: the newest few of each name and source."""

    name = models.TextField()
    source_id = models.IntegerField()
    event_id = models.UUIDField()

    class Meta:
        db_table = "event_sample"
        default_permissions = ()
        indexes = [models.Index(fields=["name", "-id"], name="event_sample_newest")]

    def __str__(self) -> str:
        return f"{self.name} {self.event_id}"


class EventHour(models.Model):
    """How many events of a name a source sent in an hour, summed from the counts by minute.

    The name '' stands for all names that are not event types: more names than a source may bring.
    """

    pk = models.CompositePrimaryKey("name", "hour", "source_id")
    name = models.TextField()
    hour = models.DateTimeField(db_index=True)
    source_id = models.IntegerField()
    received = models.BigIntegerField()
    misfits = models.BigIntegerField(default=0)

    class Meta:
        db_table = "event_hour"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.hour} {self.name}"


class CountedUntil(models.Model):
    """The moment before which the counts by minute were final when they were last summed. One row."""

    until = models.DateTimeField()

    class Meta:
        db_table = "event_hour_until"
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.until)
