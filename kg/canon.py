"""Canonical keys: one spelling of a name for the whole graph."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from kg.ontology import Label, own_prefix

MAX_KEY_BYTES = 512
_MARKS = re.compile(r"[®™©℠]")
_SEPARATORS = re.compile(r"[\W_]+", re.UNICODE)
_PREFIXES = {
    Label.BRAND: "brand",
    Label.MATERIAL: "material",
    Label.CATEGORY: "category",
    Label.COLOR: "color",
    Label.SIZE: "size",
    Label.PRICE_BAND: "price_band",
}


def canonical_name(name: str) -> str:
    """Casefolded, NFKC, marks such as ® dropped, every run of punctuation and space one hyphen.

    "L'Oréal® Paris" → "l-oréal-paris". A name of punctuation alone keeps its casefolded text.
    """
    folded = unicodedata.normalize("NFKC", _MARKS.sub("", name)).casefold()
    return _SEPARATORS.sub("-", folded).strip("-") or folded.strip()


def bounded_key(key: str) -> str:
    """The key itself up to 512 bytes of UTF-8; a longer one is cut at a character and ends in its hash."""
    data = key.encode()
    if len(data) <= MAX_KEY_BYTES:
        return key
    tail = "~" + hashlib.sha256(data).hexdigest()[:16]
    return data[: MAX_KEY_BYTES - len(tail)].decode(errors="ignore") + tail


def core_prefixes() -> dict[Label, str]:
    """What keys of entities of the core begin with."""
    return dict(_PREFIXES)


def entity_key(label: Label, name: str, kind: str = "") -> str:
    """The key of an entity: `brand:lego`; of an `Entity`, its kind stands in front: `actor:tom-hanks`."""
    prefix = _PREFIXES.get(label) or own_prefix(label) or canonical_name(kind or "entity")
    return bounded_key(f"{prefix}:{canonical_name(name)}")
