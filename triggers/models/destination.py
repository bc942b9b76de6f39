"""Destinations: other systems that are told what happens here."""

from django.db import models


class DestinationKind(models.TextChoices):
    """Whose format a destination speaks."""

    WEBHOOK = "webhook", "Webhook"
    GA4 = "ga4", "Google Analytics 4"
    MIXPANEL = "mixpanel", "Mixpanel"


class DestinationState(models.TextChoices):
    """`on` sends; `paused` keeps its place in the log and sends later; `off` has no place in the log."""

    ON = "on", "on"
    PAUSED = "paused", "paused"
    OFF = "off", "off"


class Chosen(models.TextChoices):
    """How much of something is copied."""

    ALL = "all", "all"
    SOME = "some", "only these"
    NONE = "none", "none"


class Destination(models.Model):
    """Where copies of events and activations go.

    `settings` are what the kind needs and anybody may see; `sealed` its secrets, JSON, encrypted.
    """

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=20, choices=DestinationKind.choices, editable=False)
    settings = models.JSONField(default=dict, editable=False)
    sealed = models.TextField(default="", editable=False)
    events = models.CharField(max_length=10, choices=Chosen.choices, default=Chosen.ALL)
    event_names = models.JSONField(default=list, blank=True)
    activations = models.CharField(max_length=10, choices=Chosen.choices, default=Chosen.NONE)
    rule_ids = models.JSONField(default=list, blank=True)
    traits = models.JSONField(default=list, blank=True)
    state = models.CharField(
        max_length=10, choices=DestinationState.choices, default=DestinationState.OFF, editable=False
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        permissions = [("switch_destination", "Can pause, resume and switch destinations on and off")]

    def __str__(self) -> str:
        return self.name


class DestinationProgress(models.Model):
    """How sending goes. The workers' own row: what somebody edits of a destination meanwhile stays theirs.

    `failures` counts tries in a row that the other side did not take; then nothing is tried before `retry_at`, and
    after it one request alone. `refusals` counts copies in a row that were refused, with none taken between them.
    """

    destination = models.OneToOneField(Destination, primary_key=True, on_delete=models.CASCADE, related_name="progress")
    failures = models.IntegerField(default=0)
    refusals = models.IntegerField(default=0, db_default=0)
    failing_since = models.DateTimeField(null=True)
    retry_at = models.DateTimeField(null=True)
    error = models.TextField(default="")
    error_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    worked_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.destination} {self.failures}"


class CopyLease(models.Model):
    """A worker holds a lane of a destination, by its token, while it sends.

    `batch_end` is the seq with which the batch ends: who takes over from a worker that died sends the same batch again.
    `strikes` counts tries in a row whose copies were not taken while those of other lanes were; then the lane is tried
    carefully, and not before `retry_at`.
    """

    pk = models.CompositePrimaryKey("destination_id", "lane")
    destination = models.ForeignKey(Destination, on_delete=models.CASCADE, related_name="+")
    lane = models.SmallIntegerField()
    token = models.UUIDField()
    lease_until = models.DateTimeField()
    batch_end = models.BigIntegerField(default=0)
    tried_at = models.DateTimeField(null=True)
    taken_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    retry_at = models.DateTimeField(null=True)
    strikes = models.SmallIntegerField(default=0, db_default=0)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.destination_id} {self.lane}"


class CopyCount(models.Model):
    """What became of copies, by hour."""

    pk = models.CompositePrimaryKey("destination_id", "hour")
    destination = models.ForeignKey(Destination, on_delete=models.CASCADE, related_name="+")
    hour = models.DateTimeField()
    sent = models.IntegerField(default=0)
    refused = models.IntegerField(default=0)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.destination_id} {self.hour}"


class RefusedCopy(models.Model):
    """A copy that the other side refused for good, with its words. `copy_id` is the event's or the activation's id."""

    pk = models.CompositePrimaryKey("destination_id", "copy_id", "lane")
    destination = models.ForeignKey(Destination, on_delete=models.CASCADE, related_name="+")
    copy_id = models.UUIDField()
    lane = models.SmallIntegerField()
    name = models.TextField()
    reason = models.TextField()
    refused_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        verbose_name_plural = "refused copies"
        indexes = [models.Index(fields=["destination", "refused_at"], name="refused_copy_latest")]

    def __str__(self) -> str:
        return f"{self.name} {self.copy_id}"
