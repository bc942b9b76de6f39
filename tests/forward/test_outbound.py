"""The one outbound client: where it connects to, and what it does not let the other side do."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import httpcore
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.conf import LazySettings

from engagement.lib.http import MOST_READ, AddressRefused, Answer, Unreachable, find_problem, is_public, post
from tests.other_side import OtherSide, Say

PRIVATE = (
    "127.0.0.1",
    "127.8.8.8",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "240.0.0.1",
    "192.0.2.1",
    "::1",
    "::",
    "::7f00:1",
    "fe80::1",
    "fd00:ec2::254",
    "ff02::1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2001:0:7f00:1::",
    "2001:db8::1",
)


def call(url: str, **options: Any) -> Answer:
    return post(url, content=b"{}", headers={}, **options)


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """What names lead to: each answer is given once, the last one again and again."""
    names: dict[str, list[list[str]]] = {}
    real = socket.getaddrinfo

    def look_up(host: str, port: int, *arguments: Any, **options: Any) -> Any:
        if host not in names:
            return real(host, port, *arguments, **options)
        found = names[host].pop(0) if len(names[host]) > 1 else names[host][0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return names


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_the_open_internet_is_known(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["93.184.215.14", "8.8.8.8", "2606:4700::1111"])
def test_the_open_internet_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "[::ffff:127.0.0.1]", "[::1]", "evil.example"]
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_spelling_of_this_machine_is_connected_to(
    other_side: OtherSide, settings: LazySettings, resolve: dict[str, list[list[str]]], host: str, scheme: str
) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = []
    resolve["evil.example"] = [["127.0.0.1"]]
    with pytest.raises(AddressRefused, match="private network"):
        call(f"{scheme}://{host}:{other_side.url.rpartition(':')[2]}/")
    assert other_side.connections == 0


def test_a_name_that_leads_elsewhere_a_moment_later_is_followed_to_the_address_that_was_checked(
    other_side: OtherSide,
    settings: LazySettings,
    resolve: dict[str, list[list[str]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = []
    resolve["evil.example"] = [["93.184.215.14"], ["127.0.0.1"]]
    asked: list[str] = []

    def note(self: object, host: str, *arguments: Any, **options: Any) -> None:
        asked.append(host)
        raise httpcore.ConnectError("not in a test")

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", note)
    with pytest.raises(Unreachable, match="not in a test"):
        call("https://evil.example/")
    assert asked == ["93.184.215.14"]
    with pytest.raises(AddressRefused):
        call("https://evil.example/")
    assert asked == ["93.184.215.14"]


def test_of_several_addresses_only_those_that_are_allowed_are_tried(
    other_side: OtherSide, settings: LazySettings, resolve: dict[str, list[list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = []
    resolve["mixed.example"] = [["10.0.0.1", "93.184.215.14", "169.254.169.254"]]
    asked: list[str] = []

    def note(self: object, host: str, *arguments: Any, **options: Any) -> None:
        asked.append(host)
        raise httpcore.ConnectError("not in a test")

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", note)
    with pytest.raises(Unreachable):
        call("https://mixed.example/")
    assert asked == ["93.184.215.14"]


def test_a_redirect_into_a_private_network_is_not_followed(other_side: OtherSide) -> None:
    inner = OtherSide()
    other_side.answer = lambda request: Say(status=302, headers={"Location": inner.url})
    assert call(other_side.url).status == 302
    assert inner.connections == 0
    inner.stop()


def test_plain_http_goes_only_to_networks_that_were_allowed(
    other_side: OtherSide, settings: LazySettings, resolve: dict[str, list[list[str]]]
) -> None:
    resolve["plain.example"] = [["93.184.215.14"]]
    with pytest.raises(AddressRefused, match="https://"):
        call("http://plain.example/")
    assert call(other_side.url).status == 200


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "ftp://example.com/",
        "https://",
        "https://user:pass@example.com/",
        "https://user@example.com/",
        "https://example.com/#x",
        "https://exämple.com/",
        "https://example.com/a b",
        "https://example.com/\r\nX-Evil: 1",
        "https://example.com:99999/",
        "https://[::1/",
        "file:///etc/passwd",
    ],
)
def test_what_is_no_address_is_refused_in_words(url: str) -> None:
    assert find_problem(url)
    with pytest.raises(AddressRefused):
        call(url)


def test_an_answer_without_end_is_cut(other_side: OtherSide) -> None:
    other_side.answer = lambda request: Say(body=b"x" * 20_000_000)
    assert call(other_side.url).body == b"x" * MOST_READ
    other_side.recover()
    assert call(other_side.url).status == 200


@pytest.fixture
def dripping() -> Iterator[str]:
    """A server that says its answer byte by byte, for ever."""
    stop = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)

    def drip() -> None:
        connection, _ = listener.accept()
        with closing(connection):
            connection.recv(65_536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
            while not stop.wait(0.05):
                try:
                    connection.sendall(b"x")
                except OSError:
                    return

    thread = threading.Thread(target=drip)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    stop.set()
    thread.join(10)
    listener.close()


def test_an_answer_that_drips_ends_with_the_deadline(dripping: str, settings: LazySettings) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    began = time.monotonic()
    with pytest.raises(Unreachable, match=r"No answer within 0\.4 seconds"):
        call(dripping, patience=0.4)
    # It would drip for ever.
    assert time.monotonic() - began < 20


def test_a_connection_is_used_again(other_side: OtherSide) -> None:
    for _ in range(5):
        call(other_side.url)
    assert other_side.connections == 1


def test_a_server_that_cannot_prove_its_name_is_told_nothing(tmp_path: Path, settings: LazySettings) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(make_certificate(tmp_path))
    listener = socket.create_server(("127.0.0.1", 0))
    heard: list[bytes] = []

    def serve() -> None:
        connection, _ = listener.accept()
        with closing(connection):
            try:
                with context.wrap_socket(connection, server_side=True) as encrypted:
                    heard.append(encrypted.recv(1000))
            except OSError:
                return

    thread = threading.Thread(target=serve)
    thread.start()
    with pytest.raises(Unreachable, match="certificate"):
        call(f"https://127.0.0.1:{listener.getsockname()[1]}/")
    thread.join(10)
    listener.close()
    assert heard == []


def make_certificate(folder: Path) -> Path:
    """Return a file with a key and a certificate that only it itself has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = folder / "server.pem"
    file.write_bytes(private + certificate.public_bytes(pem))
    return file
