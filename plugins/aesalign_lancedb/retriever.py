"""The retriever: one LanceDB table, `photos`, in a database folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from aesalign_core.errors import GalleryError, QueryError
from aesalign_core.locations import StoreUri, locate
from aesalign_core.protocols import BuildContext
from aesalign_core.settings import Settings as BaseSettings
from aesalign_core.types import Match, Scores, Vectors
from aesalign_lancedb import checks
from aesalign_lancedb.places import TABLE, Folder, Place, Store
from aesalign_lancedb.rows import conform, schema_of
from aesalign_lancedb.writing import reason, storage_errors

if TYPE_CHECKING:
    import pyarrow as pa

_COMPACT_PARTS = 128
"""Parts that a small table may have before they are merged."""
_COMPACT_ROWS = 32_768
"""Rows for which it may have as many again: merging rewrites the table, so that a large one must have grown by a part
of itself, else a million rows would be rewritten a hundred times."""
_COMPACT_AT_END = 16
"""At the end of the writing, so many times fewer parts are enough."""
_LOOK_EVERY = 32
"""Writes between looks at how many parts there are."""
_KEEP_VERSIONS = timedelta(days=1)
_IDS_TOGETHER = 2_000
_MAX_WHERE = 10_000


def _place(location: PurePath, context: BuildContext) -> Place:
    return Store(location, context) if isinstance(location, StoreUri) else Folder(Path(location))


class LanceRetriever:
    """Rows of photos in a LanceDB table; implements `protocols.Retriever`.

    Metadata lives in the schema, as metadata of the field `id`: it is versioned with the rows, and a write either
    happens whole or not at all.
    """

    object_stores: ClassVar[bool] = True

    class Settings(BaseSettings):
        """How to store and search.

        Attributes:
            location: The database folder, or a place in an object store (`s3://bucket/…`).
            index: `none`: every search is exact. `ivf`: `build_index` makes an approximate index, and search uses it.
            partitions: Of the index; None: the square root of the number of photos.
            compressed: A smaller index, a bit per number by rotation quantisation (of widths that are no multiple of
                8: product quantisation), whose candidates are refined by full vectors.
            nprobes: Partitions that a search visits.
            refine_factor: Candidates per result that are compared again by full vectors, with `compressed`.
        """

        location: str = "gallery"
        index: Literal["none", "ivf"] = "none"
        partitions: int | None = Field(None, ge=1, le=65_536)
        compressed: bool = False
        nprobes: int = Field(80, ge=1, le=65_536)
        refine_factor: int = Field(10, ge=1, le=1000)

    def __init__(self, settings: Settings, context: BuildContext) -> None:
        self.settings = settings
        self.location = locate(settings.location)
        self._place = _place(self.location, context)
        self._open_table: Any = None
        self._writes = 0
        self._depth = 0

    # -- the store

    def exists(self) -> bool:
        """Whether the store is there already; also moves on to what other processes have written since."""
        with storage_errors("open", self.location):
            there = self._place.has_table()
        if self._open_table is not None:
            self._open_table = None if not there else self._open_table
            with storage_errors("read", self.location):
                self._table().checkout_latest() if there else None
        return there

    def create(self, *, dim: int, rewards: Sequence[str], metadata: Mapping[str, str]) -> None:
        """Makes an empty store."""
        schema = schema_of(dim, [checks.reward_name(r) for r in rewards], metadata)
        self._place.check_free()
        with self.writing(), storage_errors("create", self.location):
            if self.exists():
                raise GalleryError(f"there is a gallery at {self.location} already")
            self._place.clear()
            with self._place.whole(size=0):
                self._open_table = self._place.connect().create_table(TABLE, schema=schema)

    def drop(self) -> None:
        """Removes the rows, with all that belongs to them."""
        with self.writing(), storage_errors("delete", self.location):
            self._open_table = None
            self._place.connect().drop_table(TABLE)

    def _table(self) -> Any:
        if self._open_table is None:
            if not self.exists():
                raise GalleryError(f"there is no gallery at {self.location}", hint="make one with aesalign index")
            with storage_errors("open", self.location):
                self._open_table = self._place.connect().open_table(TABLE)
            missing = [c for c in checks.FIXED if c not in self._open_table.schema.names]
            if missing:
                self._open_table = None
                raise GalleryError(f"the table at {self.location} is no gallery: it lacks {', '.join(missing)}")
        return self._open_table

    def _schema(self) -> pa.Schema:
        with storage_errors("read", self.location):
            return self._table().schema

    def metadata(self) -> dict[str, str]:
        """The metadata. Raises GalleryError if the store is missing or not one of ours."""
        stored = self._schema().field("id").metadata or {}
        return {key.decode(): value.decode() for key, value in stored.items()}

    def update_metadata(self, values: Mapping[str, str]) -> None:
        """Adds or replaces metadata."""
        with self._write("write to"):
            self._table().update_field_metadata({"path": "id", "metadata": dict(values)})

    def count(self) -> int:
        """Number of rows."""
        with storage_errors("read", self.location):
            return int(self._table().count_rows())

    def columns(self) -> list[str]:
        """Names of the reward columns."""
        return [name for name in self._schema().names if name not in checks.FIXED]

    # -- writing

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Holds the right to write over several writes; tidies small files up at the end."""
        with self._place.held():
            self._depth += 1
            try:
                yield
                if self._depth == 1 and self._writes:
                    self._compact_beyond(1 / _COMPACT_AT_END)
                    self._writes = 0
            finally:
                self._depth -= 1

    @contextlib.contextmanager
    def _write(self, action: str, size: int = 0) -> Iterator[None]:
        with self.writing():
            with self._whole(action, size):
                yield
            self._writes += 1
            if self._writes % _LOOK_EVERY == 0:
                self._compact_beyond(1.0)

    @contextlib.contextmanager
    def _whole(self, action: str, size: int = 0) -> Iterator[None]:
        try:
            with storage_errors(action, self.location), self._place.whole(size=size):
                yield
        except GalleryError:
            # The table on disk is as it was; the one in memory may not be.
            self._open_table = None
            raise

    def _compact_beyond(self, share: float) -> None:
        """Merges parts if there are more than a share of those allowed; versions of the last day are left alone."""
        with storage_errors("read", self.location):
            told = self._table().stats()
        allowed = _COMPACT_PARTS * (1 + told["num_rows"] // _COMPACT_ROWS)
        if told["fragment_stats"]["num_fragments"] >= share * allowed:
            with self._whole("compact"):
                self._table().optimize(cleanup_older_than=_KEEP_VERSIONS)

    def add(self, rows: pa.Table) -> None:
        """Appends rows: id, path (string), width, height (int32), vector (list<float32>[d]), rewards (float32)."""
        import numpy as np

        schema = self._schema()
        checks.known_columns(rows.column_names, schema.names)
        checks.id_list(rows["id"].to_pylist())
        dim = schema.field("vector").type.list_size
        flat = rows["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        checks.stored_vectors(np.asarray(flat, dtype=np.float32).reshape(rows.num_rows, -1), dim)
        with self._write("write to", 2 * rows.nbytes):
            self._table().add(conform(rows, schema))

    def delete(self, ids: Sequence[str]) -> None:
        """Removes rows by id."""
        for start in range(0, len(ids), _IDS_TOGETHER):
            condition = f"id IN ({checks.id_list(ids[start : start + _IDS_TOGETHER])})"
            with self._write("write to"):
                self._table().delete(condition)

    def set_paths(self, paths: Mapping[str, str]) -> None:
        """Gives known ids new paths (photos that were moved)."""
        import pyarrow as pa

        self._merge(
            pa.table({"id": pa.array(list(paths), pa.string()), "path": pa.array(paths.values(), pa.string())})
        )

    def set_column(self, name: str, ids: Sequence[str], scores: Scores) -> None:
        """Writes a reward column, adding it if it is new; rows not named keep what they have.

        A score of NaN takes a row's score away.
        """
        import numpy as np
        import pyarrow as pa

        values = np.asarray(scores, dtype=np.float32)
        if values.shape != (len(ids),):
            raise GalleryError(f"{len(ids)} photos, but scores of shape {values.shape}")
        if checks.reward_name(name) not in self._schema().names:
            with self._write("write to"):
                self._table().add_columns(pa.field(name, pa.float32()))
        column = pa.array(values, pa.float32(), mask=np.isnan(values))
        self._merge(pa.table({"id": pa.array(ids, pa.string()), name: column}))

    def _merge(self, rows: pa.Table) -> None:
        if rows.num_rows:
            checks.id_list(rows["id"].to_pylist())
            with self._write("write to", 2 * rows.nbytes):
                self._table().merge_insert("id").when_matched_update_all().execute(rows)

    # -- reading

    def scan(self, columns: Sequence[str], *, batch_size: int = 4096) -> Iterator[pa.RecordBatch]:
        """All rows, in batches, in an order that stays the same until the store is written."""
        names = checks.known_columns(columns, self._schema().names)
        with storage_errors("read", self.location):
            yield from self._table().search().select(names).to_batches(batch_size)

    def fetch(self, ids: Sequence[str], columns: Sequence[str]) -> pa.Table:
        """The rows of these ids, in the order asked for. Raises GalleryError if one is missing."""
        import pyarrow as pa
        import pyarrow.compute as pc

        names = checks.known_columns(columns, self._schema().names)
        wanted = list(dict.fromkeys(["id", *names]))
        unique = list(dict.fromkeys(ids))
        parts = [self._schema().empty_table().select(wanted)]
        for start in range(0, len(unique), _IDS_TOGETHER):
            condition = f"id IN ({checks.id_list(unique[start : start + _IDS_TOGETHER])})"
            with storage_errors("read", self.location):
                parts.append(self._table().search().where(condition).select(wanted).to_arrow())
        found = pa.concat_tables([part.replace_schema_metadata(None) for part in parts], promote_options="permissive")
        places = pc.index_in(pa.array(ids, pa.string()), value_set=found["id"].combine_chunks())
        if places.null_count:
            missing = ids[places.to_pylist().index(None)]
            raise GalleryError(f"no photo {missing} in the gallery {self.location}", hint="index the photos again")
        return found.take(places).select(names)

    def search(
        self, vectors: Vectors, *, k: int, rewards: Sequence[str] = (), where: str | None = None
    ) -> list[list[Match]]:
        """For each of q query vectors the k nearest rows by cosine, nearest first; ties by id."""
        import numpy as np

        from aesalign_lancedb.nearest import Plan, nearest

        schema = self._schema()
        queries = np.asarray(vectors, dtype=np.float32)
        checks.query_vectors(queries, schema.field("vector").type.list_size)
        names = checks.known_columns(rewards, self.columns())
        if k < 1:
            raise QueryError(f"k is {k}", hint="ask for at least 1 photo")
        if where is not None and len(where) > _MAX_WHERE:
            raise QueryError(f"the filter has {len(where):,} characters", hint=f"use at most {_MAX_WHERE:,}")
        refine = self.settings.refine_factor if self.settings.compressed else 0
        plan = Plan(self.settings.index == "none", self.settings.nprobes, refine)
        with self._query_errors(where, schema.names):
            return nearest(self._table(), queries, k=k, rewards=names, where=where, plan=plan, rows=self.count())

    @contextlib.contextmanager
    def _query_errors(self, where: str | None, names: Sequence[str]) -> Iterator[None]:
        with storage_errors("search", self.location):
            try:
                yield
            except (ValueError, RuntimeError) as error:
                if where is None:
                    raise
                hint = "an SQL condition on " + ", ".join(n for n in names if n != "vector")
                raise QueryError(f"cannot filter by {where!r:.200}: {reason(error)[0]}", hint=hint) from error

    def build_index(self) -> str:
        """Builds the approximate index that its settings ask for and says what it built."""
        from aesalign_lancedb import index

        rows, dim = self.count(), self._schema().field("vector").type.list_size
        if self.settings.index == "none":
            return f"exact search over {rows} photos"
        with self._write("index"):
            return index.build(
                self._table(),
                rows=rows,
                dim=dim,
                partitions=self.settings.partitions,
                compressed=self.settings.compressed,
            )
