from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gnn.text import JoinedEncoder, open_encoder, save_encoder, text_encoder, words_of
from gnn.text_static import distil, whitened
from gnn.text_transformer import TransformerEncoder, check_files, default_folder
from kg.errors import EngineError, StateError, UnknownKeyError
from kg.progress import SILENT

CORPUS = ["red lipstick", "red nail polish", "oak table", "wooden desk", "lipstick, matte", "table lamp of steel"]


def test_distilled_vectors_are_cached_and_equal(tmp_path: Path) -> None:
    first = distil(CORPUS, tmp_path)
    assert len(list(tmp_path.glob("static-*.safetensors"))) == 1
    second = distil(CORPUS, tmp_path)
    assert first.digest == second.digest
    np.testing.assert_array_equal(first.encode(CORPUS), second.encode(CORPUS))
    assert distil(CORPUS[:3], tmp_path).digest != first.digest


def test_words_of_like_meaning_are_near() -> None:
    encoder = distil([*CORPUS, "sofa", "chair", "mascara", "perfume", "hammer", "drill", "shirt", "shoes", "phone", "cable"])
    table, desk, lipstick = encoder.encode(["table", "desk", "lipstick"])
    assert table @ desk > table @ lipstick + 0.1


def test_unknown_tokens_are_left_out() -> None:
    encoder = distil(CORPUS)
    known, more = encoder.encode(["red lipstick", "red lipstick zebra"])
    np.testing.assert_allclose(known, more, atol=1e-6)
    assert not encoder.encode(["zebra"]).any()
    assert not distil([]).encode(["red"]).any()


def test_whitened_rows_have_one_variance_and_length_one() -> None:
    random = np.random.default_rng(0)
    vectors = (random.standard_normal((20_000, 4)) * [4, 2, 1, 0]).astype(np.float32)
    found = whitened(vectors)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-9)
    spread = found.std(axis=0)
    assert spread[:3].max() / spread[:3].min() < 1.1 and spread[3] < 1e-6


def test_static_vectors_are_served_without_torch_or_transformers(tmp_path: Path) -> None:
    save_encoder(text_encoder("words+static", CORPUS), tmp_path)
    code = (
        "import sys; from pathlib import Path; from gnn.text import open_encoder;"
        f"open_encoder(Path({str(tmp_path)!r})).encode(['red nail']); "
        "print([m for m in ('sklearn', 'torch', 'transformers', 'spacy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_library_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    distil(CORPUS, None, SILENT)
    out, err = capfd.readouterr()
    assert out == err == ""


def test_joined_encoders_stand_side_by_side() -> None:
    joined = text_encoder("words+static", CORPUS)
    assert isinstance(joined, JoinedEncoder) and joined.name == "words+static"
    words = words_of(joined)
    assert words is not None and words_of(text_encoder("static", CORPUS)) is None
    np.testing.assert_array_equal(joined.encode(CORPUS)[:, : words.dim], words.encode(CORPUS))


def test_a_model_by_folder_is_the_default_model_again() -> None:
    by_folder = text_encoder(str(default_folder()))
    np.testing.assert_array_equal(by_folder.encode(["red lipstick"]), text_encoder("transformer").encode(["red lipstick"]))


def test_unknown_encoder_names_those_that_exist() -> None:
    with pytest.raises(UnknownKeyError) as near:
        text_encoder("wrods")
    assert "words" in near.value.hint
    with pytest.raises(UnknownKeyError) as far:
        text_encoder("zzzz")
    assert far.value.hint == "Known are static, transformer, words, or the path or name of a transformers model."


def test_weights_are_held_against_their_hash(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="missing"):
        check_files(tmp_path, {"model.safetensors": "0" * 64})
    (tmp_path / "model.safetensors").write_bytes(b"other")
    with pytest.raises(EngineError, match="not the file that clew was tested with"):
        check_files(tmp_path, {"model.safetensors": "0" * 64})


def test_models_that_cannot_be_loaded(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no safetensors weights"):
        TransformerEncoder.open(str(tmp_path))
    (tmp_path / "model.safetensors").write_bytes(b"x")
    with pytest.raises(EngineError, match="cannot be loaded"):
        TransformerEncoder.open(str(tmp_path)).encode(["x"])


def test_saved_encoders_that_do_not_open(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="no text encoder"):
        open_encoder(tmp_path)
    save_encoder(text_encoder("transformer"), tmp_path)
    manifest = tmp_path / "encoder.json"
    manifest.write_text(manifest.read_text().replace("sha256:", "sha256:0"))
    with pytest.raises(StateError, match="others than those of the fit"):
        open_encoder(tmp_path)
    manifest.write_text('{"format": 99, "parts": []}')
    with pytest.raises(StateError, match="newer version"):
        open_encoder(tmp_path)
    other = type("Other", (), {"name": "other", "digest": "x", "dim": 1, "encode": lambda self, texts: None})()
    with pytest.raises(StateError, match="cannot be saved"):
        save_encoder(other, tmp_path)
