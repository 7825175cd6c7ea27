"""Where webhooks may go: to public machines, by https, no further, and not for long."""

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as some

from redemption.webhooks import targets
from redemption.webhooks.targets import Answer, TargetError, check, post
from tests.redemption.webhooks.receiving import drips, receiver

PRIVATE = [
    "127.0.0.1", "127.8.9.1", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "0.0.0.0",  # noqa: S104
    "100.64.0.1", "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "240.0.0.1",
    "::1", "::", "fe80::1", "fc00::1", "fd12:3456::1", "ff02::1", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::", "2002:a00:1::", "2001:0:7f00:1::",
]  # fmt: skip
PUBLIC = ["93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:8.8.8.8", "64:ff9b::808:808"]


def send(url, **changes):
    return post(url, body=b"{}", headers={"content-type": "application/json"}, **{"timeout": 5, **changes})


# --- What an address may be


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_refused_whoever_writes_it_and_however(address):
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(TargetError, match=r"^a private address$"):
        check(f"https://{host}/")
    with pytest.raises(TargetError, match=r"^a private address$"):
        send(f"https://{host}/")


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_none(address):
    targets._require_public(ip_address(address))


@given(some.ip_addresses(v=4, network="10.0.0.0/8") | some.ip_addresses(v=4, network="169.254.0.0/16"))
def test_a_private_address_stays_private_inside_any_other(address):
    number = int(address)
    inside = [
        f"::ffff:{address}",
        str(ip_address(0x0064FF9B << 96 | number)),
        str(ip_address(0x2002 << 112 | number << 80)),
    ]
    for one in inside:
        with pytest.raises(TargetError):
            check(f"https://[{one}]/")


# Spellings of 127.0.0.1 that resolvers take, and names that this machine has for itself.
@pytest.mark.parametrize("host", ["localhost", "2130706433", "0x7f.1", "127.1", "017700000001", "LOCALHOST."])
def test_a_name_of_this_machine_is_refused_where_it_is_looked_up(host):
    with receiver() as here:
        port = here.server.server_port
        with pytest.raises(TargetError, match=r"^(a private address|unknown host)$"):
            send(f"https://{host}:{port}/")
    assert here.got == []


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://platform.example.com/", "not https"),
        ("ftp://platform.example.com/", "not https"),
        ("file:///etc/passwd", "not https"),
        ("https://", "not a web address"),
        ("https:///hooks", "not a web address"),
        ("https://platform.example.com:0/", "not a web address"),
        ("https://platform.example.com:99999/", "not a web address"),
        ("https://platform.example.com:x/", "not a web address"),
        ("https://user:secret@platform.example.com/", "a password in the address"),
        ("https://user@platform.example.com/", "a password in the address"),
        ("https://platform.example.com/ HTTP/1.1\r\nx: y", "not a web address"),
        ("https://platform.example.com/\x00", "not a web address"),
        ("https://[::1/", "not a web address"),
        (f"https://{'a' * 64}.example.com/", "not a web address"),
    ],
)
def test_what_is_no_address_for_webhooks_is_told_in_words_without_it(url, why):
    with pytest.raises(TargetError) as refused:
        check(url)
    assert str(refused.value) == why


@given(some.text(max_size=60).map("https://{}".format) | some.text(max_size=60))
def test_whatever_is_typed_is_an_address_or_refused(url):
    try:
        parts = check(url)
    except TargetError:
        return
    assert parts.scheme == "https"
    assert parts.hostname


def test_a_name_with_one_private_address_among_others_is_refused(settings):
    """As the resolver gives them: a name may have several, and another the next time."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 443)),
             (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 443))]  # fmt: skip
    with pytest.MonkeyPatch.context() as patched, pytest.raises(TargetError, match=r"^a private address$"):  # noqa: PT012
        patched.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)
        send("https://platform.example.com/")


def test_only_a_developer_may_send_to_this_machine(settings):
    settings.WEBHOOK_PRIVATE_TARGETS = True
    with receiver(204) as here:
        assert send(here.url) == Answer(204)
        settings.WEBHOOK_PRIVATE_TARGETS = False
        with pytest.raises(TargetError, match=r"^not https$"):
            send(here.url)
    ((headers, body),) = here.got
    assert (headers["host"], body) == (f"127.0.0.1:{here.server.server_port}", b"{}")


# --- What a server may do


@pytest.fixture
def private(settings):
    settings.WEBHOOK_PRIVATE_TARGETS = True


@pytest.mark.usefixtures("private")
def test_whoever_drips_is_cut_off_when_the_time_is_over():
    with receiver(drips) as slow:
        begun = datetime.now(UTC)
        with pytest.raises(TargetError, match=r"^timeout$"):
            send(slow.url, timeout=0.5)
    # It would have gone on for a minute.
    assert datetime.now(UTC) - begun < timedelta(seconds=30)


def silent(handler):
    threading.Event().wait(20)


def hangs_up(handler):
    handler.connection.close()


def talks_nonsense(handler):
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")


def never_ends_its_headers(handler):
    try:
        while True:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 200)
    except OSError:
        pass


@pytest.mark.usefixtures("private")
@pytest.mark.parametrize(
    ("answer", "why"),
    [(silent, "timeout"), (hangs_up, "connection lost"), (talks_nonsense, "no HTTP"),
     (never_ends_its_headers, "no HTTP")],
)  # fmt: skip
def test_whatever_a_server_does_is_told_in_a_word(answer, why):
    with receiver(answer) as odd, pytest.raises(TargetError) as refused:
        send(odd.url, timeout=1)
    assert str(refused.value) == why


@pytest.mark.usefixtures("private")
def test_a_huge_answer_is_not_read():
    def huge(handler):
        handler.send_response(200)
        handler.send_header("content-length", str(10**12))
        handler.end_headers()
        never_ends_its_headers(handler)

    with receiver(huge) as platform:
        assert send(platform.url) == Answer(200)


@pytest.mark.usefixtures("private")
@pytest.mark.parametrize(
    ("text", "seconds"), [("120", 120), ("99999999", 86400), ("soon", 0), ("-5", 0), ("١٢", 0), ("9" * 5000, 0)]
)
def test_the_time_that_a_server_asks_for_is_bounded(text, seconds):
    assert targets._seconds(text) == seconds


@pytest.mark.usefixtures("private")
def test_nobody_at_the_address_is_told():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(TargetError, match=r"^connection refused$"):
        send(f"http://127.0.0.1:{port}/")


# --- Certificates


@pytest.fixture
def certificate(tmp_path):
    """A key and a certificate for “localhost” that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def secure(certificate):
    """Ports of servers of this machine that speak TLS; how many requests came."""
    came = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            came.append(self.headers["host"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *args: None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server.server_port, came
    server.shutdown()
    server.server_close()


@pytest.mark.usefixtures("private")
def test_a_certificate_that_nobody_vouches_for_gets_nothing(secure):
    port, came = secure
    with pytest.raises(TargetError, match=r"^a certificate that does not hold$"):
        send(f"https://localhost:{port}/")
    assert came == []


@pytest.mark.usefixtures("private")
def test_a_certificate_must_be_of_the_name_that_was_asked_for(secure, certificate, monkeypatch):
    """The connection goes to an address, the certificate is the name's."""
    port, came = secure
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert send(f"https://localhost:{port}/") == Answer(200)
    assert came == [f"localhost:{port}"]
    with pytest.raises(TargetError, match=r"^a certificate that does not hold$"):
        send(f"https://127.0.0.1:{port}/")
    assert len(came) == 1
