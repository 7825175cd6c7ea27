"""A platform's client, made from the description alone, and a line that loses the answers: what was sent again has one
effect and one answer."""

import importlib
import json
import socket
import socketserver
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from redemption.models import Attempt, Redemption, Throttle, Transfer, Wallet
from tests import factories
from tests.redemption.api.platforms import due, key

pytestmark = pytest.mark.django_db(transaction=True)
CLIENT = "platform_client"
MOST_SENT = 40


class LosesAnswers:
    """Passes requests on, and each answer to every `keeps`th only: the others' line breaks when the server has
    answered, and so has committed. It listens as a context."""

    def __init__(self, upstream, keeps):
        target = urlsplit(upstream)
        self._target = (target.hostname, target.port)
        self._keeps = keeps
        self._lock, self._seen = threading.Lock(), {}
        self.lost = 0
        outer = self

        class Line(socketserver.BaseRequestHandler):
            def handle(self):
                outer.pass_on(self.request)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True
            request_queue_size = 64

        self._server = Server(("127.0.0.1", 0), Line)

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        return self

    def __exit__(self, *error):
        self._server.shutdown()
        self._server.server_close()

    def pass_on(self, line):
        request = _whole(line)
        if not request:
            return
        with socket.create_connection(self._target, timeout=60) as server:
            server.sendall(request)
            answer = _whole(server)
        name = _header(request, "idempotency-key")
        with self._lock:
            count = self._seen[name] = self._seen.get(name, 0) + 1
            is_lost = count % self._keeps != 0
            self.lost += is_lost
        if not is_lost:
            line.sendall(answer)


def _header(message, name):
    head = message.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    fields = dict(line.split(": ", 1) for line in head if ": " in line)
    return {field.lower(): value for field, value in fields.items()}.get(name)


def _whole(line):
    """One message with its body, whose length it says."""
    message = b""
    while b"\r\n\r\n" not in message:
        part = line.recv(65536)
        if not part:
            return b""
        message += part
    length = int(_header(message, "content-length") or 0)
    while len(message.partition(b"\r\n\r\n")[2]) < length:
        part = line.recv(65536)
        if not part:
            return b""
        message += part
    return message


@pytest.fixture(scope="session")
def made_client(tmp_path_factory):
    """The folder of a package that is generated from the description and from nothing else."""
    from redemption.api.v1.api import api

    folder = tmp_path_factory.mktemp("client")
    (folder / "openapi.json").write_text(json.dumps(api.get_openapi_schema()))
    # Its own hooks would format it with a tool on the path.
    (folder / "config.yaml").write_text("post_hooks: []\n")
    program = Path(sys.executable).with_name("openapi-python-client")
    subprocess.run(
        [program, "generate", "--path", folder / "openapi.json", "--meta", "none", "--fail-on-warning",
         "--config", folder / "config.yaml", "--output-path", folder / CLIENT],
        cwd=folder,
        capture_output=True,
        check=True,
        timeout=240,
    )  # fmt: skip
    return folder


@pytest.fixture
def platform(made_client, monkeypatch):
    """Functions of the generated package, by name: platform("api.default.redeem")."""
    monkeypatch.syspath_prepend(str(made_client))
    yield lambda name: importlib.import_module(f"{CLIENT}.{name}")
    for name in [name for name in sys.modules if name.partition(".")[0] == CLIENT]:
        del sys.modules[name]


@pytest.fixture
def batch():
    return factories.batch(factories.product())


def connected(platform, url, token, **settings):
    made = platform("client").AuthenticatedClient(base_url=url, token=token, **settings)
    # Every request on a line of its own: the proxy breaks them.
    made.get_httpx_client().headers["Connection"] = "close"
    return made


