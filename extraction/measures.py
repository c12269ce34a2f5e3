"""Sizes (measures, clothes sizes), quantities (counts, packs) and prices of a title, raw text kept."""

from __future__ import annotations

import re
from collections.abc import Iterator

from extraction.base import Mention, entity_of
from extraction.canonical import canonical
from extraction.gates import groups_of
from extraction.ounces import size_of
from extraction.price import find_prices

_NUMBER = r"\d+(?:[.,]\d+)?(?:[ -]\d+/\d+|/\d+)?|\.\d+"
_VOLUME = r"fluid ounces?|fl\.? ?oz\.?|ml|milliliters?|liters?|litres?|l|gallons?|gal\.?|quarts?|qt\.?|pints?|cups?|毫升|升"
_WEIGHT = r"ounces?|oz\.?|pounds?|lbs?\.?|grams?|gr?|kg|mg|mcg|克|千克|公斤|斤"
_LENGTH = r"inch(?:es)?|in\.?|feet|foot|ft\.?|cm|mm|meters?|metres?|yards?|yd\.?|m|\"|''|″|”|'|′|’|厘米|毫米|英寸|米|寸"
_IS_LENGTH = re.compile(rf"(?:{_LENGTH})\Z", re.IGNORECASE)
_CAPACITY = r"gb|tb|mb"
_UNIT = rf"(?:{_VOLUME}|{_WEIGHT}|{_LENGTH}|{_CAPACITY})"
_SIZE = re.compile(
    rf"(?=[.\d])(?:(?<![\w.$€£¥])(?P<dims>(?:{_NUMBER})\s?-?(?:{_UNIT})?(?:\s{{0,6}}[x×*]\s?(?:{_NUMBER})\s?-?(?:{_UNIT})?){{1,2}}(?:\(inch\))?)(?![\w])"
    rf"|(?<![\w.$€£¥/-])(?P<measure>(?:{_NUMBER})[ -]?(?P<unit>{_UNIT}))(?![\w]))",
    re.IGNORECASE,
)
_LETTER_SIZE = re.compile(
    r"(?=[LSX2-6OPQKTFM])(?<![\w-])"
    r"(?:(?:XX?X?|[2-6]X)?(?:-?(?:Large|Small))|X{1,4}[SL]|[2-6]XL|(?:One|Plus) Size|Queen|King|Twin(?: XL)?|Full|Medium|"
    r"Size \d{1,2}(?:\.\d)?)(?=\s*(?:[,)|/\]]|$| Size\b| US\b))",
)
_BATTERY = re.compile(
    r"(?=[A-D])(?<![\w-])(?:A{2,4}|CR\d{4}|[CD] Cell)(?= (?:[\w-]+ ){0,2}Batter)|(?<=Batteries )A{2,3}(?!\w)", re.IGNORECASE
)
# Before or after a measure: it is what the product holds, bears or fits, or the length of a cable that comes along.
_NOT_ITS_SIZE = re.compile(
    r"(?:\b(?:over|up to|under|supports?|holds?|stores?(?: a)?|max(?:imum)?|for|fits|capacity of|within|every|per)\s|[/≤<~])\s*\(?$",
    re.IGNORECASE,
)
_OF_A_CABLE = re.compile(r"[- ]*(?:long |extension |power |usb |charging )*(?:cord|cable|wire)\b", re.IGNORECASE)
_PIECES = (
    r"count|counts|ct|packs?|pk|pieces?|pcs|pc|pairs?|rolls?|sheets?|tablets?|capsules?|softgels?|gummies|servings?|bags?|boxes|bottles?|cans|"
    r"pods|k-cups?|wipes|sticks|units?|pads|bars|loads|cartridges|refills|packets|sachets|pouches|sets?|件|个|只|包|盒|片|支|瓶|袋|双|套"
)
_UNTOLD = 0.6  # of a size in ounces of which nothing tells whether it is a weight or a volume
_COUNT = re.compile(
    r"(?=[\dpsbcl])(?<![\w.$])(?:(?:pack|set|box|case|bundle|bag|lot|pk) of (?:\d{1,5}|two|three|four|five|six|eight|ten|twelve)"
    r"(?: pairs?| pieces?| packs?)?"
    rf"|(?:\d{{1,3}}(?:,\d{{3}})+|\d{{1,5}})[ -]?(?:{_PIECES})\.?(?:/(?:lot|pack|set|box|bag))?)(?![\w])",
    re.IGNORECASE,
)


def _mention(text: str, start: int, end: int, attribute: str, confidence: float, field: str, category: str = "") -> Mention:
    raw = text[start:end]
    value, told = size_of(raw, text, start, category) if attribute == "size" else (canonical(attribute, raw), True)
    sure = confidence if told else min(confidence, _UNTOLD)
    return Mention(attribute, raw, value, entity_of(attribute, value), field, start, end, sure, "rules")


def find_sizes(text: str, category: str = "", field: str = "title") -> Iterator[Mention]:
    """Measures ("10.5-inch", "16 x 18 in", "12 oz", "500毫升"), clothes, bed and battery sizes ("XL", "Queen", "AA").

    Args:
        text: the text.
        category: kind of product; a length in a case or a cover is that of the device it fits, an ounce of a cup is a fluid one.
        field: name of the field that the text is from.
    """
    groups = groups_of(category)
    for match in _SIZE.finditer(text):
        length = match["unit"] and _IS_LENGTH.match(match["unit"])
        if "cover" in groups and (length or match["dims"]):
            continue
        if _NOT_ITS_SIZE.search(text[max(0, match.start() - 16) : match.start()]):
            continue
        if length and "cable" not in groups and _OF_A_CABLE.match(text[match.end() : match.end() + 30]):
            continue
        yield _mention(text, match.start(), match.end(), "size", 0.8, field, category)
    for match in _LETTER_SIZE.finditer(text):
        yield _mention(text, match.start(), match.end(), "size", 0.6, field)
    for match in _BATTERY.finditer(text) if "batter" in text.casefold() else ():
        yield _mention(text, match.start(), match.end(), "size", 0.85, field)


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
