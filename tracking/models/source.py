"""Sources: the apps that send events, their keys and the origins of their pages."""

from datetime import timedelta

from django.core.validators import MinValueValidator
from django.db import models


class Source(models.Model):
    """An app that sends events.

    The write key is public (it stands in a page's script) and may only append; the secret key is for servers and is
    stored as a SHA-256 hash (it has 256 random bits, so a slow hash would protect nothing more).
    """

    name = models.CharField(max_length=100, unique=True)
    write_key = models.CharField(max_length=64, unique=True, editable=False)
    secret_prefix = models.CharField(max_length=16, editable=False)
    secret_hash = models.CharField(max_length=64, unique=True, editable=False)
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
    is_enabled = models.BooleanField(default=True, help_text="A disabled source is refused at the door.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class AllowedOrigin(models.Model):
    """A web origin whose pages may send events to a source without a key. It belongs to one source only."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="origins")
    origin = models.CharField(max_length=255, unique=True, help_text="Such as https://shop.example")

    class Meta:
        ordering = ["origin"]

    def __str__(self) -> str:
        return self.origin
