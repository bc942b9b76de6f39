"""Rules and templates by Django; timers, activations and deliveries by SQL (every key has the lane in it)."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

CREATE = """
create table timer (
    lane smallint not null,
    profile_id uuid not null,
    rule_id bigint not null,
    key text not null default '',
    event_id uuid not null,
    seq bigint not null,
    occurred_at timestamptz not null,
    due_at timestamptz not null,
    primary key (lane, profile_id, rule_id, key)
);
-- Which waits are over?
create index timer_due on timer (due_at);

create table activation (
    id uuid not null,
    lane smallint not null,
    profile_id uuid not null,
    rule_id bigint not null,
    rule_version_id bigint not null,
    event_id uuid not null,
    event_seq bigint not null,
    occurred_at timestamptz not null,
    is_once boolean not null default false,
    trace jsonb not null,
    created_at timestamptz not null,
    primary key (id, lane)
);
create unique index activation_once on activation (lane, rule_id, profile_id) where is_once;
-- Did this rule match this person before?
create index activation_profile on activation (profile_id, rule_id, event_seq);
create index activation_rule on activation (rule_id, id);

create table delivery (
    id uuid not null,
    lane smallint not null,
    activation_id uuid not null,
    profile_id uuid not null,
    rule_id bigint not null,
    event_id uuid not null,
    channel text not null,
    state text not null,
    reason text not null default '',
    detail text not null default '',
    due_at timestamptz not null,
    expires_at timestamptz not null,
    attempts smallint not null default 0,
    claim_token uuid,
    lease_until timestamptz,
    address text not null default '',
    address_hash text not null default '',
    template_version_id bigint,
    message jsonb,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (id, lane)
);
-- What is to be sent now?
create index delivery_due on delivery (due_at) where state = 'planned';
-- Whose lease has run out?
create index delivery_lease on delivery (lease_until) where state in ('claimed', 'handed_over');
create index delivery_in_doubt on delivery (updated_at) where state = 'in_doubt';
create index delivery_profile on delivery (profile_id, id);
create index delivery_rule on delivery (rule_id, id);

