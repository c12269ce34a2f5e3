"""What a Neo4j server lets a query read beside the graph."""

from __future__ import annotations

from dataclasses import dataclass

from kg.errors import ClewError
from kg.stores.bolt_session import BoltConnection, BoltSettings

FILE_IMPORT = "dbms.security.allow_csv_import_from_file_urls"
_FOLDER = "server.directories.import"
_QUERY = "SHOW SETTINGS YIELD name, value WHERE name IN $names RETURN name, value"


@dataclass(frozen=True, slots=True)
class FileImport:
    """Whether `LOAD CSV` may read files of the server.

    Args:
        allowed: None where it could not be read.
        folder: what it may read from; empty means the whole disk.
        why: why it could not be read.
    """

    allowed: bool | None
    folder: str = ""
    why: str = ""


def file_import(uri: str) -> FileImport:
    """Ask a server, with the credentials of the environment or the keyring; never raises for a server that will not tell."""
    try:
        bolt = BoltConnection(BoltSettings.from_environment(uri), retry_seconds=2.0)
    except ClewError as error:
        return FileImport(None, why=error.message)
    try:
        found = {row["name"]: row["value"] for row in bolt.read(_QUERY, names=[FILE_IMPORT, _FOLDER])}
    except ClewError as error:
        return FileImport(None, why=error.message)
    finally:
        bolt.close()
    if FILE_IMPORT not in found:
        return FileImport(None, why="the server does not show this user its settings")
    return FileImport(str(found[FILE_IMPORT]).lower() == "true", str(found.get(_FOLDER) or "").removeprefix("No Value"))
