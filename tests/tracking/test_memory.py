"""A web process holds on to nothing that it has answered."""

import gc
import json
import logging
import tracemalloc
import weakref

import pytest
from django.test import Client, RequestFactory

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


@pytest.mark.parametrize("policy", ["drop", "truncate", "keep"])
def test_a_long_text_that_is_called_an_address_is_not_remembered(
    log: None, policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The lines that pytest keeps hold their requests.
    monkeypatch.setattr(logging.getLogger("django.request"), "disabled", True)
    source = make_source(address_policy=policy)
    client = Client(headers={"x-write-key": source.write_key})

    def send(number: int) -> None:
        event = {"event": "a", "user_id": "ada", "context": {"ip": f"{number}" + "x" * 900_000}}
        assert client.post("/track-event", event, content_type="application/json").status_code in (202, 400)

    send(0)
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(1, 11):
            send(number)
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] < 2_000_000
    finally:
        tracemalloc.stop()
