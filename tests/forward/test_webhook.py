"""A webhook: what arrives, signed as Standard Webhooks says."""

from standardwebhooks.webhooks import Webhook as Verifier

from tests.cast import ADA, evaluate, report
from tests.forward.conftest import SECRET, MakeDestination, forward
from tests.other_side import OtherSide
from tracking.models import Event, Source


def test_an_event_reaches_a_webhook_signed(
    source: Source, other_side: OtherSide, make_destination: MakeDestination
) -> None:
    report("before", source=source)
    evaluate()
    make_destination()
    event = report("purchase", source=source, properties={"total": 12.5, "items": [{"sku": "lamp"}]})
    evaluate()

    forward()

    heard = other_side.heard
    assert [request.path for request in heard] == ["/hook"]
    message = Verifier(SECRET).verify(heard[0].body, heard[0].headers)
    row = Event.objects.get(pk=event.id)
    assert message["type"] == "event"
    assert message["data"]["id"] == str(event.id) == heard[0].headers["webhook-id"]
    assert message["data"]["name"] == "purchase"
    assert message["data"]["user_id"] == ADA
    assert message["data"]["properties"] == row.properties
    assert message["data"]["source"] == "Shop"

    forward()
    assert len(other_side.heard) == 1
