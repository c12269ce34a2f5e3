"""Prices out of text: currencies, locales, ranges, bounds, reductions, unit prices, multibuys.

A price needs a currency (by symbol, code or word), or the whole text must be a number with at most a bound or a range around it: a
number inside other words ("Dell 300GB 10K", "18K gold ring") is none. Thousands and decimals are told apart by price-parser; currency codes
come from babel.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from extraction.vocabularies import data
from kg.model import Price

_DASHES = str.maketrans({"‐": "-", "‑": "-", "‒": "-", "−": "-", "’": "'", "‘": "'", "，": ",", "。": "."})
_NUMBER = (
    r"(?:\d{1,3}(?:,\d{2})+,\d{3}(?:\.\d+)?"  # 1,29,999.00
    r"|\d{1,3}(?:[ '.,]\d{3})+(?![\d])(?:[.,]\d{1,2}(?!\d))?"  # 1 299,00  1.299  1'299.50
    r"|\d+(?:[.,]\d+)?|\.\d+)"
)
_TAIL = r"(?:[.,:]-+|,—|/-)?"
_SCALES = {"k": 1e3, "m": 1e6, "million": 1e6, "mn": 1e6, "万": 1e4, "千": 1e3, "": 1.0}
_HAN_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_HAN_UNITS = {"十": 10, "百": 100, "千": 1000, "万": 10000}
_HAN = re.compile(r"(?<![\d.])[一二三四五六七八九两十百千万零〇]+(?=[元块角])")
_IS_HAN = re.compile(r"[\u4e00-\u9fff]")
_IS_KANA = re.compile(r"[\u3040-\u30ff円個]")
_WORD_END = r"(?![^\W\d_\u3040-\u9fff])"


@dataclass(frozen=True, slots=True)
class _Amount:
    """A sum of money in a text: its place, its value and the currency that it is written with (None: none)."""

    start: int
    end: int
    value: float
    currency: str | None
    written: bool


def parse_price(text: str, currency: str | None = None) -> Price | None:
    """The price that a text states.

    Args:
        text: any text, such as "£3.50/100g", "was $50 now $35", "20元以内", "2 for £10", "under 30".
        currency: ISO 4217 code that an ambiguous sign ("$", "¥", "kr") or a bare number means here.

    Returns:
        the price, or None when the text states none ("on request", "18K gold ring").
    """
    plain = _plain(text)
    if not plain or len(plain) > 2000:
        return None
    if plain.strip(" .!*()") in _words("free"):
        return Price(0.0, 0.0, currency)
    amounts = [a for a in _amounts(plain, currency) if not _negative(plain, a)]
    written = [a for a in amounts if a.written]
    if not written:
        return _bare(plain, amounts, currency)
    return _told(plain, amounts)


def find_prices(text: str, currency: str | None = None) -> Iterator[tuple[int, int, Price]]:
    """(start, end, price) of each sum in a text that carries a currency, from left to right; spans are characters of the text as given."""
    if not any(sign in text for sign in "$£€¥￥₹₩元円"):
        return
    for match in _IN_TITLE.finditer(text):
        price = parse_price(match.group(), currency)
        if price is not None:
            yield match.start(), match.end(), price


_SIGN = "[$£€¥￥₹₩]"
_IN_TITLE = re.compile(
    rf"(?<![A-Za-z0-9_$£€¥￥₹.,])(?:(?:US|CA|AU|HK|NZ|A|C)?{_SIGN} ?{_NUMBER}(?:\s?[-–]\s?{_SIGN}? ?{_NUMBER})?"
    rf"|{_NUMBER} ?[€元円])(?![A-Za-z0-9_%])"
)


def _plain(text: str) -> str:
    """NFKC, casefolded, one kind of dash, quote and blank, Chinese numerals before 元 as digits."""
    folded = unicodedata.normalize("NFKC", text).translate(_DASHES).casefold()
    return re.sub(r"\s+", " ", _HAN.sub(lambda m: str(_han_number(m.group())), folded)).strip()


def _han_number(digits: str) -> int:
    total, section, digit = 0, 0, 0
    for sign in digits:
        if sign in _HAN_DIGITS:
            digit = _HAN_DIGITS[sign]
        elif sign == "万":
            total, section, digit = (total + section + digit) * 10000, 0, 0
        else:
            section, digit = section + (digit or 1) * _HAN_UNITS[sign], 0
    return total + section + digit


@cache
def _words(name: str) -> frozenset[str]:
    return frozenset(data("prices")[name])


@cache
def _signs(side: str) -> Mapping[str, tuple[str, ...]]:
    """Spelling → currencies that it may mean; codes come from babel."""
    from babel.numbers import list_currencies

    codes = {code.casefold(): (code,) for code in list_currencies() if len(code) == 3 and code.isalpha()}
    return codes | {sign: tuple(meant) for sign, meant in data("prices")[side].items()}


def _any_of(spellings: Iterable[str]) -> str:
    """A pattern of any spelling, the longest first; one that begins or ends in a letter is a word of its own."""
    ordered = sorted(spellings, key=lambda s: (-len(s), s))
    return "|".join(re.escape(s) for s in ordered)


@cache
def _pattern() -> re.Pattern[str]:
    number = "|".join(data("prices")["numbers"])
    small = {**data("prices")["hundredths"], **data("prices")["tenths"]}
    latin = [s for s in (*_signs("after"), *small) if re.match(r"[a-z]", s[-1])]
    other = [s for s in (*_signs("after"), *small) if not re.match(r"[a-z]", s[-1])]
    return re.compile(
        rf"(?:(?<![^\W_\u3040-\u9fff])(?P<before>{_any_of(_signs('before'))}) ?)?"
        rf"(?<![\d.,])(?P<number>{_NUMBER}|(?<![a-z])(?:{number})(?= ))(?P<tail>{_TAIL})(?: ?(?P<scale>million|mn|k|m|万|千){_WORD_END})?"
        rf"(?: ?(?P<after>(?:{_any_of(latin)})(?!\d){_WORD_END}|(?:{_any_of(other)})(?<![$£¥](?= ?\d))(?!素|宝|旦|气|宵)))?"
        r"(?P<rest>(?<=块)\d)?"
    )


def _amounts(plain: str, hint: str | None) -> list[_Amount]:
    """Every number that may be a sum, those without a currency too."""
    found = []
    for match in _pattern().finditer(plain):
        before, after = match["before"], match["after"]
        if before is None and match.start() and (plain[match.start() - 1].isalnum() and not _IS_HAN.match(plain[match.start() - 1])):
            continue
        currency, factor = _meant(plain, match, hint)
        if after in data("prices")["hundredths"] and currency is None:
            continue
        stuck = plain[match.end() : match.end() + 1]
        if (stuck.isalpha() and stuck.isascii()) or stuck == "%":
            after, before = (None, before) if stuck.isascii() and before else (None, None)
            if before is None:
                continue
        written = currency is not None and (before is not None or after is not None)
        value = _value(match["number"], currency) * _SCALES[match["scale"] or ""] * factor
        if match["scale"] and not written:
            continue
        if match["rest"]:
            value += int(match["rest"]) / 10
        found.append(_Amount(match.start(), match.end(), round(value, 6), currency, written))
    return found


_CENTS = re.compile(r"\d\.\d{1,2}(?!\d)")  # the yen has none


def _meant(plain: str, match: re.Match[str], hint: str | None) -> tuple[str | None, float]:
    """Currency of a match and what its number is multiplied by."""
    before, after = match["before"], match["after"]
    small = data("prices")
    if after in small["hundredths"] and before is None:
        if after == "p" and len(match["number"]) > 2:  # 720p is a picture, 50p a coin
            return None, 1.0
        return _choose(plain, small["hundredths"][after], hint), 0.01
    if after in small["tenths"]:
        return "CNY", 0.1
    front = _choose(plain, _signs("before")[before], hint) if before else None
    back = _choose(plain, _signs("after").get(after, ()), hint) if after else None
    code = re.search(r"(?<![a-z])([a-z]{3}) ?$", plain[: match.start()])
    if front and code and code[1] in _signs("before") and _signs("before")[code[1]][0] in _signs("before")[before]:
        return _signs("before")[code[1]][0], 1.0
    if front and back and len(_signs("before")[before]) > 1:
        return back, 1.0
    if match["tail"] and not before and not after and match["tail"] in (":-", "/-"):
        return hint, 1.0
    return front or back, 1.0


def _choose(plain: str, meant: Sequence[str], hint: str | None) -> str | None:
    if hint in meant:
        return hint
    if not meant:
        return None
    if tuple(meant[:2]) == ("JPY", "CNY") and (_CENTS.search(plain) or (_IS_HAN.search(plain) and not _IS_KANA.search(plain))):
        return "CNY"
    return meant[0] or None


def _value(number: str, currency: str | None) -> float:
    from price_parser.parser import parse_number

    spelt = data("prices")["numbers"].get(number)
    if spelt is not None:
        return float(spelt)
    bare = number.replace("'", "").replace(" ", "")
    if bare.startswith("."):
        return float(bare)
    parsed = parse_number(bare)
    return float(parsed) if parsed is not None else float("nan")


def _negative(plain: str, amount: _Amount) -> bool:
    """A minus that stands before the sum and after nothing."""
    return plain[: amount.start].rstrip().endswith("-") and plain[: amount.start].strip() == "-"


def _bare(plain: str, amounts: list[_Amount], hint: str | None) -> Price | None:
    """A text of numbers without any currency: a price only when nothing else stands there than a bound or a range."""
    rest, place = [], 0
    for amount in amounts:
        rest.append(plain[place : amount.start].strip())
        place = amount.end
    rest.append(plain[place:].strip())
    if not amounts or len(amounts) > 2 or re.match(r"0\d", plain):
        return None
    known = _words("low_before") | _words("high_before") | _words("low_after") | _words("high_after") | {"", "price", "price:", "between"}
    if len(amounts) == 2 and rest[1] not in _words("range"):
        return None
    if rest[0] not in known or rest[-1] not in known:
        return None
    return _told(plain, [_Amount(a.start, a.end, a.value, hint, True) for a in amounts])


def _told(plain: str, amounts: list[_Amount]) -> Price | None:
    """What the sums of a text say together."""
    was: float | None = None
    kept: list[_Amount] = []
    written = [a for a in amounts if a.written]
    reduced: list[_Amount] = []
    for place, amount in enumerate(written):
        before = plain[written[place - 1].end if place else 0 : amount.start].strip(" :,(;*")
        after = plain[amount.end :].strip(" )")
        if len(written) > 1 and was is None and (_ends(before, "was") or (before.endswith("~~"))):
            was = amount.value
            reduced.append(amount)
        elif _ends(before, "saved") or _begins(after, "saved_after"):
            continue
        else:
            kept.append(amount)
    if not kept:
        return None
    low, high, last = _bounds(plain, [a for a in amounts if a not in reduced], kept[0])
    count = _count(plain, kept[0], last)
    per = None if count else _per(plain, kept[0], last)
    currency = kept[0].currency or last.currency
    if was is not None and low is not None and was < low:
        was = None
    return Price(low, high, currency, was, per, count)


def _ends(text: str, name: str) -> int:
    """How many characters of the words of a list a text ends in; 0: of none."""
    match = re.search(rf"(?:^|(?<![a-z]))(?:{_any_of(_words(name))})[ :]*$", text)
    return match.end() - match.start() if match else 0


def _begins(text: str, name: str) -> bool:
    return re.match(rf"(?:{_any_of(_words(name))})(?![a-z])", text) is not None


def _bounds(plain: str, amounts: list[_Amount], amount: _Amount) -> tuple[float | None, float | None, _Amount]:
    """Low, high and the last sum that belongs to them."""
    place = amounts.index(amount)
    for first, second in ((place, place + 1), (place - 1, place)):
        if first >= 0 and second < len(amounts):
            a, b = amounts[first], amounts[second]
            joint = plain[a.end : b.start].strip()
            if joint in _words("range") and _comparable(plain, a, b):
                return min(a.value, b.value), max(a.value, b.value), b
    before, after = plain[: amount.start].rstrip(" :"), plain[amount.end :].lstrip()
    at_most, at_least = _ends(before, "high_before"), _ends(before, "low_before")
    if at_most > at_least or _begins(after, "high_after"):
        return None, amount.value, amount
    if at_least or _begins(after, "low_after") or re.match(r"\+(?! ?[a-z])", after):
        return amount.value, None, amount
    return amount.value, amount.value, amount


def _comparable(plain: str, a: _Amount, b: _Amount) -> bool:
    """Two sums make a range when both may be in one currency and a word such as "and" is led by "between"."""
    joint = plain[a.end : b.start].strip()
    if a.written and b.written and a.currency != b.currency:
        return False
    if joint in ("and", "et", "y", "und", "a"):
        return re.search(r"(?:between|entre|zwischen|from|de)\s*$", plain[: a.start]) is not None
    return True


@cache
def _unit() -> str:
    return _any_of(data("prices")["units"])


def _per(plain: str, first: _Amount, last: _Amount) -> str | None:
    """The unit that the price is for: "100 g", "lb", "each"."""
    units: Mapping[str, str] = data("prices")["units"]
    after = plain[last.end :].lstrip()
    match = re.match(
        rf"(?:/ ?|per |a(?=n? (?:piece|unit|item))n? |pro |par |por |each\b|ea\b)(?P<many>\d+(?:\.\d+)?)? ?(?P<unit>{_unit()})?(?![a-z])",
        after,
    )
    if match and match.group().strip() in ("each", "ea"):
        return "each"
    if match and match["unit"]:
        name = units[match["unit"]]
        return f"{match['many']} {name}" if match["many"] else name
    led = re.search(rf"每(?P<unit>{_unit()})$", plain[: first.start].rstrip())
    return units[led["unit"]] if led else None


def _count(plain: str, first: _Amount, last: _Amount) -> int | None:
    """How many pieces the price buys."""
    spelt: Mapping[str, int] = data("prices")["numbers"]
    number = rf"(?P<n>\d{{1,3}}|{'|'.join(spelt)})"
    kinds = "|".join(data("prices")["classifiers"])
    before, after = plain[: first.start].rstrip(), plain[last.end :].lstrip()
    patterns = (
        (rf"(?<![\w.]){number} ?-?(?:packs?|pieces?|pcs|items?)? ?(?:for|für|pour|por)(?: only| just)?$", before),
        (rf"(?:pack|set|box) of {number} (?:for|at)$", before),
        (rf"(?<![\w.]){number}/$", before),
        (rf"(?<![\w.]){number} ?(?:{kinds})$", before),
        (rf"^(?:for|für|pour) {number}(?![\w.])", after),
        (rf"^{number} ?(?:{kinds})", after),
    )
    for pattern, text in patterns:
        match = re.search(pattern, text)
        if match:
            return spelt.get(match["n"]) or int(match["n"])
    return None
