"""Sizes (measures, clothes sizes), quantities (counts, packs) and prices of a title, raw text kept."""

from __future__ import annotations

import re
from collections.abc import Iterator

from extraction.base import Mention, entity_of
from extraction.price import find_prices

_NUMBER = r"\d+(?:[.,]\d+)?(?:[ -]\d+/\d+|/\d+)?|\.\d+"
_VOLUME = r"fluid ounces?|fl\.? ?oz\.?|ml|milliliters?|liters?|litres?|l|gallons?|gal\.?|quarts?|qt\.?|pints?|cups?|毫升|升"
_WEIGHT = r"ounces?|oz\.?|pounds?|lbs?\.?|grams?|gr?|kg|mg|mcg|克|千克|公斤|斤"
_LENGTH = r"inch(?:es)?|in\.?|feet|foot|ft\.?|cm|mm|meters?|metres?|yards?|yd\.?|m|\"|''|″|”|'|′|’|厘米|毫米|英寸|米|寸"
_TECHNICAL = r"gb|tb|mb|mah|watts?|w|volts?|v"
_UNIT = rf"(?:{_VOLUME}|{_WEIGHT}|{_LENGTH}|{_TECHNICAL})"
_SIZE = re.compile(
    rf"(?<![\w.$€£¥])(?P<dims>(?:{_NUMBER})\s?-?(?:{_UNIT})?(?:\s?[x×*]\s?(?:{_NUMBER})\s?-?(?:{_UNIT})?){{1,2}})(?![\w])"
    rf"|(?<![\w.$€£¥/-])(?P<measure>(?:{_NUMBER})[ -]?{_UNIT})(?![\w])",
    re.IGNORECASE,
)
_LETTER_SIZE = re.compile(
    r"(?<![\w-])(?:(?:XX?X?|[2-6]X)?(?:-?(?:Large|Small))|X{1,4}[SL]|[2-6]XL|(?:One|Plus) Size|Queen|King|Twin(?: XL)?|Full|Medium|"
    r"Size \d{1,2}(?:\.\d)?)(?=\s*(?:[,)|/\]]|$| Size\b| US\b))",
)
_PIECES = (
    r"count|counts|ct|packs?|pk|pieces?|pcs|pc|pairs?|rolls?|sheets?|tablets?|capsules?|softgels?|gummies|servings?|bags?|boxes|bottles?|cans|"
    r"pods|k-cups?|wipes|sticks|units?|pads|bars|loads|cartridges|refills|packets|sachets|pouches|sets?|件|个|只|包|盒|片|支|瓶|袋|双|套"
)
_COUNT = re.compile(
    r"(?<![\w.$])(?:(?:pack|set|box|case|bundle|bag|lot|pk) of (?:\d{1,5}|two|three|four|five|six|eight|ten|twelve)"
    r"(?: pairs?| pieces?| packs?)?"
    rf"|\d{{1,3}}(?:,\d{{3}})*[ -]?(?:{_PIECES})\.?(?:/(?:lot|pack|set|box|bag))?)(?![\w])",
    re.IGNORECASE,
)


def _mention(text: str, start: int, end: int, attribute: str, confidence: float, field: str) -> Mention:
    raw = text[start:end]
    return Mention(attribute, raw, raw, entity_of(attribute, raw), field, start, end, confidence, "rules")


def find_sizes(text: str, field: str = "title") -> Iterator[Mention]:
    """Measures ("10.5-inch", "16 x 18 in", "12 oz", "500毫升") and clothes or bed sizes ("XL", "Queen"), from left to right."""
    for match in _SIZE.finditer(text):
        yield _mention(text, match.start(), match.end(), "size", 0.8, field)
    for match in _LETTER_SIZE.finditer(text):
        yield _mention(text, match.start(), match.end(), "size", 0.6, field)


def find_quantities(text: str, field: str = "title") -> Iterator[Mention]:
    """Counts and packs ("Pack of 12", "24 Count", "3包"), from left to right."""
    for match in _COUNT.finditer(text):
        yield _mention(text, match.start(), match.end(), "quantity", 0.85, field)


def find_price_mentions(text: str, field: str = "title") -> Iterator[Mention]:
    """Sums of money that a text states with their currency; the value is "USD 5.00", or "USD 5.00-10.00" for a range."""
    for start, end, price in find_prices(text):
        bounds = [f"{bound:.2f}" for bound in (price.low, price.high) if bound is not None]
        value = f"{price.currency or ''} {'-'.join(dict.fromkeys(bounds))}".strip()
        yield Mention("price", text[start:end], value, None, field, start, end, 0.9, "rules")