create table attempt (
    delivery_id uuid not null,
    lane smallint not null,
    number smallint not null,
    started_at timestamptz not null,
    finished_at timestamptz,
    outcome text not null default '',
    detail text not null default '',
    primary key (delivery_id, lane, number)
);
"""

DROP = """
drop table attempt, delivery, activation, timer;
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Rule",
            fields=[
                (
                    "id",
                    models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"),
                ),
                ("name", models.CharField(max_length=200, unique=True)),
                ("description", models.TextField(blank=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "draft"),
                            ("active", "active"),
                            ("paused", "paused"),
                            ("archived", "archived"),
                        ],
                        default="draft",
                        editable=False,
                        max_length=10,
                    ),
                ),
                ("definition", models.JSONField(blank=True, default=dict)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "ordering": ["name"],
                "permissions": [("activate_rule", "Can activate, pause and archive rules")],
            },
        ),
        migrations.CreateModel(
            name="Template",
            fields=[
                (
                    "id",
                    models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"),
                ),
                ("name", models.CharField(max_length=200, unique=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="Detector",
            fields=[
                (
                    "rule",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="detector",
                        serialize=False,
                        to="triggers.rule",
                    ),
                ),
                ("watermark", models.DateTimeField()),
                ("started_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="SendingSwitch",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("is_stopped", models.BooleanField(default=False)),
                ("stopped_at", models.DateTimeField(blank=True, null=True)),
                ("stopped_by", models.CharField(blank=True, max_length=150)),
            ],
            options={
                "permissions": [("stop_sending", "Can stop and resume all sending")],
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="sending_switch_single")],
            },
        ),
        migrations.CreateModel(
            name="Suppression",
            fields=[
                (
                    "id",
                    models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"),
                ),
                ("channel", models.CharField(max_length=20)),
                ("address_hash", models.CharField(max_length=64)),
                ("reason", models.CharField(max_length=40)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("channel", "address_hash"), name="suppression_address")
                ],
            },
        ),
        migrations.CreateModel(
            name="RuleVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"),
                ),
                ("number", models.IntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "draft"),
                            ("active", "active"),
                            ("paused", "paused"),
                            ("archived", "archived"),
                        ],
                        max_length=10,
                    ),
                ),
                ("definition", models.JSONField()),
                ("from_seq", models.BigIntegerField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "rule",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="versions",
                        to="triggers.rule",
                    ),
                ),
            ],
            options={
                "ordering": ["rule", "number"],
                "constraints": [
                    models.UniqueConstraint(fields=("rule", "number"), name="rule_version_number"),
                    models.UniqueConstraint(fields=("rule", "from_seq"), name="rule_version_from_seq"),
                ],
            },
        ),
        migrations.CreateModel(
            name="TemplateVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"),
                ),
                ("number", models.IntegerField()),
                ("subject", models.TextField()),
                ("html", models.TextField(blank=True)),
                ("text", models.TextField(blank=True)),
                (
                    "on_missing",
                    models.CharField(
                        choices=[("drop", "do not send"), ("empty", "send with an empty place")],
                        default="drop",
                        max_length=10,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "template",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="versions",
                        to="triggers.template",
                    ),
                ),
            ],
            options={
                "ordering": ["template", "-number"],
                "constraints": [models.UniqueConstraint(fields=("template", "number"), name="template_version_number")],
            },
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(CREATE, DROP)],
            state_operations=[
                migrations.CreateModel(
                    name="Activation",
                    fields=[
                        ("id", models.UUIDField(primary_key=True, serialize=False)),
                        ("lane", models.SmallIntegerField()),
                        ("profile_id", models.UUIDField()),
                        ("rule_id", models.BigIntegerField()),
                        ("rule_version_id", models.BigIntegerField()),
                        ("event_id", models.UUIDField()),
                        ("event_seq", models.BigIntegerField()),
                        ("occurred_at", models.DateTimeField()),
                        ("is_once", models.BooleanField(default=False)),
                        ("trace", models.JSONField()),
                        ("created_at", models.DateTimeField()),
                    ],
                    options={
                        "db_table": "activation",
                        "default_permissions": ("view",),
                    },
                ),
                migrations.CreateModel(
                    name="Attempt",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "delivery_id",
                                "lane",
                                "number",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("delivery_id", models.UUIDField()),
                        ("lane", models.SmallIntegerField()),
                        ("number", models.SmallIntegerField()),
                        ("started_at", models.DateTimeField()),
                        ("finished_at", models.DateTimeField(null=True)),
                        ("outcome", models.TextField(default="")),
                        ("detail", models.TextField(default="")),
                    ],
                    options={
                        "db_table": "attempt",
                        "default_permissions": (),
                    },
                ),
                migrations.CreateModel(
                    name="Delivery",
                    fields=[
                        ("id", models.UUIDField(primary_key=True, serialize=False)),
                        ("lane", models.SmallIntegerField()),
                        ("activation_id", models.UUIDField()),
                        ("profile_id", models.UUIDField()),
                        ("rule_id", models.BigIntegerField()),
                        ("event_id", models.UUIDField()),
                        ("channel", models.TextField()),
                        (
                            "state",
                            models.TextField(
                                choices=[
                                    ("planned", "planned"),
                                    ("claimed", "claimed"),
                                    ("handed_over", "handed over"),
                                    ("accepted", "accepted"),
                                    ("rejected", "rejected"),
                                    ("in_doubt", "in doubt"),
                                    ("dropped", "dropped"),
                                ]
                            ),
                        ),
                        ("reason", models.TextField(default="")),
                        ("detail", models.TextField(default="")),
                        ("due_at", models.DateTimeField()),
                        ("expires_at", models.DateTimeField()),
                        ("attempts", models.SmallIntegerField(default=0)),
                        ("claim_token", models.UUIDField(null=True)),
                        ("lease_until", models.DateTimeField(null=True)),
                        ("address", models.TextField(default="")),
                        ("address_hash", models.TextField(default="")),
                        ("template_version_id", models.BigIntegerField(null=True)),
                        ("message", models.JSONField(null=True)),
                        ("created_at", models.DateTimeField()),
                        ("updated_at", models.DateTimeField()),
                    ],
                    options={
                        "verbose_name_plural": "deliveries",
                        "db_table": "delivery",
                        "permissions": [("settle_delivery", "Can settle deliveries in doubt")],
                        "default_permissions": ("view",),
                    },
                ),
                migrations.CreateModel(
                    name="Timer",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "lane",
                                "rule_id",
                                "profile_id",
                                "key",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("lane", models.SmallIntegerField()),
                        ("rule_id", models.BigIntegerField()),
                        ("profile_id", models.UUIDField()),
                        ("key", models.TextField(default="")),
                        ("event_id", models.UUIDField()),
                        ("seq", models.BigIntegerField()),
                        ("occurred_at", models.DateTimeField()),
                        ("due_at", models.DateTimeField()),
                    ],
                    options={
                        "db_table": "timer",
                        "default_permissions": ("view",),
                    },
                ),
            ],
        ),
    ]
