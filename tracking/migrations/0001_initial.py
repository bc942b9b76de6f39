"""Sources and event types by Django; the log, its readers and the profiles by SQL (partitions, keys with the lane)."""

import datetime

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

CREATE = """
-- CACHE 1 is the default and must stay: the bound below counts on it. The sequence is never set back.
create sequence event_seq_seq as bigint;

create table event (
    id uuid not null,
    seq bigint not null default nextval('event_seq_seq'),
    lane smallint not null,
    profile_id uuid not null,
    name text not null,
    properties jsonb not null,
    context jsonb not null,
    source_id integer,
    origin smallint not null,
    depth smallint not null default 0,
    message_id text,
    user_id text,
    anonymous_id text,
    occurred_at timestamptz not null,
    received_at timestamptz not null,
    primary key (id, lane)
) partition by range (id);
-- What is new in this lane?
create index event_lane_seq on event (lane, seq);
-- What did this person do?
create index event_profile_id on event (profile_id, id);

create table event_dedup (
    lane smallint not null,
    key uuid not null,
    event_id uuid not null,
    created_at timestamptz not null,
    primary key (lane, key)
);
create index event_dedup_created on event_dedup (created_at);

create table event_count (
    minute timestamptz not null,
    lane smallint not null,
    source_id integer not null,
    name text not null,
    received integer not null,
    without_identity integer not null default 0,
    primary key (minute, lane, source_id, name)
);

create table profile (
    id uuid not null,
    lane smallint not null,
    user_id text,
    anonymous_id text,
    source_id integer,
    traits jsonb not null,
    seen_at timestamptz,
    linked_to uuid,
    joined jsonb not null default '{}',
    asked jsonb not null default '[]',
    applied_seq bigint not null default 0,
    created_at timestamptz not null,
    primary key (id, lane)
);
-- Who went quiet between two moments?
create index profile_seen_at on profile (seen_at) where seen_at is not null;
create index profile_email on profile ((traits ->> 'email')) where traits ? 'email';

create table profile_change (
    id uuid not null,
    lane smallint not null,
    profile_id uuid not null,
    seq bigint not null,
    patch jsonb not null,
    primary key (id, lane)
);
create index profile_change_profile on profile_change (profile_id, seq);

create table lane_cursor (
    consumer text not null,
    lane smallint not null,
    position bigint not null default 0,
    primary key (consumer, lane)
);

create table log_tick (at timestamptz primary key, seq bigint not null);

-- A writer of the log calls this in a statement of its own before its insert: until it commits, readers see in
-- pg_locks that something above this number may still come. 77 is this lock's namespace, 48 bits are the number.
create function log_register() returns void language sql volatile as $$
    select pg_advisory_xact_lock_shared(
        (77::bigint << 48) + case when is_called then last_value else 0 end) from event_seq_seq
$$;

-- Every seq up to the result is committed and visible, or will never be. First the ceiling, then who may still be
-- below it; in a transaction of its own, READ COMMITTED, on the primary.
create function log_bound() returns bigint language plpgsql volatile as $$
declare ceiling bigint; registered bigint;
begin
    select case when is_called then last_value else 0 end into ceiling from event_seq_seq;
    select min(((classid::bigint << 32) | objid::bigint) & ((1::bigint << 48) - 1)) into registered
      from pg_locks
     where locktype = 'advisory' and objsubid = 1 and classid::bigint >> 16 = 77
       and database = (select oid from pg_database where datname = current_database());
    return least(ceiling, registered);
end $$;
"""

