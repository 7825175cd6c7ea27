"""Customers' files in S3, against a server on this machine."""

import json
import subprocess
import sys

import boto3
import pytest
from django.conf import settings as django_settings
from django.core.files.storage import storages
from moto.server import ThreadedMotoServer

from redemption.roles import Role
from tests.config.test_settings import production
from tests.support.desk import at_the_desk
from tests.support.test_attachments import address, attached, bought

pytestmark = pytest.mark.django_db
_PRINTS = "import json; from django.conf import settings; print(json.dumps(settings.STORAGES))"


@pytest.fixture(scope="module")
def server():
    """Where an S3 of our own answers."""
    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    yield "http://{}:{}".format(*moto.get_host_and_port())
    moto.stop()
    moto._server.server_close()


@pytest.fixture
def buckets(server, settings):
    """What the production settings make of an environment with S3, and its two buckets: contents by name."""
    environment = {
        "S3_BUCKET": "pictures",
        "S3_QUARANTINE_BUCKET": "quarantine",
        "S3_ENDPOINT_URL": server,
        "S3_REGION": "eu-north-1",
        "S3_ACCESS_KEY": "desk",
        "S3_SECRET_KEY": "secret",
    }
    printed = subprocess.run(
        [sys.executable, "-c", _PRINTS],
        env=production(**environment),
        cwd=django_settings.BASE_DIR,
        capture_output=True,
        check=True,
        timeout=60,
    )
    made = json.loads(printed.stdout)
    settings.STORAGES = {**settings.STORAGES, "pictures": made["pictures"], "quarantine": made["quarantine"]}
    s3 = boto3.resource(
        "s3", endpoint_url=server, region_name="eu-north-1", aws_access_key_id="desk", aws_secret_access_key="secret"
    )
    made = [s3.Bucket(name) for name in ("pictures", "quarantine")]
    for bucket in made:
        bucket.create(CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
    yield made
    for bucket in made:
        bucket.objects.all().delete()
        bucket.delete()
    s3.meta.client.close()


def test_pictures_and_originals_lie_in_their_own_buckets_and_come_back(buckets):
    pictures, quarantine = buckets
    contents = bought()
    row = attached(contents)
    page = row.pages.get()
    assert {item.key for item in quarantine.objects.all()} == {row.original}
    assert {item.key for item in pictures.objects.all()} == {page.file, page.file.replace(".jpg", "-small.jpg")}
    assert quarantine.Object(row.original).get()["Body"].read() == contents
    client, _ = at_the_desk(Role.MANAGER)
    assert client.get(address(row, page=None)).content == contents
    for end, key in (("", page.file), ("small/", page.file.replace(".jpg", "-small.jpg"))):
        assert client.get(address(row, end=end)).content == pictures.Object(key).get()["Body"].read()


def test_nobody_reads_them_without_our_key(buckets):
    row = attached(bought())
    for bucket, key in zip(buckets, (row.pages.get().file, row.original), strict=True):
        grants = bucket.Object(key).Acl().grants
        assert [grant["Grantee"]["Type"] for grant in grants] == ["CanonicalUser"]


def test_what_is_gone_is_a_404(buckets):
    row = attached(bought())
    storages["pictures"].delete(row.pages.get().file)
    storages["quarantine"].delete(row.original)
    client, _ = at_the_desk(Role.MANAGER)
    assert client.get(address(row)).status_code == 404
    assert client.get(address(row, page=None)).status_code == 404


def test_without_the_bucket_the_text_stays_and_the_file_is_asked_for_again(buckets):
    quarantine = buckets[1]
    quarantine.delete()
    row = attached(bought())
    assert row.refusal == "The file could not be stored: please send it again."
    assert (row.original, row.pages.count()) == ("", 0)
    assert list(buckets[0].objects.all()) == []
    quarantine.create(CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
