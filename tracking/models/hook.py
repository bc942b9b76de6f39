"""Inbound webhooks: whose they are, what event each payload becomes, and what came lately."""

from django.core.validators import RegexValidator
from django.db import models


class Hook(models.Model):
    """An address at which a foreign system's webhooks of one kind arrive.

    `style` names a row of STYLES (`tracking/wire/hooks/signatures.py`); `mapping` is a Mapping (`mapping.py` there).
    The secrets are sealed: they must be known to check a signature. The former one is valid until `previous_until`.
    """

    source = models.ForeignKey("tracking.Source", on_delete=models.CASCADE, related_name="hooks")
    name = models.CharField(
        max_length=50,
        validators=[
            RegexValidator(r"^[a-z0-9][a-z0-9_-]*\Z", "Small letters, digits, - and _, such as checkout-left.")
        ],
        help_text="The last part of the address: small letters, digits, - and _, such as checkout-left.",
    )
    style = models.CharField(max_length=16)
    header = models.CharField(max_length=100, blank=True)
    secret = models.TextField(editable=False)
    previous_secret = models.TextField(blank=True, editable=False)
    previous_until = models.DateTimeField(null=True, blank=True, editable=False)
    mapping = models.JSONField(default=dict)
    is_enabled = models.BooleanField(
        default=True,
        verbose_name="takes payloads",
        help_text="While it does not, senders are asked to come again later (503): most try for hours, some for days.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["source", "name"]
        verbose_name = "webhook"
        constraints = [models.UniqueConstraint(fields=["source", "name"], name="hook_name_once")]

    def __str__(self) -> str:
        return f"{self.source} / {self.name}"


class HookPayload(models.Model):
    """One of the last payloads of a hook that were verified, to try a mapping on. Deleted after seven days.

    `profile_id` is whom the mapping found in it, so that erasing a person finds it too.
    """

    hook = models.ForeignKey(Hook, on_delete=models.CASCADE, related_name="payloads")
    received_at = models.DateTimeField(db_index=True)
    profile_id = models.UUIDField(null=True, db_index=True)
    outcome = models.CharField(max_length=16)
    headers = models.JSONField(default=dict)
    body = models.BinaryField()

    class Meta:
        db_table = "hook_payload"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.hook_id} {self.received_at}"


class HookCount(models.Model):
    """What became of a hook's payloads in an hour (primary key (hook, hour)). `last_failure` is a sentence."""

    pk = models.CompositePrimaryKey("hook", "hour")
    hook = models.ForeignKey(Hook, on_delete=models.CASCADE, related_name="counts")
    hour = models.DateTimeField()
    accepted = models.IntegerField(default=0)
    ignored = models.IntegerField(default=0)
    held = models.IntegerField(default=0)
    failed = models.IntegerField(default=0)
    last_received_at = models.DateTimeField(null=True)
    last_failed_at = models.DateTimeField(null=True)
    last_failure = models.TextField(blank=True)

    class Meta:
        db_table = "hook_count"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.hook_id} {self.hour}"
