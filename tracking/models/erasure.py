"""Erasures: the receipt that somebody asked for, and the tombstones that keep what was erased away."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Erasure(models.Model):
    """That a person was erased: when, at whose word, and how many rows of each table went. Nothing says who it was.

    `profile_hash` is a keyed hash of the profile's id. `counts` maps a table to a number, once all is done.
    """

    id = models.UUIDField(primary_key=True)
    profile_hash = models.UUIDField()
    requested_at = models.DateTimeField()
    requested_by = models.TextField()
    counts = models.JSONField(default=dict)
    completed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "erasure"
        default_permissions = ("view",)
        permissions = [
            ("erase_person", "Can erase a person"),
            ("export_person", "Can export all that is held of a person"),
        ]
        indexes = [
            models.Index(fields=["profile_hash"], condition=models.Q(completed_at__isnull=True), name="erasure_open"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Tombstone(models.Model):
    """One profile's part in an erasure, by a keyed hash of its id. It outlives what was erased.

    A device that was the person's several times has one for each, told apart by `number`.

    Events of the profile whose id's moment lies after `erased_from` (none: from the start) and before the millisecond
    of `erased_at` are erased, whenever they come; so are those of `outlying`, ids that were erased and lie elsewhere.
    Both are empty for a profile that is somebody else's and was only told. `since_seq` (exclusive) and `until_seq`
    (inclusive) are the part of the log that goes, all of the profile where `is_whole`; `returned` counts events that
    came later and went again.
    """

    pk = models.CompositePrimaryKey("profile_hash", "erasure_id", "lane", "number")
    profile_hash = models.UUIDField()
    erasure_id = models.UUIDField()
    lane = models.SmallIntegerField()
    number = models.SmallIntegerField(default=0, db_default=0)
    erased_from = models.DateTimeField(null=True)
    erased_at = models.DateTimeField(null=True)
    outlying = ArrayField(models.UUIDField(), default=list)
    since_seq = models.BigIntegerField(null=True)
    until_seq = models.BigIntegerField(null=True)
    is_whole = models.BooleanField(default=False)
    counts = models.JSONField(default=dict)
    returned = models.IntegerField(default=0)
    completed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "tombstone"
        default_permissions = ()
        indexes = [models.Index(fields=["erasure_id"], name="tombstone_erasure")]

    def __str__(self) -> str:
        return f"{self.profile_hash} {self.erased_at}"
