"""The shapes of the API's requests and answers, for its description. The door parses by msgspec, not by these."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, PolymorphicProxySerializer
from rest_framework import serializers


class EventIn(serializers.Serializer[Any]):
    """One thing that a person did.

    A retry repeats message_id, event, user_id, anonymous_id and timestamp as they were: then it is stored once; sent_at
    is the new attempt's. Without a timestamp that holds for seven days; without a message_id it is stored at least
    once.
    """

    event = serializers.CharField(max_length=200)
    user_id = serializers.CharField(max_length=255, required=False)
    anonymous_id = serializers.CharField(max_length=255, required=False)
    message_id = serializers.CharField(max_length=255, required=False, help_text="The same on every retry; see above.")
    timestamp = serializers.DateTimeField(
        required=False, help_text="ISO 8601 with a zone, the same on every retry; else the moment of receipt."
    )
    sent_at = serializers.DateTimeField(required=False, help_text="The client's clock at this attempt: corrects skew.")
    properties = serializers.DictField(required=False)
    context = serializers.DictField(required=False)  # type: ignore[assignment]
    user_hash = serializers.CharField(required=False, help_text="Where the source demands it; not kept.")


class SnippetIn(serializers.Serializer[Any]):
    """Every key but the event's own is a property."""

    event = serializers.CharField(max_length=200)
    user_id = serializers.CharField(max_length=255, required=False)
    anonymous_id = serializers.CharField(max_length=255, required=False)
    message_id = serializers.CharField(max_length=255, required=False)
    timestamp = serializers.DateTimeField(required=False)
    user_hash = serializers.CharField(required=False)


class IdentifyIn(serializers.Serializer[Any]):
    """What is known of a person.

    With public keys at most 64 KB of a person in all, with secret ones 256 KB: a statement that would make it more is
    dropped, and counted on the person's page.
    """

    user_id = serializers.CharField(max_length=255)
    anonymous_id = serializers.CharField(max_length=255, required=False)
    traits = serializers.DictField(required=False, help_text="Set as they are.")
    set_once = serializers.DictField(required=False, help_text="Set where nothing is known yet.")
    add = serializers.DictField(child=serializers.FloatField(), required=False, help_text="Added to numbers.")
    append = serializers.DictField(required=False, help_text="One value each, put at the end of a list.")
    union = serializers.DictField(
        child=serializers.ListField(), required=False, help_text="Lists: values that are not there yet are added."
    )
    remove = serializers.DictField(required=False, help_text="One value each, taken out of a list.")
    unset = serializers.ListField(child=serializers.CharField(), required=False, help_text="Names to be forgotten.")
    user_hash = serializers.CharField(required=False)


class BatchIn(serializers.Serializer[Any]):
    """Up to 1,000 events; an item with `traits` instead of an event says, in its place, what is known of a person."""

    events = PolymorphicProxySerializer(
        component_name="Item", serializers=[EventIn, IdentifyIn], resource_type_field_name=None, many=True
    )
    sent_at = serializers.DateTimeField(required=False)


class AliasIn(serializers.Serializer[Any]):
    """Two ids of one person."""

    previous_id = serializers.CharField(max_length=255)
    user_id = serializers.CharField(max_length=255)
    user_hash = serializers.CharField(required=False)


class ReceiptOut(serializers.Serializer[Any]):
    """What became of one item."""

    index = serializers.IntegerField()
    id = serializers.UUIDField(allow_null=True)
    outcome = serializers.ChoiceField(["accepted", "rejected", "quarantined"])
    code = serializers.CharField(allow_null=True)
    field = serializers.CharField(allow_null=True)
    message = serializers.CharField(allow_null=True)


class ReceiptsOut(serializers.Serializer[Any]):
    """One receipt for each item, in order."""

    results = ReceiptOut(many=True)


class ErrorOut(serializers.Serializer[Any]):
    """Why the whole request was refused."""

    code = serializers.CharField()
    field = serializers.CharField(allow_null=True)
    message = serializers.CharField()


class EventOut(serializers.Serializer[Any]):
    """An event of the log."""

    id = serializers.UUIDField()
    message_id = serializers.CharField(allow_null=True)
    event = serializers.CharField()
    user_id = serializers.CharField(allow_null=True)
    anonymous_id = serializers.CharField(allow_null=True)
    occurred_at = serializers.DateTimeField()
    received_at = serializers.DateTimeField()
    properties = serializers.DictField()


class EventPage(serializers.Serializer[Any]):
    """A page of events, newest last."""

    results = EventOut(many=True)
    next = serializers.URLField(allow_null=True)


class ProfileOut(serializers.Serializer[Any]):
    """A person."""

    user_id = serializers.CharField()
    traits = serializers.DictField()
    seen_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


PAGING = [
    OpenApiParameter("limit", int, description="Rows a page, 1 to 1,000; 100 by default."),
    OpenApiParameter("cursor", str, description="From `next`."),
]


class SegmentOut(serializers.Serializer[Any]):
    """What a client that speaks Segment's dialect is told at an address that both share."""

    success = serializers.BooleanField()
    rejected = ReceiptOut(many=True, required=False)


USER = OpenApiParameter("user_id", str, OpenApiParameter.PATH, examples=[OpenApiExample("Ada", "ada")])
EXAMPLES = {
    "track_event": [
        OpenApiExample(
            "One event, the shortest way", {"event": "add_to_cart", "product_id": "12345", "user_id": "ada"}
        ),
    ],
    "append_events": [
        OpenApiExample(
            "One event",
            {"event": "add_to_cart", "user_id": "ada", "message_id": "m-1", "properties": {"product_id": "12345"}},
        ),
        OpenApiExample(
            "Several events at once",
            {
                "events": [
                    {"event": "video_played", "anonymous_id": "a-1", "message_id": "m-2"},
                    {"event": "order_completed", "user_id": "ada", "message_id": "m-3", "properties": {"total": 49.9}},
                ]
            },
        ),
    ],
    "identify": [
        OpenApiExample(
            "Who somebody is",
            {"user_id": "ada", "anonymous_id": "a-1", "traits": {"email": "ada@example.com", "plan": "pro"}},
        ),
    ],
    "alias": [OpenApiExample("Two ids of one person", {"previous_id": "a-1", "user_id": "ada"})],
}
NOT_TAKEN: Any = PolymorphicProxySerializer("NotTaken", [ReceiptsOut, ErrorOut], None)
"""Each item has its reason; or the request as a whole could not be read."""
TAKEN = {
    202: ReceiptsOut,
    400: NOT_TAKEN,
    401: ErrorOut,
    403: NOT_TAKEN,
    409: ErrorOut,
    408: ErrorOut,
    413: ErrorOut,
    429: ErrorOut,
    503: ErrorOut,
}
SHARED: dict[int, Any] = TAKEN | {
    200: SegmentOut,
    400: PolymorphicProxySerializer("NotTakenOrUnderstood", [ReceiptsOut, ErrorOut, SegmentOut], None),
}
"""Addresses that are Segment's too: the request's key or its camelCase names tell."""
REFUSED = {401: ErrorOut, 400: ErrorOut, 403: ErrorOut, 409: ErrorOut, 503: ErrorOut}
