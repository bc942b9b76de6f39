"""Sources: the apps that send events, their keys and the origins of their pages."""

from datetime import UTC, datetime, timedelta

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from tracking.addresses import AddressPolicy

ADDRESS_WORDS = {
    AddressPolicy.DROP: "nothing",
    AddressPolicy.TRUNCATE: "its network only (203.0.113.0, 2001:db8:1::)",
    AddressPolicy.KEEP: "all of it",
}


class Source(models.Model):
    """An app that sends events, with its keys (`SourceKey`)."""

    name = models.CharField(max_length=100, unique=True)
    lateness = models.DurationField(
        default=timedelta(hours=24),
        validators=[MinValueValidator(timedelta(0))],
        help_text="An event that arrives later than this updates the profile but starts no rule.",
    )
    is_activity = models.BooleanField(
        default=True,
        verbose_name="counts as activity",
        help_text="Whether events of this source show that a person is active.",
    )
    address_policy = models.CharField(
        max_length=16,
        choices=[(policy.value, words) for policy, words in ADDRESS_WORDS.items()],
        default=AddressPolicy.DROP.value,
        verbose_name="kept of addresses",
        help_text="What is kept, as context.ip, of the internet address of a page's or an app's visitor.",
    )
    demands_user_hash = models.BooleanField(
        default=False,
        verbose_name="demands a user hash",
        help_text="Pages and apps may not speak for a known user without the hash of its id that your server made.",
    )
    demands_signature = models.BooleanField(
        default=False,
        verbose_name="demands signed requests",
        help_text="A secret key alone opens nothing then: each request must be signed with the signing secret.",
    )
    source_rate = models.PositiveIntegerField(default=0, verbose_name="events a second, in all")
    source_burst = models.PositiveIntegerField(default=0, verbose_name="at once")
    address_rate = models.PositiveIntegerField(default=200, verbose_name="events a second, from one address")
    address_burst = models.PositiveIntegerField(default=5_000, verbose_name="at once")
    person_rate = models.PositiveIntegerField(default=50, verbose_name="events a second, of one person")
    person_burst = models.PositiveIntegerField(default=1_000, verbose_name="at once")
    is_enabled = models.BooleanField(default=True, help_text="A disabled source is refused at the door.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def write_key(self) -> str:
        """The public key that its pages are told to use: the newest one that holds without an end; '' for none."""
        now = datetime.now(UTC)
        holding = [key for key in self.keys.all() if key.kind == KeyKind.PUBLIC and key.holds(now)]
        newest = max(holding, key=lambda key: (key.expires_at is None, not key.is_foreign, key.pk), default=None)
        return newest.value or "" if newest is not None else ""


class KeyKind(models.TextChoices):
    """What a key is for."""

    PUBLIC = "public", "public key"
    SECRET = "secret", "secret key"
    IDENTITY = "identity", "identity secret"
    SIGNING = "signing", "signing secret"


class Scope(models.TextChoices):
    """What a secret key may do. A public key has none: it may only report, as a page does."""

    INGEST = "ingest", "report"
    READ = "read", "read back"
    MANAGE = "manage", "manage"
    PRIVACY = "privacy", "export and erase people"


DEFAULT_SCOPES = (Scope.INGEST.value, Scope.READ.value)
"""What a new secret key may do unless somebody asks for more."""


class SourceKey(models.Model):
    """A key of a source; several may hold at once, so that one can be replaced while clients still have the old one.

    An identity secret and a signing secret are what hashes of users and signatures are computed with, so that they stay
    readable too.
    A public key stands in a page's script, may only append, and stays readable; it may be a value that a team's clients
    carry already (`is_foreign`). A secret key is for servers and is kept as a SHA-256 hash (it has 256 random bits, so
    a slow hash would protect nothing more).
    """

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="keys")
    kind = models.CharField(max_length=16, choices=KeyKind)
    value = models.CharField(max_length=255, null=True)
    secret_hash = models.CharField(max_length=64, null=True)
    prefix = models.CharField(max_length=16)
    is_foreign = models.BooleanField(default=False)
    label = models.CharField(max_length=100, blank=True)
    scopes = ArrayField(models.CharField(max_length=16, choices=Scope), default=list)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]
        default_permissions = ()
        permissions = [("grant_privacy", "Can make keys that export and erase people")]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="secret", value=None, secret_hash__isnull=False)
                | Q(~Q(kind="secret"), value__isnull=False, secret_hash=None),
                name="source_key_secret_is_hashed",
            ),
            # A value that was revoked may be given to another source.
            models.UniqueConstraint(fields=["value"], condition=Q(revoked_at=None), name="source_key_value"),
            models.UniqueConstraint(fields=["secret_hash"], name="source_key_secret_hash"),
        ]

    def __str__(self) -> str:
        return self.value or f"{self.prefix}…"

    @property
    def may(self) -> str:
        """What it may do, in words; "" for what is no secret key."""
        return ", ".join(scope.label for scope in Scope if scope.value in self.scopes)

    def holds(self, now: datetime) -> bool:
        """Whether it opens the door at this moment."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class AllowedOrigin(models.Model):
    """A web origin whose pages may send events to a source without a key. It belongs to one source only."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="origins")
    origin = models.CharField(max_length=255, unique=True, help_text="Such as https://shop.example")

    class Meta:
        ordering = ["origin"]

    def __str__(self) -> str:
        return self.origin
