"""What was refused, kept to be read, mended and sent again."""

from django.db import models


class Quarantined(models.Model):
    """A rejected item: its reason and its payload as it came, cut at 32 KB. `dialect` names who reads it."""

    source = models.ForeignKey("tracking.Source", on_delete=models.CASCADE, related_name="quarantined")
    received_at = models.DateTimeField(db_index=True)
    code = models.CharField(max_length=64)
    field = models.TextField(blank=True)
    message = models.TextField()
    payload = models.BinaryField()
    dialect = models.CharField(max_length=32, default="native", editable=False)
    resent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-received_at"]
        verbose_name = "quarantined item"

    def __str__(self) -> str:
        return f"{self.code} {self.received_at}"
