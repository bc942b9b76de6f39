"""What was refused or held, kept to be read, mended and sent again, and how much of it there was."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models


class Quarantined(models.Model):
    """An item that is not in the log: its reason and its payload.

    What was refused is kept as far as there is room, cut at 32 KB. What is *held* (its type's policy says so) is kept
    whole: the client was told that we have it. `event_id` is the id that the event gets in the log, so that a retry is
    held once, and sent again lands once. `dialect` names who reads the payload.

    What came by a hook is held too, with the headers that its mapping may name; `event_id` is then of the payload.
    `people` are the profiles that it belongs to; of what was not understood, those of the ids in it and the hashes of
    its mail addresses. By them erasing a person finds it.
    """

    source = models.ForeignKey("tracking.Source", on_delete=models.CASCADE, related_name="quarantined")
    received_at = models.DateTimeField(db_index=True)
    code = models.CharField(max_length=64)
    field = models.TextField(blank=True)
    message = models.TextField()
    event_name = models.TextField(blank=True, db_default="")
    payload = models.BinaryField()
    dialect = models.CharField(max_length=32, default="native", editable=False)
    is_held = models.BooleanField(default=False, db_default=False)
    is_public = models.BooleanField(default=True, db_default=True)
    event_id = models.UUIDField(null=True)
    hook = models.ForeignKey(
        "tracking.Hook", null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="held"
    )
    headers = models.JSONField(null=True, editable=False)
    people = ArrayField(models.UUIDField(), default=list, db_default=[], editable=False)
    resent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-received_at"]
        verbose_name = "quarantined item"
        constraints = [
            models.UniqueConstraint(
                fields=["source", "event_id"], condition=models.Q(is_held=True), name="quarantined_held_once"
            ),
            models.CheckConstraint(
                condition=models.Q(is_held=False) | models.Q(event_id__isnull=False), name="quarantined_held_has_id"
            ),
        ]
        indexes = [
            # How many are held, which belong to a reason, and how many are there of each?
            models.Index(
                fields=["source", "is_held", "code", "event_name", "field", "id"],
                condition=models.Q(resent_at__isnull=True),
                name="quarantined_reasons",
            ),
            # What is kept of this person?
            GinIndex(fields=["people"], name="quarantined_people"),
        ]

    def __str__(self) -> str:
        unnamed = "A webhook’s payload" if self.is_held else "Not understood"
        return f"{self.event_name or unnamed}: {self.code}"


class Resending(models.Model):
    """Sending again, in the background, what was quarantined for one reason, or what is held of a webhook.

    Items up to `last_id` belong to it; those up to `position` have been tried, `left` of them are still not taken.
    """

    source = models.ForeignKey("tracking.Source", on_delete=models.CASCADE, related_name="+")
    hook = models.ForeignKey("tracking.Hook", null=True, on_delete=models.CASCADE, related_name="+")
    is_held = models.BooleanField()
    code = models.CharField(max_length=64)
    field = models.TextField(blank=True)
    event_name = models.TextField(blank=True)
    last_id = models.BigIntegerField()
    position = models.BigIntegerField(default=0)
    total = models.IntegerField()
    sent = models.IntegerField(default=0)
    left = models.IntegerField(default=0)
    first_problem = models.TextField(blank=True)
    started_at = models.DateTimeField()
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    finished_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        indexes = [
            models.Index(fields=["id"], condition=models.Q(finished_at__isnull=True), name="resending_open"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.started_at}"

    @property
    def subject(self) -> str:
        """What is sent again, for a person."""
        return f"what is held of {self.hook.name}" if self.hook is not None else self.event_name or self.code


class RefusalCount(models.Model):
    """How many items of a source were refused or held in a minute, for each code, kept or not."""

    pk = models.CompositePrimaryKey("minute", "source_id", "code")
    minute = models.DateTimeField()
    source_id = models.IntegerField()
    code = models.CharField(max_length=64)
    number = models.IntegerField()

    class Meta:
        db_table = "refusal_count"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.minute} {self.code}"