def test_the_generated_client_does_all_that_the_interface_offers(platform, live_server, batch):
    program = batch.product.program
    account, card = factories.account(program), factories.card(batch)
    invoice = due(account)
    client = connected(platform, live_server.url, key(program)[1])
    models = platform("models")
    wanted = models.TryIn(account=account.reference, code=card.text)

    def call(name, *args, **kwargs):
        return platform(f"api.default.{name}").sync(*args, client=client, **kwargs)

    looked = call("validate", body=wanted, idempotency_key="look")
    redeemed = call("redeem", body=wanted, idempotency_key="redeem")
    for one in (looked, redeemed):
        assert isinstance(one, models.TriedOut)
        assert (one.serial, one.grant.benefit, one.grant.value) == (card.serial, models.Benefit.CREDIT, 3000)
    refused = call("redeem", body=wanted, idempotency_key="again")
    assert isinstance(refused, models.Problem)
    assert refused.code == models.ProblemCode.REDEEMED_BY_YOU
    read = call("read_account", account.reference)
    assert [(one.currency, one.balance) for one in read.credit] == [("GBP", 3000)]
    (movement,) = call("read_statement", account.reference).movements
    assert (movement.amount, movement.kind) == (3000, models.TransferKind.REDEEM)
    assert call("read_code", body=models.CodeIn(code=card.text)).status == models.CardStatus.REDEEMED
    assert call("read_card", card.serial).redeemed_by == account.reference
    settled = call("settle_invoice", invoice.reference, body=models.SettleIn(paid=True), idempotency_key="paid")
    assert settled.status == models.InvoiceStatus.PAID
    assert call("read_account", "AC-0000-0000-0000").code == models.ProblemCode.UNKNOWN_ACCOUNT


def redeem_all(platform, url, token, wishes, replays, threads):
    """{key: the different answers that came through}, of each wish sent until it has come through so often."""
    redeem, models = platform("api.default.redeem"), platform("models")
    client = connected(platform, url, token, timeout=httpx.Timeout(120))
    client.get_httpx_client()

    def send(wish):
        name, account, card = wish
        body, answers = models.TryIn(account=account.reference, code=card.text), []
        for _ in range(MOST_SENT):
            try:
                answered = redeem.sync_detailed(client=client, body=body, idempotency_key=name)
            except httpx.TransportError:
                continue
            # Somebody else's line is still at it.
            if answered.status_code == 409 and b"still_running" in answered.content:
                continue
            answers.append((int(answered.status_code), answered.content))
            if len(answers) == replays:
                break
        return name, answers

    with ThreadPoolExecutor(threads) as pool:
        return dict(pool.map(send, wishes))


def lost_and_sent_again(platform, live_server, settings, *, keys, replays, keeps=2):
    settings.PLATFORM_REQUESTS_PER_MINUTE = 0
    settings.ATTEMPTS_PER_PROGRAM = 10**9
    batch = factories.batch(factories.product(), size=keys)
    program = batch.product.program
    accounts = [factories.account(program) for _ in range(max(1, keys // 4))]
    cards = factories.cards(keys, batch)
    wishes = [(f"wish-{n}", accounts[n % len(accounts)], card) for n, card in enumerate(cards)]
    with LosesAnswers(live_server.url, keeps) as line:
        answers = redeem_all(platform, line.url, key(program)[1], wishes, replays, threads=4)
        # Every answer but the last of each was lost at least once.
        assert line.lost >= keys * replays * (keeps - 1)
    assert {name: (len(all_of), len(set(all_of)), all_of[0][0]) for name, all_of in answers.items()} == {
        name: (replays, 1, 200) for name, _, _ in wishes
    }
    told = {json.loads(all_of[0][1])["reference"] for all_of in answers.values()}
    assert told == set(Attempt.objects.values_list("reference", flat=True))
    assert (len(told), Redemption.objects.count()) == (keys, keys)
    assert Transfer.objects.filter(kind="redeem").count() == keys
    assert sum(Wallet.objects.values_list("balance", flat=True)) == 3000 * keys
    assert not any(Throttle.objects.filter(scope="account").values_list("recent", flat=True))


def test_lost_answers_are_asked_for_again_and_each_key_has_one_effect(platform, live_server, settings):
    lost_and_sent_again(platform, live_server, settings, keys=12, replays=3)


@pytest.mark.heavy
def test_a_thousand_keys_sent_five_times_over_have_one_effect_each(platform, live_server, settings):
    lost_and_sent_again(platform, live_server, settings, keys=1_000, replays=5)


@pytest.mark.heavy
def test_the_generated_client_is_typed(made_client):
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", "", "--follow-imports", "silent", "--python-executable",
         sys.executable, made_client / CLIENT],
        cwd=made_client,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout[-4000:]
