"""import_codes() complete (decode, read, digest, compare) against COPY of its finished rows."""

import argparse
import tempfile
from pathlib import Path

from redemption.importing import import_codes
from tests.bench import loading
from tests.bench.report import Row


def run(args: argparse.Namespace) -> list[Row]:
    product, retailer, by = loading.product(), loading.retailer(), loading.manager()
    pattern = product.program.current_format().pattern
    codes = args.codes or loading.CODES
    with tempfile.TemporaryDirectory() as folder:
        for count in {codes, codes // 10}:
            with (Path(folder) / str(count)).open("w") as file:
                file.write("card;code;product\n")
                for start in range(0, count, 10_000):
                    file.writelines(
                        f"{start + place};{pattern.display(code.decode())};Card of 30 dollars\n"
                        for place, code in enumerate(pattern.generate(min(10_000, count - start)))
                    )

        def work(count: int) -> None:
            with (Path(folder) / str(count)).open("rb") as source:
                report = import_codes(product=product, retailer=retailer, by=by, source=source)
            assert report.batch, report

        return loading.measure("import", work, codes=codes, runs=args.runs)
