"""Trains the brand models that clew ships: python -m benchmarks.train_brand_model ../shared/data/extraction/oa-mine/train.jsonl

OA-Mine (Zhang et al., OA-Mine: Open-World Attribute Mining for E-Commerce Products with Weak Supervision, WWW 2022) is Apache-2.0; its
titles stay where they are, the weights go to extraction/data/brand_model.json (rules) and extraction/data/brand_tagger (`trained`).
"""

import json
import sys
from pathlib import Path

from extraction.brand_training import train_models
from extraction.evaluate import read_gold
from extraction.tag_training import Lesson, train_tagger


def main(path: Path) -> None:
    rows = read_gold(path)
    examples = [(r.product.title, r.product.fields.get("category", ""), r.values.get("Brand", frozenset())) for r in rows]
    first, second = train_models(examples)
    document = {
        "about": "Weights of extraction/brand.py, trained on the train titles of OA-Mine (Apache-2.0) by benchmarks/train_brand_model.py.",
        "source": {"name": "OA-Mine", "url": "https://github.com/xinyangz/OAMine", "licence": "Apache-2.0"},
        "statistics": first.to_dict(),
        "votes": second.to_dict(),
    }
    target = Path(__file__).parent.parent / "extraction" / "data"
    (target / "brand_model.json").write_text(json.dumps(document, separators=(",", ":")) + "\n", "utf-8")
    tagger, _ = train_tagger(rows, Lesson(["Brand"], "OA-Mine (Apache-2.0), https://github.com/xinyangz/OAMine"))
    tagger.save(target / "brand_tagger")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
