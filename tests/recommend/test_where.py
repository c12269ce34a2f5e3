"""The `--where` language: what it selects, and what it says when it cannot be read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kg.errors import InputError
from kg.model import Entity, Evidence, Fact, Price, Product
from kg.ontology import Label, Rel, relation
from kg.testing import snapshot_of, stated
from recommend.filters import ProductFilter, best_first, read_keys
from recommend.where import FIELDS, MAX_DEPTH, Comparison, Every, Not, Some, WhereError, parse_where


def _product(key: str, title: str, price: float | None = None, high: float | None = None, available: bool = True) -> Product:
    return Product(key, title, {}, None if price is None else Price(price, high or price, "USD"), available)


def _tree(narrow: str, wide: str) -> Fact:
    ends = (Entity(Label.MATERIAL, narrow), Entity(Label.MATERIAL, wide))
    return Fact(ends[0].key, relation(Rel.KIND_OF), ends[1], (Evidence("triples", 0, len(wide), wide, "triples", 1.0),))


def shop() -> ProductFilter:
    products = [
        _product("a", "LEGO City Tractor", 20.0),
        _product("b", "Wooden puzzle for kids", 12.5),
        _product("c", "Merino scarf", 30.0, 45.0),
        _product("d", "Cotton socks, woodenly grey"),
        _product("e", "LEGO  city tractor", 21.0),
        _product("f", "纯棉袜子", 5.0, available=False),
    ]
    facts = [
        stated("a", Rel.HAS_BRAND, "LEGO"),
        stated("e", Rel.HAS_BRAND, "LEGO"),
        stated("b", Rel.HAS_BRAND, "L'Oréal® Paris"),
        stated("b", Rel.MADE_OF, "wood"),
        stated("c", Rel.MADE_OF, "merino"),
        stated("d", Rel.MADE_OF, "wool"),
        stated("a", Rel.IN_CATEGORY, "Toys"),
        stated("a", Rel.HAS_COLOR, "red"),
        _tree("merino", "wool"),
    ]
    return ProductFilter(snapshot_of(products, facts))


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("", "abcdef"),
        ("price <= 30", "abcef"),
        ("price < 12.5", "f"),
        ("price >= 40", "c"),
        ("price > 45", ""),
        ("price = 33", "c"),
        ("price == 20", "a"),
        ("price != 20", "bcef"),
        ("price in (20, 21)", "ae"),
        ("price not in (20, 21)", "bcf"),
        ("not price <= 30", "d"),
        ("brand = lego", "ae"),
        ("BRAND = 'brand:lego'", "ae"),
        ('brand = "l\'oréal paris"', "b"),
        ("brand != lego", "b"),
        ("brand not in (lego)", "b"),
        ("brand ~ oréal", "b"),
        ("material = wool", "cd"),
        ("material in (wood, merino)", "bc"),
        ("category = toys and color = red", "a"),
        ("colour = red", "a"),
        ("size = XL", ""),
        ('title ~ "wooden"', "bd"),
        ('title ~ "ooden"', ""),
        ('title ~ "棉"', "f"),
        ("title = 'lego city tractor'", "ae"),
        ("title != 'lego city tractor'", "bcdf"),
        ("brand = lego or material = wool and price <= 50", "ace"),
        ("(brand = lego or material = wool) and price >= 21", "ce"),
        ("not (brand = lego or title ~ puzzle)", "cdf"),
        ("not not brand = lego", "ae"),
    ],
)
def test_what_a_condition_selects(where: str, expected: str) -> None:
    mask, _ = shop().mask(where)
    assert "".join(np.array(list("abcdef"))[mask]) == expected


@pytest.mark.parametrize(
    ("where", "place", "says"),
    [
        ("price <= cheap", 9, "'cheap' is no number at character 10"),
        ("price <= $30", 9, "'$30' is no number"),
        ("brend = lego", 0, "there is no field 'brend'"),
        ("price", 5, "expected a comparison after 'price' at the end"),
        ("price <= ", 9, "expected a value for price"),
        ("brand < lego", 6, "< does not compare brands"),
        ("price ~ 3", 6, "~ does not compare numbers"),
        ("(price < 3", 10, "expected a closing bracket"),
        ("price < 3)", 9, "a closing bracket too many"),
        ("price < 3 brand = lego", 10, 'expected "and", "or" or the end'),
        ("brand = 'lego", 8, "a quoted text has no end"),
        ("brand in lego", 9, "expected a bracket"),
        ("brand in (lego", 14, "expected a comma or a closing bracket"),
        ("brand in ()", 10, "expected a value"),
        ("brand not lego", 10, 'expected "in" after "not"'),
        ("brand = ''", 8, "an empty value"),
        ("brand = le go", 11, "a value of several words needs quotes"),
        ("and", 0, "expected a field"),
        ("price ! 3", 6, "'!' means nothing here"),
        ("not " * (MAX_DEPTH + 2) + "price < 3", 4 * (MAX_DEPTH + 1), "levels"),
        ("title ~ " + "x" * 5000, 4000, "longer than 4000"),
    ],
)
def test_a_mistake_is_named_with_its_place(where: str, place: int, says: str) -> None:
    with pytest.raises(WhereError) as caught:
        parse_where(where)
    assert says in caught.value.message
    assert caught.value.place == place
    assert caught.value.hint
    assert caught.value.exit_code == 2


def test_a_misspelt_field_is_answered_with_the_nearest() -> None:
    with pytest.raises(WhereError) as caught:
        parse_where("materiel = cotton")
    assert "Did you mean material?" in caught.value.hint
    assert all(field in caught.value.hint for field in FIELDS)


def test_a_value_that_no_product_has_is_noted_with_near_ones() -> None:
    mask, notes = shop().mask("brand = legoo")
    assert not mask.any()
    assert notes == ("No product has the brand 'legoo'; near ones are LEGO.",)


def _conditions() -> st.SearchStrategy[str]:
    tests = st.sampled_from(["price <= 20", "brand = lego", "material = wool", 'title ~ "city"', "color in (red, blue)"])
    return st.recursive(
        tests,
        lambda inner: (
            st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda t: f"({t[0]}) {t[1]} ({t[2]})")
            | inner.map(lambda t: f"not ({t})")
        ),
        max_leaves=8,
    )


@given(_conditions(), _conditions())
def test_the_laws_of_logic_hold(one: str, other: str) -> None:
    products = shop()

    def held(where: str) -> list[bool]:
        return list(products.mask(where)[0])

    assert held(f"not (({one}) and ({other}))") == held(f"not ({one}) or not ({other})")
    assert held(f"({one}) or ({other}) and ({one})") == held(one if one == other else f"({one}) or (({other}) and ({one}))")


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    try:
        condition = parse_where(text)
    except WhereError as error:
        assert 0 <= error.place <= len(text)
    else:
        assert isinstance(condition, Comparison | Not | Every | Some)


def test_out_of_stock_products_are_known() -> None:
    assert shop().available.tolist() == [True, True, True, True, True, False]


def test_equal_titles_do_not_stand_together_and_a_brand_can_be_limited() -> None:
    products = shop()
    scores = np.array([5.0, 1.0, 2.0, 3.0, 4.0, 0.0])
    everything = np.ones(6, bool)
    assert products.take(best_first(scores, everything, 3), 3) == [0, 3, 2]
    assert products.take(best_first(scores, everything & ~products.twins(np.array([4], np.int32)), 3), 3) == [3, 2, 1]
    distinct = ProductFilter(snapshot_of({"a": "A", "b": "B", "c": "C"}, [stated(k, Rel.HAS_BRAND, "X") for k in "ab"]))
    assert distinct.take([0, 1, 2], 3, max_per_brand=1) == [0, 2]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=400), st.integers(1, 20))
def test_best_first_is_a_full_sort(values: list[int], k: int) -> None:
    scores = np.array(values, np.float64)
    allowed = scores != 3
    expected = [row for row in np.lexsort((np.arange(len(scores)), -scores)).tolist() if allowed[row]]
    assert list(best_first(scores, allowed, k)) == expected


def test_a_deny_list_is_one_key_a_line(tmp_path) -> None:
    listed = tmp_path / "deny.txt"
    listed.write_bytes("\ufeff# not these\nB01\n\n  B02 \n".encode())
    assert read_keys(listed) == {"B01", "B02"}


@pytest.mark.parametrize(("content", "says"), [(None, "is not there"), ("folder", "is a folder"), (b"\xff\xfe", "is not UTF-8")])
def test_a_deny_list_that_cannot_be_read(tmp_path, content: object, says: str) -> None:
    listed = tmp_path / "deny.txt"
    if content == "folder":
        listed.mkdir()
    elif isinstance(content, bytes):
        listed.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_keys(listed)
    assert says in caught.value.message
