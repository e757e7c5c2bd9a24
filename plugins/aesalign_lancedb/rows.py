"""The shape of a gallery's rows in Arrow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def schema_of(dim: int, rewards: Sequence[str], metadata: Mapping[str, str]) -> pa.Schema:
    """Columns of a new table; the metadata is that of the field `id`."""
    import pyarrow as pa

    fields = [
        pa.field("id", pa.string(), nullable=False, metadata=dict(metadata)),
        pa.field("path", pa.string(), nullable=False),
        pa.field("width", pa.int32()),
        pa.field("height", pa.int32()),
        pa.field("vector", pa.list_(pa.float32(), dim), nullable=False),
    ]
    return pa.schema([*fields, *(pa.field(name, pa.float32()) for name in rewards)])


def conform(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows with the table's columns in its order; rewards that they lack are null."""
    import pyarrow as pa

    columns = [
        rows[f.name].cast(f.type) if f.name in rows.column_names else pa.nulls(rows.num_rows, f.type) for f in schema
    ]
    return pa.table(columns, schema=schema)
