"""Figures side by side: ours, the limit's on the same server in the same run, and the ratio."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Self


@dataclass(frozen=True)
class Row:
    name: str
    ours: float
    limit: float
    ratio: float
    unit: str

    @classmethod
    def of(cls, name: str, ours: float, limit: float, unit: str) -> Self:
        """The ratio is ours / limit, to two places: of speeds, the higher the better; of sizes, the lower."""
        return cls(name, ours, limit, round(ours / limit, 2), unit)


def table(rows: Sequence[Row]) -> str:
    """The rows in aligned columns, under their headings."""
    cells = [("", "ours", "limit", "ratio", "unit")]
    cells += [(row.name, _figure(row.ours), _figure(row.limit), f"{row.ratio:.2f}", row.unit) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            [name.ljust(widths[0])]
            + [figure.rjust(width) for figure, width in zip(figures, widths[1:4], strict=True)]
            + [unit]
        )
        for name, *figures, unit in cells
    ]
    return "\n".join(lines)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def as_json(rows: Sequence[Row]) -> str:
    """One line: {"rows": [{"name", "ours", "limit", "ratio", "unit"}]}."""
    return json.dumps({"rows": [asdict(row) for row in rows]})
