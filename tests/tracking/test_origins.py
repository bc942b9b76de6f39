"""Pages of which origins may send, how they are written, and what a browser is told."""

from typing import Any

import pytest
from django.test import Client

from tracking.models import AllowedOrigin, Event
from tracking.origins import OriginRefused, clean_origin
from tracking.registry import forget_registry
from tracking.sources import create_source


@pytest.mark.parametrize(
    ("given", "cleaned"),
    [
        (" https://Shop.Example/ ", "https://shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://shop.example:80", "http://shop.example"),
        ("http://shop.example:443", "http://shop.example:443"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("https://*.shop.example", "https://*.shop.example"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_an_origin_is_written_as_browsers_do(given: str, cleaned: str) -> None:
    assert clean_origin(given) == cleaned


@pytest.mark.parametrize(
    "wrong",
    [
        "null",
        "shop.example",
        "ftp://shop.example",
        "https://",
        "https://shop.example/page",
        "https://shop.example?a",
        "https://user@shop.example",
        "https://shop.example:port",
        "https://*",
        "https://*.example",
        "https://a.*.example",
        "https://shop*.example",
        "*",
    ],
)
def test_what_is_no_origin_is_refused(wrong: str) -> None:
    with pytest.raises(OriginRefused):
        clean_origin(wrong)


def ask(origin: str) -> Any:
    forget_registry()
    asked = {"origin": origin, "access-control-request-method": "POST"}
    return Client().options("/track-event", headers=asked)


def report(origin: str, key: str | None = None) -> Any:
    forget_registry()
    headers = {"origin": origin} | ({"x-write-key": key} if key else {})
    body = {"event": "looked", "user_id": "ada"}
    return Client().post("/track-event", body, content_type="application/json", headers=headers)


@pytest.mark.usefixtures("log")
def test_a_star_stands_for_sub_domains_and_for_nothing_else() -> None:
    shop, keys = create_source("Shop", ["https://*.shop.example"])
    inner, _ = create_source("Inner", ["https://www.eu.shop.example"])
    for origin in ("https://www.shop.example", "https://a.b.shop.example"):
        assert report(origin)["Access-Control-Allow-Origin"] == origin
        assert report(origin, keys.write_key).status_code == 202
        assert ask(origin).status_code == 204
    assert report("https://www.eu.shop.example").status_code == 202
    assert list(Event.objects.order_by("seq").values_list("source_id", flat=True)) == [shop.pk] * 4 + [inner.pk]
    for origin in (
        "https://shop.example",
        "http://www.shop.example",
        "https://www.shop.example:8443",
        "https://evilshop.example",
        "https://www.shop.example.evil.example",
        "null",
    ):
        assert report(origin).json()["code"] == "origin_not_allowed"
        assert report(origin, keys.write_key).json()["code"] == "origin_not_allowed"
        assert ask(origin).status_code == 403


@pytest.mark.usefixtures("log")
def test_a_page_that_one_source_allows_does_not_send_with_the_key_of_another() -> None:
    create_source("Shop", ["https://shop.example"])
    _, blog = create_source("Blog", ["https://blog.example"])
    answer = report("https://shop.example", blog.write_key)
    assert (answer.status_code, answer.json()["code"]) == (403, "origin_not_allowed")


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    ("site", "referer", "status"),
    [
        ("cross-site", "https://shop.example/", 204),
        ("cross-site", "https://shop.example/lamps?size=7", 204),
        ("cross-site", "https://evil.example/", 403),
        ("cross-site", "https://shop.example.evil.example/https://shop.example/", 403),
        ("cross-site", "https://shop.example@evil.example/", 403),
        ("cross-site", None, 403),
        ("same-site", "https://www.shop.example/", 204),
        ("same-origin", None, 204),
        (None, "https://elsewhere.example/", 204),
        (None, None, 204),
    ],
)
def test_a_foreign_page_does_not_get_round_the_list_by_loading_an_address(
    site: str | None, referer: str | None, status: int
) -> None:
    _, keys = create_source("Shop", ["https://shop.example"])
    forget_registry()
    given = {"sec-fetch-site": site, "referer": referer}
    headers = {name: value for name, value in given.items() if value is not None}
    answer = Client().get(f"/g/collect?v=2&tid={keys.write_key}&cid=1&en=looked", headers=headers)
    assert (answer.status_code, Event.objects.count()) == (status, int(status == 204))


@pytest.mark.usefixtures("log")
def test_an_origin_without_a_star_allows_itself_only() -> None:
    _, keys = create_source("Shop", ["https://shop.example"])
    assert report("https://shop.example", keys.write_key).status_code == 202
    for origin in ("https://www.shop.example", "https://shop.example:8443", "http://shop.example"):
        assert report(origin, keys.write_key).json()["code"] == "origin_not_allowed"
        assert report(origin).json()["code"] == "origin_not_allowed"


@pytest.mark.usefixtures("log")
def test_a_page_may_send_the_headers_that_its_library_adds() -> None:
    create_source("Shop", ["https://shop.example"])
    forget_registry()

    def list_allowed(asked: str) -> set[str]:
        headers = {"origin": "https://shop.example", "access-control-request-headers": asked}
        answer = Client().options("/v1/track", headers={"access-control-request-method": "POST"} | headers)
        return set(answer["Access-Control-Allow-Headers"].lower().split(", "))

    # RudderStack's library for browsers; the last ones where it tries again.
    asked = "anonymousid,authorization,content-type,rsa-retry-attempt,sentat"
    assert {"anonymousid,authorization,content-type,rsa-retry-attempt,sentat", "x-write-key"} <= list_allowed(asked)
    ours = list_allowed("")
    assert list_allowed("a b; c") == list_allowed("x" * 5_000) == ours


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize("size", [1_050_000, 1_150_000, 5_100_000])
@pytest.mark.parametrize("path", ["/track/", "/v1/batch", "/batch/", "/v1/events"])
def test_a_page_learns_that_its_body_is_too_large(path: str, size: int) -> None:
    create_source("Shop", ["https://shop.example"])
    forget_registry()
    for origin, expected in (("https://shop.example", "https://shop.example"), ("https://evil.example", None)):
        answer = Client().post(path, b"data=" + b"x" * size, content_type="text/plain", headers={"origin": origin})
        assert answer.status_code in ((400, 413) if path == "/batch/" else (413,))
        assert answer.headers.get("Access-Control-Allow-Origin") == expected


@pytest.mark.usefixtures("log")
def test_the_origins_of_a_source_made_by_command_are_written_as_browsers_do() -> None:
    create_source("Shop", ["https://Shop.example:443/", "https://shop.example"])
    assert AllowedOrigin.objects.get().origin == "https://shop.example"
