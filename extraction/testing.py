"""What every extractor must hold to, as a kit: a test module subclasses `ExtractorContract` and gives it an extractor.

class TestRules(ExtractorContract):
    @pytest.fixture(scope="class")
    def extractor(self):
        return build_extractor("rules", PRODUCTS)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from extraction.base import Extractor, Mention
from kg.model import Product

PRODUCTS: tuple[Product, ...] = (
    Product("p01", "LEGO City Forest Tractor 60181 Building Kit, 174 Pieces", {"category": "TOY_BUILDING_BLOCK"}),
    Product("p02", "LEGO Classic Medium Creative Brick Box 10696 (484 Pieces)", {"category": "TOY_BUILDING_BLOCK"}),
    Product("p03", "Lodge Cast Iron Skillet, 10.25 Inch, Black", {"category": "SAUTE_FRY_PAN"}),
    Product("p04", "Hanes Men's Cotton T-Shirt, Navy, Pack of 6", {"category": "SHIRT", "brand": "Hanes"}),
    Product("p05", "Hanes Women's Cotton Briefs, White, Large, 10 Pack", {"category": "UNDERPANTS"}),
    Product("p06", "PAVOI 14K Gold Plated Sterling Silver Ring", {"category": "RING"}),
    Product("p07", "OGX Coconut Oil Shampoo, Gold Edition, 13 Fl Oz", {"category": "SHAMPOO"}),
    Product("p08", "纯棉毛巾 白色 3条装 25元", {"category": "毛巾"}),
    Product("p09", "Ｆｕｌｌ　ｗｉｄｔｈ　Apple苹果手机壳 硅胶 500毫升"),
    Product("p10", "🎁🎁🎁"),
    Product("p11", "   Anker   USB-C  Cable,  6ft ,  Black  "),
    Product("p12", "L'Oréal® Paris Makeup™ Mascara — Carbon Black, 0.27 fl. oz."),
    Product("p13", "é" * 5000),
    Product("p14", ("Silicone Spatula Set, " * 240).strip(), {"material": "60% Cotton, 40% Polyester"}),
    Product("p15", "x", {"brand": "N/A", "color": "red | blue", "material": "Stainless Steel; Bamboo", "category": "A > B > C"}),
    Product("p16", "e\u0301clair \u200b\u202ecotton\u202c \x00 towel $5"),
)
UNCHANGED_BY_CASE = ("material", "color")


class ExtractorContract:
    """Tests that pytest collects from a subclass, which provides a fixture `extractor`; override `products` for others than PRODUCTS."""

    def products(self) -> Sequence[Product]:
        """What the extractor reads in these tests."""
        return PRODUCTS

    def test_its_name_and_digest_are_texts(self, extractor: Extractor) -> None:
        """Name and digest identify what it found."""
        assert isinstance(extractor, Extractor)
        assert extractor.name
        assert extractor.digest.startswith("sha256:")
        assert extractor.digest == extractor.digest

    def test_every_mention_quotes_the_product(self, extractor: Extractor) -> None:
        """`source[field][start:end] == raw`, in characters, always."""
        found = 0
        for product, mentions in self._read(extractor, self.products()):
            for mention in mentions:
                assert product.text(mention.field)[mention.start : mention.end] == mention.raw
                found += 1
        assert found, "an extractor that finds nothing in these products was not tested"

    def test_one_list_a_product_in_their_order(self, extractor: Extractor) -> None:
        """Order is kept, and a product answers the same wherever it stands."""
        products = list(self.products())
        forwards = list(extractor.extract(products))
        backwards = list(extractor.extract(products[::-1]))
        assert len(forwards) == len(products)
        assert forwards == backwards[::-1]

    def test_the_size_of_a_batch_changes_nothing(self, extractor: Extractor) -> None:
        """One by one, in threes or all at once."""
        products = list(self.products())
        together = list(extractor.extract(products))
        assert [mentions for product in products for mentions in extractor.extract([product])] == together
        threes = [m for i in range(0, len(products), 3) for m in extractor.extract(products[i : i + 3])]
        assert threes == together

    def test_the_same_input_gives_the_same_mentions(self, extractor: Extractor) -> None:
        """Determinism."""
        assert list(extractor.extract(self.products())) == list(extractor.extract(self.products()))

    def test_nothing_in_nothing_out(self, extractor: Extractor) -> None:
        """No products, no lists."""
        assert list(extractor.extract([])) == []

    def test_products_are_read_as_they_come(self, extractor: Extractor) -> None:
        """A generator is enough; a million titles never lie in memory."""
        assert len(list(extractor.extract(p for p in self.products()))) == len(self.products())

    def test_blanks_around_a_title_only_move_the_spans(self, extractor: Extractor) -> None:
        """The same values, five characters to the right."""
        for product in self.products():
            if product.fields or product.title != product.title.strip():
                continue
            [plain], [moved] = extractor.extract([product]), extractor.extract([Product(product.key, f"     {product.title} ")])
            assert [(m.attribute, m.raw, m.start + 5) for m in plain] == [(m.attribute, m.raw, m.start) for m in moved], product.title

    def test_capitals_change_no_material_and_no_colour(self, extractor: Extractor) -> None:
        """COTTON is cotton; a brand may need its capitals."""
        for product in self.products():
            if product.title.upper().lower() != product.title.lower():
                continue
            loud = Product(product.key, product.title.upper(), product.fields)
            [plain], [capitals] = extractor.extract([product]), extractor.extract([loud])
            assert _entities(plain) == _entities(capitals), product.title

    def _read(self, extractor: Extractor, products: Sequence[Product]) -> Iterator[tuple[Product, list[Mention]]]:
        return zip(products, extractor.extract(products), strict=True)


def _entities(mentions: Sequence[Mention]) -> list[tuple[str, str | None]]:
    return sorted((m.attribute, m.entity) for m in mentions if m.attribute in UNCHANGED_BY_CASE and m.accepted)
