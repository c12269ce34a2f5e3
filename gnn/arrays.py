"""Named arrays in a safetensors file, opened memory-mapped: only the pages that are read are loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from kg.errors import StateError
from kg.whole_files import whole_file

Arrays = dict[str, NDArray[Any]]
_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U8": "|u1", "BOOL": "|b1"}


def save_arrays(arrays: Mapping[str, NDArray[np.generic]], path: Path) -> None:
    """Write arrays as safetensors; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary:
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, temporary)


def map_arrays(path: Path) -> Arrays:
    """The arrays of a safetensors file, read-only views of the mapped file.

    Layout: 8 bytes little-endian length of a JSON header, the header, the data (safetensors' own format description).

    Raises:
        StateError: there is no such file, or it is not a whole safetensors file.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(length)) if 0 < length <= size - 8 else None
    except FileNotFoundError as error:
        raise StateError(f"There is no file {path}.", "Run clew train.") from error
    except ValueError as error:
        raise StateError(f"{path} is not a safetensors file: {error}.", "Run clew train again.") from error
    if not isinstance(header, dict) or size < 8 + length + max((e["data_offsets"][1] for e in header.values() if "dtype" in e), default=0):
        raise StateError(f"{path} is cut short.", "Run clew train again.")
    data = np.memmap(path, np.uint8, "r", offset=0)
    found: Arrays = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        first, last = (8 + length + offset for offset in entry["data_offsets"])
        found[name] = np.asarray(data[first:last]).view(_DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return found
