"""Measures as shops write them, in units of the SI: the door to pint.

"12 oz" and "340 g" are one size, "16 x 18 in" is "406 x 457 mm". Values are rounded to three digits, which is finer than what labels
round to. The units are those that shop titles use. An ounce is of mass unless it says that it is fluid, or `extraction.ounces` finds that
it must be.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

# Unit → spellings, casefolded, without the point at the end. 斤 and 寸 are today's: half a kilogram, and the inch of screens.
_SPELLINGS = {
    "milliliter": "ml milliliter milliliters millilitre millilitres 毫升",
    "liter": "l liter liters litre litres 升",
    "fluid_ounce": "floz fluidounce fluidounces",
    "gallon": "gallon gallons gal",
    "quart": "quart quarts qt",
    "pint": "pint pints",
    "cup": "cup cups",
    "microgram": "mcg",
    "milligram": "mg",
    "gram": "g gr gram grams 克",
    "kilogram": "kg kilogram kilograms 千克 公斤",
    "jin": "斤",
    "ounce": "oz ounce ounces",
    "pound": "lb lbs pound pounds",
    "millimeter": "mm 毫米",
    "centimeter": "cm 厘米",
    "meter": "m meter meters metre metres 米",
    "inch": "in inch inches \" '' ″ ′′ ” 英寸 寸",
    "foot": "ft foot feet ' ′ ’",
    "yard": "yd yard yards",
    "megabyte": "mb",
    "gigabyte": "gb",
    "terabyte": "tb",
}
_UNITS = {spelling: unit for unit, spellings in _SPELLINGS.items() for spelling in spellings.split(" ")}
# Unit of a canonical measure → its symbol.
_SYMBOLS = {"gram": "g", "milliliter": "ml", "millimeter": "mm", "gigabyte": "GB"}
_NUMBER = r"(?:(?P<whole>\d+)[ -])?(?P<top>\d+)/(?P<bottom>\d+)|(?P<plain>\d[\d.,]*|\.\d+)"
_UNIT = r"(?:fl\.?|fluid) ?(?:oz|ounces?)|[^\W\d_]+|\"|''|′′|[″”'′’]"
_SIDE = re.compile(rf"\s*(?:{_NUMBER})[ -]{{0,2}}(?P<unit>{_UNIT})?\.?\s*(?:\(inch\))?\s*", re.IGNORECASE)
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_TIMES = re.compile(r"[x×*]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Measure:
    """A quantity of one kind, or the lengths of several sides.

    Args:
        values: one, or one per side in the order written, in `unit`.
        unit: "g", "ml", "mm" or "GB".
    """

    values: tuple[float, ...]
    unit: str

    def __str__(self) -> str:
        return f"{' x '.join(map(_rounded, self.values))} {self.unit}"


@cache
def _registry() -> Any:
    import pint

    registry: Any = pint.UnitRegistry(autoconvert_offset_to_baseunit=False)
    registry.define("jin = 500 gram")
    return registry


@cache
def _factor(unit: str) -> tuple[float, str]:
    """How many of its canonical unit a unit is, and the symbol of that."""
    one = _registry().Quantity(1.0, unit)
    for base, symbol in _SYMBOLS.items():
        if one.is_compatible_with(base):
            return float(one.to(base).magnitude), symbol
    raise AssertionError(f"{unit} has no canonical unit")


@lru_cache(1 << 16)
def measure_of(raw: str, fluid: bool = False) -> Measure | None:
    """The measure that a text states ("12 oz", "10 1/2-inch", "16 x 18 in"), or None: a count, a clothes size, anything else.

    A side without a unit has that of the next one that has one.

    Args:
        raw: the text.
        fluid: whether a plain ounce is a fluid one.
    """
    unit, sides = None, []
    for text in reversed(_TIMES.split(unicodedata.normalize("NFKC", raw)) if len(raw) < 100 else ()):
        match = _SIDE.fullmatch(text)
        if match is None:
            return None
        written = match["unit"]
        unit = _UNITS.get(re.sub(r"[ .]", "", written.casefold())) if written else unit
        value = _value(match)
        if unit is None or value is None:
            return None
        factor, symbol = _factor("fluid_ounce" if fluid and unit == "ounce" else unit)
        sides.append((value * factor, symbol))
    if not sides or len({symbol for _, symbol in sides}) > 1:
        return None
    return Measure(tuple(value for value, _ in reversed(sides)), sides[0][1])


def _value(match: re.Match[str]) -> float | None:
    """The number of a side: "10 1/2", "1,000" (a thousand), "1,5" (one and a half), ".27"; None for what is none."""
    if match["bottom"]:
        return int(match["whole"] or 0) + int(match["top"]) / int(match["bottom"]) if int(match["bottom"]) else None
    plain = match["plain"]
    try:
        return float(plain.replace(",", "") if _THOUSANDS.fullmatch(plain) else plain.replace(",", "."))
    except ValueError:
        return None


def _rounded(value: float) -> str:
    """Three digits, written out."""
    return f"{float(f'{value:.3g}'):.9f}".rstrip("0").rstrip(".")
