"""Rules and their immutable versions."""

from django.conf import settings
from django.db import models


class RuleState(models.TextChoices):
    """Where a rule stands. Only an active one starts anything; a paused one holds what waits."""

    DRAFT = "draft", "draft"
    ACTIVE = "active", "active"
    PAUSED = "paused", "paused"
    ARCHIVED = "archived", "archived"


class Rule(models.Model):
    """Which behaviour starts which message. `definition` is the draft; what is in force is the newest version."""

    name = models.CharField(max_length=200, unique=True)
    description = models.TextField(blank=True)
    state = models.CharField(max_length=10, choices=RuleState.choices, default=RuleState.DRAFT, editable=False)
    definition = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]
        permissions = [("activate_rule", "Can activate, pause and archive rules")]

    def __str__(self) -> str:
        return self.name


class RuleVersion(models.Model):
    """What a rule said from a position of the log on.

    An event is decided by the version with the greatest `from_seq` below the event's seq. A pause is a version too.
    With `includes_past` a rule for silence also takes what was complete before it was activated.
    """

    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, related_name="versions")
    number = models.IntegerField()
    state = models.CharField(max_length=10, choices=RuleState.choices)
    definition = models.JSONField()
    from_seq = models.BigIntegerField()
    includes_past = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ["rule", "number"]
        constraints = [
            models.UniqueConstraint(fields=["rule", "number"], name="rule_version_number"),
            models.UniqueConstraint(fields=["rule", "from_seq"], name="rule_version_from_seq"),
        ]

    def __str__(self) -> str:
        return f"{self.rule} v{self.number}"


class Detector(models.Model):
    """How far the search for silence of a rule has come.

    `watermark` is the moment up to which people who went quiet have been found; it starts when the rule is first
    activated and never moves back. Silences that were complete before `started_at` are none of the rule's, unless its
    version includes them.

    Waits that began before the activation are armed from the log: what has an id above `arm_after` and was logged
    before `arm_until` is still to be armed; `arm_after` is empty when all is, and `armed_seq` says where the log was
    then.
    """

    rule = models.OneToOneField(Rule, primary_key=True, on_delete=models.CASCADE, related_name="detector")
    watermark = models.DateTimeField()
    started_at = models.DateTimeField()
    arm_after = models.UUIDField(null=True)
    arm_until = models.BigIntegerField(null=True)
    armed_seq = models.BigIntegerField(null=True)

    def __str__(self) -> str:
        return f"{self.rule} up to {self.watermark}"
