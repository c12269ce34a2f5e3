"""A trained tagger: small CRFs for each attribute over shared features, in the accurate tier with an encoder beside them.

It is kept in a folder:

model.json            attributes with their files, digests (SHA-256), thresholds and calibration; what it was trained on
brand-0.crf …         the CRFs of an attribute; the probability of a span is their weighted mean
encoder.safetensors   accurate tier only: the encoder's weights
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from extraction.calibrate import IDENTITY, Calibration
from extraction.crf import CrfWeights, read_crf
from extraction.encoder import Encoder
from extraction.encoder_inputs import base_digest
from extraction.tag_decode import Decoder, Span
from extraction.tag_features import Hints, Tokens
from extraction.tag_known import KnownValues
from extraction.tag_mix import MEAN, Mix
from kg.digest import digest_json
from kg.errors import StateError
from kg.whole_files import write_whole

MANIFEST = "model.json"
ENCODER = "encoder.safetensors"
SCHEMA_VERSION = 3
# Attributes that are written in any case: their CRFs see no capitals.
ANY_CASE = frozenset({"material", "color"})


class Member(NamedTuple):
    """One CRF of an attribute.

    Args:
        content: of the CRFsuite file.
        rules: whether it looks at what the rules found.
        share: its share in the attribute's probability.
    """

    content: bytes
    rules: bool
    share: float


@dataclass(frozen=True, slots=True)
class Learned:
    """What was learned about one attribute.

    Args:
        name: as the training file names it ("Brand Name").
        members: its CRFs.
        threshold: probability from which the best span is taken as a value.
        calibration: from the probability of a span to how often it is right.
        absence: from the probability that no span is a value to how often there is none.
        rows, values: labelled rows that were learned from, and how many of them have a value.
        known: values that were learned from, casefolded; to tell seen values from unseen ones.
        rules: share of the rules' own answer in the probability; the CRFs' is the rest.
        kinds: kind of product → share of its training rows in which the attribute was labelled: whether anybody asks for it there.
        mix: how the CRFs' probabilities and the encoder's become one; of the accurate tier only.
    """

    name: str
    members: tuple[Member, ...]
    threshold: float
    calibration: Calibration = IDENTITY
    absence: Calibration = IDENTITY
    rows: int = 0
    values: int = 0
    known: frozenset[str] = frozenset()
    rules: float = 0.0
    kinds: Mapping[str, float] = field(default_factory=dict)
    mix: Mix = MEAN


@dataclass(frozen=True)
class TaggerModel:
    """The CRFs of several attributes, ready to read.

    Args:
        learned: attribute (our name) → what was learned.
        about: where the rows came from, for people ("OA-Mine (Apache-2.0)").
        weights: member ("brand#0") → its weights.
        known: gazetteer of the values that were learned from; None: it was trained without.
        encoder: of the accurate tier; None: the CRFs read alone.
    """

    learned: Mapping[str, Learned]
    about: str
    weights: Mapping[str, CrfWeights]
    known: KnownValues | None = None
    encoder: Encoder | None = None
    _decoders: tuple[Decoder, Decoder] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        hinted = {f"{a}#{k}": m.rules for a, one in self.learned.items() for k, m in enumerate(one.members)}
        pair = tuple(Decoder({name: w for name, w in self.weights.items() if hinted[name] is rules}) for rules in (True, False))
        object.__setattr__(self, "_decoders", pair)

    @property
    def digest(self) -> str:
        """Digest of weights, thresholds and calibration."""
        known = self.known.to_dict() if self.known else None
        entries = [_entry(one, attribute) for attribute, one in self.learned.items()]
        return digest_json([entries, known, self.encoder.digest if self.encoder else None])

    def read(self, titles: Sequence[Tokens], hints: Sequence[Hints]) -> list[dict[str, list[Span]]]:
        """Likely values of each title: attribute → spans by probability (not calibrated), the greatest first.

        Args:
            titles: tokens of each title.
            hints: what rules and statistics say about each.
        """
        if self.known:
            hints = [self.known.hints(tokens, hint) for tokens, hint in zip(titles, hints, strict=True)]
        found = self.read_hinted(titles, hints)
        if not self.encoder:
            return found
        return [
            {a: _listed(one.mix(_table(crf.get(a, ())), _table(encoder.get(a, ())))) for a, one in self.learned.items()}
            for crf, encoder in zip(found, self.encoder.read(titles, hints), strict=True)
        ]

    def read_hinted(self, titles: Sequence[Tokens], hints: Sequence[Hints]) -> list[dict[str, list[Span]]]:
        """What the CRFs read (their weighted mean) where the hints hold those of the gazetteer already, or are meant to hold none."""
        plain = [hint.without_rules() for hint in hints]
        sums: list[dict[str, dict[tuple[int, int], float]]] = [{} for _ in titles]
        for decoder, shown in zip(self._decoders, (hints, plain), strict=True):
            for found, total in zip(decoder.read(titles, shown), sums, strict=True):
                for member, spans in found.items():
                    attribute, _, k = member.rpartition("#")
                    share = self.learned[attribute].members[int(k)].share
                    into = total.setdefault(attribute, {})
                    for first, last, probability in spans:
                        into[first, last] = into.get((first, last), 0.0) + probability * share
        return [{a: _listed(spans) for a, spans in total.items()} for total in sums]

    def save(self, folder: Path) -> None:
        """Write the model; the manifest comes last, so that a half-written folder is no model."""
        folder.mkdir(parents=True, exist_ok=True)
        for attribute, one in self.learned.items():
            for k, member in enumerate(one.members):
                (folder / _file(attribute, k)).write_bytes(member.content)
        if self.encoder:
            self.encoder.save(folder / ENCODER)
        manifest = {
            "schema_version": SCHEMA_VERSION,
            "about": self.about,
            "attributes": {attribute: _entry(one, attribute) for attribute, one in self.learned.items()},
            "gazetteer": self.known.to_dict() if self.known else None,
            "encoder": _encoder_entry(self.encoder, folder / ENCODER) if self.encoder else None,
        }
        write_whole(folder / MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path) -> TaggerModel:
        """The model of a folder.

        Raises:
            StateError: the folder holds none, or a file is not the one that was saved.
            EngineError: it has an encoder, and the weights that that starts from are not installed.
        """
        hint = "Train one with `clew extract train FILE --model DIR`."
        try:
            manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
            if manifest["schema_version"] != SCHEMA_VERSION:
                raise StateError(f"The model {folder} is of version {manifest['schema_version']}, not {SCHEMA_VERSION}.", hint)
            learned, weights = {}, {}
            for attribute, entry in manifest["attributes"].items():
                members = []
                for k, (name, sha256, rules, share) in enumerate(entry["files"]):
                    members.append(Member(_checked(folder / name, sha256, hint), bool(rules), float(share)))
                    weights[f"{attribute}#{k}"] = read_crf(folder / name)
                learned[attribute] = _learned(entry, tuple(members))
            known = KnownValues.from_dict(manifest["gazetteer"]) if manifest["gazetteer"] else None
            encoder = None
            if kept := manifest["encoder"]:
                _checked(folder / ENCODER, kept["sha256"], hint)
                encoder = Encoder.load(folder / ENCODER, kept["attributes"], kept["base"])
        except FileNotFoundError as error:
            raise StateError(f"{folder} holds no tagger: {Path(error.filename).name} is missing.", hint) from None
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise StateError(f"{folder / MANIFEST} describes no tagger ({error!r}).", hint) from None
        return cls(learned, manifest["about"], weights, known, encoder)


def _table(spans: Sequence[Span]) -> dict[tuple[int, int], float]:
    return {(span.first, span.last): span.probability for span in spans}


def _listed(table: Mapping[tuple[int, int], float]) -> list[Span]:
    return sorted((Span(*at, p) for at, p in table.items()), key=lambda span: (-span.probability, span.first))


def _checked(path: Path, sha256: str, hint: str) -> bytes:
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise StateError(f"{path} is not the file that was saved (its SHA-256 differs).", hint)
    return content


def _encoder_entry(encoder: Encoder, file: Path) -> dict[str, Any]:
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    return {"sha256": sha256, "attributes": list(encoder.attributes), "base": base_digest()}


def _file(attribute: str, k: int) -> str:
    safe = "".join(c if c.isalnum() or c in "-_" else f"%{ord(c):02x}" for c in attribute)
    return f"{safe}-{k}.crf"


def _entry(one: Learned, attribute: str) -> dict[str, Any]:
    return {
        "name": one.name,
        "files": [[_file(attribute, k), hashlib.sha256(m.content).hexdigest(), m.rules, m.share] for k, m in enumerate(one.members)],
        "threshold": one.threshold,
        "calibration": one.calibration.to_dict(),
        "absence": one.absence.to_dict(),
        "rows": one.rows,
        "values": one.values,
        "known": sorted(one.known),
        "rules": one.rules,
        "kinds": dict(one.kinds),
        "mix": [one.mix.bias, one.mix.crf, one.mix.encoder],
    }


def _learned(entry: Mapping[str, Any], members: tuple[Member, ...]) -> Learned:
    calibration, absence = Calibration.from_dict(entry["calibration"]), Calibration.from_dict(entry["absence"])
    known, mix = frozenset(entry["known"]), Mix(*entry["mix"])
    counted = (entry["rows"], entry["values"], known)
    shares = (float(entry["rules"]), entry["kinds"])
    return Learned(entry["name"], members, float(entry["threshold"]), calibration, absence, *counted, *shares, mix)
