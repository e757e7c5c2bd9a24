"""What galleries of any size would cost, computed from measured rates: the table of docs/scaling.md.

`python -m benchmarks.scaling.costs` prints it; every rate and price is a flag, so that yours can be put in. Rates are
those that `make bench` and `make bench-scaling` printed on 2 cores; nothing larger than a million was measured.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass, fields

SIZES = (10**6, 10**8, 10**10)
MONTH_GB, HOUR = 1e9, 3600.0
MEASURED = 10**6


@dataclass(frozen=True)
class Rates:
    """What was measured, and prices.

    Attributes:
        photos_per_core: Photos a second that one core reads, embeds and scores (embedded encoder, 224 × 224).
        rows_per_writer: Rows a second that the one writer of a gallery stores.
        rows_per_index: Rows a second of building the compressed index of a million, by one machine. Each row is
            compared with every partition, and these are as many as the square root of the rows: a larger one takes
            longer by the row.
        row_bytes: Of a row on disk, once old files are cleared away.
        index_bytes: Of the compressed index, a row.
        known_bytes: Memory of the process that indexes, for a photo that the gallery holds already.
        cores: That embed side by side.
        core_hour: Price of a core for an hour.
        gb_month: Price of a gigabyte of storage for a month.
    """

    photos_per_core: float = 28.5
    rows_per_writer: float = 33_000
    rows_per_index: float = 15_000
    row_bytes: float = 2181
    index_bytes: float = 85
    known_bytes: float = 284
    cores: float = 64
    core_hour: float = 0.04
    gb_month: float = 0.023


def row(photos: int, rates: Rates) -> dict[str, float]:
    """What a gallery of so many photos takes."""
    core_hours = photos / rates.photos_per_core / HOUR
    indexing = photos / rates.rows_per_index / HOUR * math.sqrt(photos / MEASURED)
    hours, written = core_hours / rates.cores, photos / rates.rows_per_writer / HOUR
    stored = photos * (rates.row_bytes + rates.index_bytes) / MONTH_GB
    return {
        "core-hours of embedding": core_hours,
        "hours of it": hours,
        "price of it": core_hours * rates.core_hour,
        "hours of the writer, meanwhile": written,
        "hours of the index, at most": indexing,
        "hours in all": max(hours, written) + indexing,
        "GB stored": stored,
        "price of a month": stored * rates.gb_month,
        "GB of memory to index again": photos * rates.known_bytes / MONTH_GB,
    }


def table(rates: Rates) -> str:
    """A Markdown table: a line per quantity, a column per size."""
    columns = [row(size, rates) for size in SIZES]
    head = "| photos | " + " | ".join(f"10^{len(str(size)) - 1}" for size in SIZES) + " |"
    lines = [head, "|---" * (len(SIZES) + 1) + "|"]
    for name in columns[0]:
        dollars = "$" if "price" in name else ""
        lines.append(f"| {name} | " + " | ".join(f"{dollars}{_told(c[name])}" for c in columns) + " |")
    return "\n".join(lines)


def _told(value: float) -> str:
    """Two digits that mean something."""
    if value >= 100:
        digits = len(str(int(value))) - 2
        return f"{round(value, -digits):,.0f}"
    return f"{value:.2g}"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling.costs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for field in fields(Rates):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=float, default=field.default)
    print(table(Rates(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()
