"""A web process holds on to nothing that it has answered."""

import gc
import json
import weakref

from django.test import RequestFactory

from tests.cast import make_source
from tracking.api.hot_path import HotPathMiddleware


def test_an_answered_request_is_let_go_without_the_collector(log: None) -> None:
    source = make_source()
    answer = HotPathMiddleware(lambda request: answer(request))
    paths = {
        "/track-event": {"event": "a", "user_id": "ada"},
        "/v1/events": {"event": "a", "user_id": "ada"},
        "/v1/identify": {"user_id": "ada", "traits": {}},
        "/v1/alias": {"previous_id": "a", "user_id": "ada"},
    }
    answered = []
    gc.disable()
    try:
        for path, body in paths.items():
            request = RequestFactory().post(
                path, json.dumps(body), "application/json", headers={"x-write-key": source.write_key}
            )
            assert answer(request).status_code == 202
            answered.append(weakref.ref(request))
            del request
        assert [kept() for kept in answered] == [None] * len(paths)
    finally:
        gc.enable()
