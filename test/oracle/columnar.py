"""Writes columnar: the same rows as Parquet and Arrow files, as pyarrow and Hugging Face's datasets write them."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = Path(__file__).parent / "columnar"
FOLDER.mkdir(exist_ok=True)
rows = [
    {
        "id": i,
        "messages": [{"role": "user", "content": f"Où est {i}?\n"}, {"role": "assistant", "content": f"ici {i}"}],
        "tags": ["a", None] if i % 2 else None,
        "weight": i / 2,
    }
    for i in range(20)
]
table = pa.Table.from_pylist(rows)
for codec in ("none", "snappy", "gzip", "zstd"):
    pq.write_table(table, FOLDER / f"{codec}.parquet", compression=codec, row_group_size=8)
with pa.OSFile(str(FOLDER / "stream.arrow"), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
    writer.write_table(table, max_chunksize=8)
with pa.OSFile(str(FOLDER / "file.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
    writer.write_table(table, max_chunksize=8)
