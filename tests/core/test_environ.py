"""The WSGI environment that Django gets from the ASGI application."""

from engagement.django_threads import make_environ
from tests.asgi import make_scope


def test_a_header_with_an_underscore_does_not_pass_for_another() -> None:
    scope = make_scope("GET", "/", "", {"X_Forwarded_Proto": "https", "X-Forwarded-For": "198.51.100.7"})

    environ = make_environ(scope, b"")

    assert "HTTP_X_FORWARDED_PROTO" not in environ
    assert environ["HTTP_X_FORWARDED_FOR"] == "198.51.100.7"


def test_headers_of_one_name_are_one() -> None:
    scope = make_scope("GET", "/a/\u00e9 b", "q=1", {})
    scope["headers"] = [(b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"x-a", b"1"), (b"x-a", b"caf\xc3\xa9")]

    environ = make_environ(scope, b"body")

    assert (environ["HTTP_COOKIE"], environ["HTTP_X_A"]) == ("a=1; b=2", "1,caf\xc3\xa9")
    assert (environ["PATH_INFO"], environ["QUERY_STRING"]) == ("/a/\xc3\xa9 b", "q=1")
    assert (environ["CONTENT_LENGTH"], environ["wsgi.input"].read()) == ("4", b"body")
