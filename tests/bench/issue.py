"""issue_batch() complete (codes, check symbols, digests, encrypted print file) against COPY of its finished rows."""

import argparse

from redemption.issuing import issue_batch
from redemption.models import Batch
from redemption.print_files import path_of
from tests.bench import loading
from tests.bench.report import Row


def run(args: argparse.Namespace) -> list[Row]:
    product, retailer, by = loading.product(), loading.retailer(), loading.manager()
    code_format = product.program.current_format()

    def work(count: int) -> None:
        batch = Batch.objects.create(
            product=product, retailer=retailer, code_format=code_format, quantity=count, created_by=by
        )
        path_of(issue_batch(batch=batch, by=by)).unlink()

    return loading.measure("issue", work, codes=args.codes or loading.CODES, runs=args.runs)
