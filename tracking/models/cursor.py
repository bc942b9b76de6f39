"""How far each consumer of the log has come, lane by lane."""

from django.db import models


class LaneCursor(models.Model):
    """The position (a `seq`) up to which a consumer has decided a lane. Locked while a worker works on the lane."""

    pk = models.CompositePrimaryKey("consumer", "lane")
    consumer = models.TextField()
    lane = models.SmallIntegerField()
    position = models.BigIntegerField(default=0)

    class Meta:
        db_table = "lane_cursor"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.consumer} {self.lane}"


class Tick(models.Model):
    """A moment and the sequence at that moment: all that was received before `at` has a seq up to `seq`."""

    at = models.DateTimeField(primary_key=True)
    seq = models.BigIntegerField()

    class Meta:
        db_table = "log_tick"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.at} {self.seq}"


class SetAside(models.Model):
    """An event whose decision raised: its effects were rolled back, the lane went on."""

    consumer = models.TextField()
    lane = models.SmallIntegerField()
    seq = models.BigIntegerField()
    event_id = models.UUIDField()
    reason = models.TextField()
    created_at = models.DateTimeField()
    decided_again_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "set_aside"
        verbose_name, verbose_name_plural = "event set aside", "events set aside"
        permissions = [("decide_again", "Can have events that were set aside decided again")]
        constraints = [
            models.UniqueConstraint(fields=["consumer", "lane", "seq"], name="set_aside_once"),
        ]

    def __str__(self) -> str:
        return f"{self.consumer} {self.seq}"