DROP = """
drop function log_bound();
drop function log_register();
drop table log_tick, lane_cursor, profile_change, profile, event_count, event_dedup, event;
drop sequence event_seq_seq;
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="EventType",
            fields=[
                (
                    "id",
                    models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"),
                ),
                ("name", models.CharField(max_length=200, unique=True)),
                ("properties", models.JSONField(blank=True, default=dict)),
                (
                    "is_activity",
                    models.BooleanField(
                        default=True,
                        help_text="Whether this event shows that a person is active.",
                        verbose_name="counts as activity",
                    ),
                ),
                (
                    "server_only",
                    models.BooleanField(
                        default=False, help_text="Refused from pages and apps: only a secret key may send it."
                    ),
                ),
                (
                    "is_derived",
                    models.BooleanField(
                        default=False,
                        editable=False,
                        help_text="The platform itself appends it when somebody falls silent.",
                    ),
                ),
                ("first_seen_at", models.DateTimeField(blank=True, null=True)),
                ("last_seen_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="Source",
            fields=[
                (
                    "id",
                    models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"),
                ),
                ("name", models.CharField(max_length=100, unique=True)),
                ("write_key", models.CharField(editable=False, max_length=64, unique=True)),
                ("secret_prefix", models.CharField(editable=False, max_length=16)),
                ("secret_hash", models.CharField(editable=False, max_length=64, unique=True)),
                (
                    "lateness",
                    models.DurationField(
                        default=datetime.timedelta(days=1),
                        help_text="An event that arrives later than this updates the profile but starts no rule.",
                        validators=[django.core.validators.MinValueValidator(datetime.timedelta(0))],
                    ),
                ),
                (
                    "is_activity",
                    models.BooleanField(
                        default=True,
                        help_text="Whether events of this source show that a person is active.",
                        verbose_name="counts as activity",
                    ),
                ),
                (
                    "is_enabled",
                    models.BooleanField(default=True, help_text="A disabled source is refused at the door."),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="SetAside",
            fields=[
                (
                    "id",
                    models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"),
                ),
                ("consumer", models.TextField()),
                ("lane", models.SmallIntegerField()),
                ("seq", models.BigIntegerField()),
                ("event_id", models.UUIDField()),
                ("reason", models.TextField()),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "db_table": "set_aside",
                "constraints": [models.UniqueConstraint(fields=("consumer", "lane", "seq"), name="set_aside_once")],
            },
        ),
        migrations.CreateModel(
            name="Quarantined",
            fields=[
                (
                    "id",
                    models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"),
                ),
                ("received_at", models.DateTimeField(db_index=True)),
                ("code", models.CharField(max_length=64)),
                ("field", models.TextField(blank=True)),
                ("message", models.TextField()),
                ("payload", models.BinaryField()),
                ("resent_at", models.DateTimeField(blank=True, null=True)),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="quarantined",
                        to="tracking.source",
                    ),
                ),
            ],
            options={
                "verbose_name": "quarantined item",
                "ordering": ["-received_at"],
            },
        ),
        migrations.CreateModel(
            name="AllowedOrigin",
            fields=[
                (
                    "id",
                    models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"),
                ),
                (
                    "origin",
                    models.CharField(help_text="Such as https://shop.example", max_length=255, unique=True),
                ),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="origins",
                        to="tracking.source",
                    ),
                ),
            ],
            options={
                "ordering": ["origin"],
            },
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(CREATE, DROP)],
            state_operations=[
                migrations.CreateModel(
                    name="Event",
                    fields=[
                        ("id", models.UUIDField(primary_key=True, serialize=False)),
                        ("seq", models.BigIntegerField()),
                        ("lane", models.SmallIntegerField()),
                        ("profile_id", models.UUIDField()),
                        ("name", models.TextField()),
                        ("properties", models.JSONField(default=dict)),
                        ("context", models.JSONField(default=dict)),
                        ("source_id", models.IntegerField(null=True)),
                        (
                            "origin",
                            models.SmallIntegerField(
                                choices=[
                                    (0, "live"),
                                    (1, "import"),
                                    (2, "derived"),
                                    (3, "response"),
                                    (4, "system"),
                                ]
                            ),
                        ),
                        ("depth", models.SmallIntegerField(default=0)),
                        ("message_id", models.TextField(null=True)),
                        ("user_id", models.TextField(null=True)),
                        ("anonymous_id", models.TextField(null=True)),
                        ("occurred_at", models.DateTimeField()),
                        ("received_at", models.DateTimeField()),
                    ],
                    options={
                        "db_table": "event",
                        "default_permissions": ("view",),
                    },
                ),
                migrations.CreateModel(
                    name="EventCount",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "minute",
                                "lane",
                                "source_id",
                                "name",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("minute", models.DateTimeField()),
                        ("lane", models.SmallIntegerField()),
                        ("source_id", models.IntegerField()),
                        ("name", models.TextField()),
                        ("received", models.IntegerField()),
                        ("without_identity", models.IntegerField(default=0)),
                    ],
                    options={
                        "db_table": "event_count",
                        "default_permissions": (),
                    },
                ),
                migrations.CreateModel(
                    name="EventDedup",
                    fields=[
                        ("key", models.UUIDField(primary_key=True, serialize=False)),
                        ("lane", models.SmallIntegerField()),
                        ("event_id", models.UUIDField()),
                        ("created_at", models.DateTimeField()),
                    ],
                    options={
                        "db_table": "event_dedup",
                        "default_permissions": (),
                    },
                ),
                migrations.CreateModel(
                    name="LaneCursor",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "consumer",
                                "lane",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("consumer", models.TextField()),
                        ("lane", models.SmallIntegerField()),
                        ("position", models.BigIntegerField(default=0)),
                    ],
                    options={
                        "db_table": "lane_cursor",
                        "default_permissions": (),
                    },
                ),
                migrations.CreateModel(
                    name="Profile",
                    fields=[
                        ("id", models.UUIDField(primary_key=True, serialize=False)),
                        ("lane", models.SmallIntegerField()),
                        ("user_id", models.TextField(null=True)),
                        ("anonymous_id", models.TextField(null=True)),
                        ("source_id", models.IntegerField(null=True)),
                        ("traits", models.JSONField(default=dict)),
                        ("seen_at", models.DateTimeField(null=True)),
                        ("linked_to", models.UUIDField(null=True)),
                        ("joined", models.JSONField(default=dict)),
                        ("asked", models.JSONField(default=list)),
                        ("applied_seq", models.BigIntegerField(default=0)),
                        ("created_at", models.DateTimeField()),
                    ],
                    options={
                        "db_table": "profile",
                        "default_permissions": ("view",),
                    },
                ),
                migrations.CreateModel(
                    name="ProfileChange",
                    fields=[
                        ("id", models.UUIDField(primary_key=True, serialize=False)),
                        ("lane", models.SmallIntegerField()),
                        ("profile_id", models.UUIDField()),
                        ("seq", models.BigIntegerField()),
                        ("patch", models.JSONField()),
                    ],
                    options={
                        "db_table": "profile_change",
                        "default_permissions": (),
                    },
                ),
                migrations.CreateModel(
                    name="Tick",
                    fields=[
                        ("at", models.DateTimeField(primary_key=True, serialize=False)),
                        ("seq", models.BigIntegerField()),
                    ],
                    options={
                        "db_table": "log_tick",
                        "default_permissions": (),
                    },
                ),
            ],
        ),
    ]
