"""Files for Neo4j's own offline import tool: the fastest way to fill an empty database."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from kg.errors import InputError
from kg.ontology import relation
from kg.progress import SILENT, Progress
from kg.store import EngineGraph

STATE_LABEL: Final = "ClewState"  # label of the one node by which an engine remembers the digest of what it holds
STATE_KEY: Final = "graph"
_TYPES: Final[Mapping[pa.DataType, str]] = {
    pa.string(): "string",
    pa.float64(): "double",
    pa.int64(): "long",
    pa.int32(): "int",
    pa.bool_(): "boolean",
}
_DATABASE = "neo4j"


def write_import_files(graph: EngineGraph, folder: Path, progress: Progress = SILENT) -> list[str]:
    """Write one CSV file a label and relation, headers included, and `import.sh` with the one line that loads them.

    Args:
        graph: what the database shall hold.
        folder: made when missing; files of the same names are replaced.
        progress: listener.

    Returns:
        arguments of neo4j-admin, paths relative to the folder: `["database", "import", "full", "neo4j", "--nodes=…", …]`.

    Raises:
        InputError: a number is not finite, which the tool does not read.
    """
    for name in ("nodes", "relationships"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    state = pa.table({"key": [STATE_KEY], "digest": [graph.digest]})
    nodes = {str(label): table for label, table in graph.nodes.items()} | {STATE_LABEL: state}
    arguments, multiline = [], False
    with progress.stage("writing CSV", len(nodes) + len(graph.edges)) as advance:
        for label, table in nodes.items():
            header = [f"key:ID({label})", *(_header(column) for column in list(table.schema)[1:])]
            multiline |= _write(table, header, folder / "nodes" / f"{label}.csv")
            arguments.append(f"--nodes={label}=nodes/{label}.csv")
            advance(1)
        for name, table in graph.edges.items():
            ends = relation(name)
            header = [f":START_ID({ends.source})", f":END_ID({ends.target})", *(_header(column) for column in list(table.schema)[2:])]
            multiline |= _write(table, header, folder / "relationships" / f"{name}.csv")
            arguments.append(f"--relationships={name}=relationships/{name}.csv")
            advance(1)
    command = [
        "database",
        "import",
        "full",
        _DATABASE,
        "--overwrite-destination",
        f"--multiline-fields={str(multiline).lower()}",
        *arguments,
    ]
    script = (
        "#!/bin/sh\n# The server must be stopped. Replaces what its database holds.\n"
        + f'cd "$(dirname "$0")" && {command_line(command)}\n'
    )
    (folder / "import.sh").write_text(script)
    return command


def command_line(arguments: list[str]) -> str:
    """The line for a shell."""
    return shlex.join(["neo4j-admin", *arguments])


def _header(column: pa.Field) -> str:
    return f"{column.name}:{_TYPES[column.type]}"


def _write(table: pa.Table, header: list[str], path: Path) -> bool:
    """Write one file; returns whether a value has a line break in it."""
    broken = False
    for column in table.schema:
        values = table.column(column.name)
        if column.type == pa.string():
            broken |= bool(pc.any(pc.match_substring_regex(values, r"[\r\n]")).as_py())
        elif column.type == pa.float64() and pc.any(pc.invert(pc.is_finite(values))).as_py():
            raise InputError(f"{path.stem} has a {column.name} that is no finite number.", "Mend that row and ingest it again.")
    # Null is nothing between commas, an empty text is "": quoting every value that is there keeps the two apart.
    options = pyarrow.csv.WriteOptions(include_header=True, quoting_style="all_valid")
    pyarrow.csv.write_csv(table.rename_columns(header), path, options)
    return broken
