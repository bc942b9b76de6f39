"""Message templates and their immutable versions."""

from django.db import models


class MissingVariable(models.TextChoices):
    """What happens to a message with a variable that has no value and no default."""

    DROP = "drop", "do not send"
    EMPTY = "empty", "send with an empty place"


class Template(models.Model):
    """A message's words. The text lives in versions; the newest is used at the hand-over."""

    name = models.CharField(max_length=200, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class TemplateVersion(models.Model):
    """What a template said at a time: Liquid for the subject, the HTML and the text (made from HTML when empty)."""

    template = models.ForeignKey(Template, on_delete=models.CASCADE, related_name="versions")
    number = models.IntegerField()
    subject = models.TextField()
    html = models.TextField(blank=True)
    text = models.TextField(blank=True)
    on_missing = models.CharField(max_length=10, choices=MissingVariable.choices, default=MissingVariable.DROP)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["template", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["template", "number"], name="template_version_number"),
        ]

    def __str__(self) -> str:
        return f"{self.template} v{self.number}"
