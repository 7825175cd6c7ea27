"""python -m tests.bench redeem|issue|import|lookup|queue|credits|reports|seals|answers|billing|http [--codes N]
[--clients N] [--runs N] [--json]

Measures in a database of its own, which is removed afterwards: on the embedded server, or DATABASE_URL's. Ours and the
limit take turns; the figures are medians.
"""

import argparse
import importlib
import logging
import os
import sys

import django

MODULES = {
    "redeem": "redeem",
    "issue": "issue",
    "import": "importing",
    "lookup": "lookup",
    "queue": "queue",
    "credits": "credits",
    "reports": "reports",
    "seals": "seals",
    "answers": "answers",
    "billing": "billing",
    "http": "over_http",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("bench", choices=MODULES)
    parser.add_argument("--codes", type=int, help="how many, where the bench's own default will not do")
    parser.add_argument("--clients", type=int, help="only with this many, where clients make a difference")
    parser.add_argument("--seconds", type=int, help="of a round, where writers go on for a time (default: 30)")
    parser.add_argument("--runs", type=int, default=5, help="rounds of ours and the limit (default: 5)")
    parser.add_argument("--json", action="store_true", help="the figures once more, as JSON on the last line")
    args = parser.parse_args()

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    logging.disable(logging.INFO)
    django.setup()
    from django.conf import settings
    from django.db import connection

    from tests import owner
    from tests.bench.report import as_json, table

    owner.be(settings.DATABASE_OWNER)

    name = connection.settings_dict["NAME"]
    # Of this process alone, so that tests and another bench can run beside it.
    connection.settings_dict["TEST"]["NAME"] = f"bench_{os.getpid()}"
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        rows = importlib.import_module(f"tests.bench.{MODULES[args.bench]}").run(args)
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)
    sys.stdout.write(table(rows) + "\n")
    if args.json:
        sys.stdout.write(as_json(rows) + "\n")


if __name__ == "__main__":
    main()
