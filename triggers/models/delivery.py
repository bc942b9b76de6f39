"""Deliveries, their attempts, and what forbids them."""

from django.db import models


class DeliveryState(models.TextChoices):
    """planned → claimed → handed over → accepted, rejected or in doubt; dropped with a reason at any gate.

    The labels are for marketers, who do not think in stages.
    """

    PLANNED = "planned", "waiting"
    CLAIMED = "claimed", "being prepared"
    HANDED_OVER = "handed_over", "being sent"
    ACCEPTED = "accepted", "sent"
    REJECTED = "rejected", "rejected"
    IN_DOUBT = "in_doubt", "in doubt"
    DROPPED = "dropped", "not sent"


class Delivery(models.Model):
    """One message to one address. Primary key in the database (id, lane); `id` from (activation, step, channel).

    The row is the outbox: a worker claims it by `due_at`, holds it by `claim_token` until `lease_until`, and sends
    only after `handed_over` is committed. `reason` is a policy reason's code, `detail` its particulars.
    `message` is the exact message as handed over: {"to", "from", "subject", "html", "text", "headers"}.
    """

    id = models.UUIDField(primary_key=True)
    lane = models.SmallIntegerField()
    activation_id = models.UUIDField()
    profile_id = models.UUIDField()
    rule_id = models.BigIntegerField()
    event_id = models.UUIDField()
    channel = models.TextField()
    state = models.TextField(choices=DeliveryState.choices)
    reason = models.TextField(default="")
    detail = models.TextField(default="")
    due_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    attempts = models.SmallIntegerField(default=0)
    claim_token = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    address = models.TextField(default="")
    address_hash = models.TextField(default="")
    template_version_id = models.BigIntegerField(null=True)
    message = models.JSONField(null=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        db_table = "delivery"
        default_permissions = ("view",)
        verbose_name_plural = "deliveries"
        permissions = [("settle_delivery", "Can settle deliveries in doubt")]

    def __str__(self) -> str:
        return str(self.id)


class Attempt(models.Model):
    """One try to hand a delivery over. Primary key in the database (delivery_id, lane, number)."""

    pk = models.CompositePrimaryKey("delivery_id", "lane", "number")
    delivery_id = models.UUIDField()
    lane = models.SmallIntegerField()
    number = models.SmallIntegerField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    outcome = models.TextField(default="")
    detail = models.TextField(default="")

    class Meta:
        db_table = "attempt"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.delivery_id} {self.number}"


class Suppression(models.Model):
    """An address that may not be written to, kept as a keyed hash."""

    channel = models.CharField(max_length=20)
    address_hash = models.CharField(max_length=64)
    reason = models.CharField(max_length=40)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["channel", "address_hash"], name="suppression_address"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.reason}"


class SendingSwitch(models.Model):
    """The one switch that stops all sending: a single row with id 1."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    is_stopped = models.BooleanField(default=False)
    stopped_at = models.DateTimeField(null=True, blank=True)
    stopped_by = models.CharField(max_length=150, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="sending_switch_single"),
        ]
        permissions = [("stop_sending", "Can stop and resume all sending")]

    def __str__(self) -> str:
        return "stopped" if self.is_stopped else "sending"
