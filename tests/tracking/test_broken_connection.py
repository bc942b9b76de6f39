"""A connection that breaks in mid-body: the web server hands on what has come, and says nothing."""

import json
from io import BytesIO

import pytest
from django.core.handlers.wsgi import WSGIRequest

from tests.cast import make_source
from tracking.api.ingest import serve
from tracking.models import Event, Quarantined

HITS = b"en=add_to_cart&_p=1&_s=1\r\nen=purchase&ep.currency=EUR&_p=1&_s=2"
EVENT = b'{"event":"a","user_id":"ada"}'


def post(path: str, query: str, body: bytes, length: int) -> tuple[int, bytes]:
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_LENGTH": str(length),
        "wsgi.input": BytesIO(body),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
    }
    answer = serve(WSGIRequest(environ))
    return answer.status_code, answer.content


@pytest.mark.parametrize("left", [len(HITS) - 3, len(HITS) - 30, 8, 0])
def test_half_a_body_is_no_event(log: None, left: int) -> None:
    key = make_source().write_key
    status, told = post("/g/collect", f"v=2&tid={key}&cid=1.2", HITS[:left], len(HITS))

    assert (status, json.loads(told)["code"]) == (400, "body_incomplete")
    assert not Event.objects.exists()
    # It is not the client's fault, and it comes again whole.
    assert not Quarantined.objects.exists()
    assert post("/g/collect", f"v=2&tid={key}&cid=1.2", HITS, len(HITS))[0] == 204
    assert list(Event.objects.order_by("seq").values_list("name", flat=True)) == ["add_to_cart", "purchase"]


def test_a_whole_event_is_taken_and_one_without_its_end_is_not(log: None) -> None:
    key = make_source().write_key
    assert post("/v1/events", f"key={key}", EVENT, len(EVENT))[0] == 202
    assert post("/v1/events", f"key={key}", EVENT[:-1], len(EVENT))[0] == 400
