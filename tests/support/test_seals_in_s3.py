"""Seals in a bucket, against an S3 server on this machine."""

import json
import subprocess
import sys

import boto3
import pytest
from django.conf import settings as django_settings
from django.utils import timezone
from moto.server import ThreadedMotoServer

from support.models import Seal, SealMark
from support.seal_exports import export
from support.signing import NOTHING, from_line, public_key, sign
from tests.config.test_settings import production

_PRINTS = "import json; from django.conf import settings; print(json.dumps(settings.STORAGES['seals']))"


def storage(**environment):
    """Where the production settings put seals."""
    printed = subprocess.run(
        [sys.executable, "-c", _PRINTS],
        env=production(**environment),
        cwd=django_settings.BASE_DIR,
        capture_output=True,
        check=True,
        timeout=60,
    )
    return json.loads(printed.stdout)


def test_without_a_bucket_they_go_to_a_folder_that_nobody_else_reads():
    made = storage(SEALS_DIR="/mnt/seals")
    assert made["BACKEND"] == "django.core.files.storage.FileSystemStorage"
    assert made["OPTIONS"] == {
        "file_permissions_mode": 0o600, "directory_permissions_mode": 0o700, "location": "/mnt/seals",
    }  # fmt: skip


@pytest.mark.django_db
def test_they_go_to_a_bucket_of_their_own(settings):
    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    server = "http://{}:{}".format(*moto.get_host_and_port())
    access = {"S3_ACCESS_KEY": "desk", "S3_SECRET_KEY": "secret", "S3_REGION": "eu-north-1"}
    try:
        made = storage(S3_SEALS_BUCKET="seals", S3_ENDPOINT_URL=server, **access)
        settings.STORAGES = {**settings.STORAGES, "seals": made}
        s3 = boto3.resource(
            "s3",
            endpoint_url=server,
            region_name="eu-north-1",
            aws_access_key_id="desk",
            aws_secret_access_key="secret",
        )
        bucket = s3.Bucket("seals")
        bucket.create(CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
        seal = Seal(
            number=1, version=1, at=timezone.now(), cluster="1", horizon=1, counts={"1": 1}, count=1, root=bytes(32),
            previous=NOTHING,
        )  # fmt: skip
        sign(seal)
        seal.save(force_insert=True)
        assert export() == 1
        (there,) = bucket.objects.all()
        assert there.key == f"{seal.at:%Y-%m-%d}/000000000001-000000000001.jsonl"
        read, public = from_line(there.get()["Body"].read().decode())
        assert (read.hash, public) == (seal.hash, public_key())
        assert SealMark.objects.get().exported == 1
    finally:
        moto.stop()
        moto._server.server_close()
