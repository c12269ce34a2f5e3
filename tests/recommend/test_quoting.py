"""Words that texts share, quoted as they stand there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommend.quoting import LONGEST, quoted


@pytest.mark.parametrize(
    ("words", "texts", "told"),
    [
        (
            ("steel water", "bottle"),
            ("stainless steel water bottle", "A Stainless Steel Water Bottle, 17oz"),
            ("stainless steel water bottle",),
        ),
        (
            ("earloop face", "wecolor"),
            ("Wecolor 3 Ply Earloop Face Masks", "Wecolor Ply Earloop Face Masks"),
            ("ply earloop face masks", "wecolor"),
        ),
        # What punctuation keeps apart does not grow together, nor is it lost where it belongs to a word.
        (("can",), ("Can, Opener", "can opener"), ("can",)),
        (("pencil",), ("Smith's pencil - red", "Smith's pencil - red"), ("smith's pencil",)),
        (("audio",), ("3.5mm audio.", "a 3.5mm audio cable"), ("3.5mm audio",)),
        # A measure is one word with its inches; other quotation marks are punctuation.
        (("x10", "x11"), ('Bin 10.5"x10.5"x11" grey', 'Cube, 10.5"x10.5"x11"'), ('10.5"x10.5"x11"',)),
        (("laptop",), ('17" laptop sleeve', '17" laptop bag'), ('17" laptop',)),
        (("big", "deal"), ('a "big" deal', 'the "big" deal'), ("big", "deal")),
        # All texts must go on alike.
        (("snack bars",), ("mini snack bars", "big snack bars", "snack bars"), ("snack bars",)),
        # Articles and prepositions are held within, not at the ends; what the term itself has stays.
        (("trimmer",), ("the trimmer for men", "the trimmer for all men"), ("trimmer",)),
        (("trimmer",), ("trimmer for men", "a trimmer for men"), ("trimmer for men",)),
        (("with love",), ("with love", "with love"), ("with love",)),
        # No word is quoted twice, and none is added to a term that stands in an earlier quotation.
        (("brush pro", "wet"), ("wet brush pro", "wet brush pro"), ("wet brush pro",)),
        (("b1 b2",), ("a1 b1 b2 b3 b4 b5 b6 b7 b8 b9",) * 2, ("a1 b1 b2 b3 b4 b5 b6 b7",)),
        # A term within a word, or over a sign, stands in what is read as one word there; signs begin and end nothing.
        (("oleum", "rust"), ("Rust-Oleum Spray 12 oz", "the Rust-Oleum brush"), ("rust-oleum",)),
        (("brite non",), ("Scotch-Brite Non-Scratch sponges", "a Scotch-Brite Non-Scratch pad"), ("scotch-brite non-scratch",)),
        (("cattleman", "cut"), ("Cattleman's Cut jerky", "Cattleman's Cut sticks"), ("cattleman's cut",)),
        (("salt",), ("salt & pepper", "salt & vinegar"), ("salt",)),
        (("salt",), ("salt & pepper", "salt & pepper"), ("salt & pepper",)),
        (("red hat",), ("- red hat", "- red hat"), ("red hat",)),
        (("pan",), ("pan w/ lid", "pan w/ handle"), ("pan",)),
        (("cafe\u0301",), ("un cafe\u0301 noir", "le cafe\u0301 noir"), ("cafe\u0301 noir",)),
        (("iphone",), ("case for iphone-12/12-pro/13/13-pro/14/14-pro/14-max", "iphone-12/12-pro/13/13-pro/14/14-pro/14-max"), ("iphone",)),
        # A term that no text has so (a pair over a comma) stays as it is; without texts nothing grows.
        (("base water",), ("Base, Water", "base water"), ("base water",)),
        (("kitten", "toy"), (), ("kitten", "toy")),
        (("保温杯",), ("虎牌 保温杯 大号", "虎牌 保温杯"), ("虎牌 保温杯",)),
        ((), ("red hat", "red hat"), ()),
    ],
)
def test_terms_grow_over_what_all_texts_have(words: tuple[str, ...], texts: tuple[str, ...], told: tuple[str, ...]) -> None:
    assert quoted(words, texts) == told


WORDS = st.lists(st.sampled_from(["red", "hat", "for", "men", "a", "wool", "big"]), min_size=1, max_size=8)


@given(WORDS, WORDS, st.data())
def test_a_quotation_stands_in_every_text_and_no_term_is_lost(left: list[str], right: list[str], data: st.DataObject) -> None:
    shared = sorted(set(left) & set(right))
    words = tuple(data.draw(st.permutations(shared))) if shared else ()
    texts = (" ".join(left), " ".join(right))
    told = quoted(words, texts)
    for quotation in told:
        assert all(f" {quotation} " in f" {text} " for text in texts)
        assert len(quotation.split()) <= LONGEST
    assert set(words) <= {part for quotation in told for part in quotation.split()}
    every = [part for quotation in told for part in set(quotation.split())]
    assert len(every) == len(set(every)), "a word is quoted once"


def test_a_title_as_long_as_a_book_is_read_at_its_beginning_only() -> None:
    long = "pad with " * 50_000
    assert quoted(("pad",), (long, long))[0].startswith("pad with pad")
    assert quoted(("zebra",), ("pad " * 400 + "big zebra",) * 2) == ("pad pad pad pad pad pad big zebra",)
    assert quoted(("zebra",), ("pad " * 600 + "big zebra",) * 2) == ("zebra",)
