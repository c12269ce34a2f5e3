"""Names of months in the languages that shops write, as CLDR has them (through Babel)."""

from __future__ import annotations

import unicodedata
from functools import cache

_LANGUAGES = (
    *(
        "en",
        "de",
        "fr",
        "es",
        "it",
        "pt",
        "nl",
        "sv",
        "da",
        "nb",
        "fi",
        "is",
        "pl",
        "cs",
        "sk",
        "sl",
        "hr",
        "hu",
        "ro",
        "ca",
        "et",
        "lv",
        "lt",
    ),
    *("ru", "uk", "bg", "el", "tr", "id", "vi", "ms", "hi", "ar", "he", "fa", "th"),
)


class MonthError(ValueError):
    """A name that stands for different months in different languages; says which."""


def month_of(name: str) -> int | None:
    """The month (1 to 12) of a name or of its usual abbreviation; None where no language has it.

    Raises:
        MonthError: two languages mean different months by it.
    """
    found = _names().get(_plain(name), {})
    if len(found) > 1:
        told = " and ".join(f"{_english(month)} in {language}" for month, language in sorted(found.items()))
        raise MonthError(f"{name} is {told}")
    return next(iter(found), None)


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold().strip(" .")


@cache
def _names() -> dict[str, dict[int, str]]:
    """Name → month → the first language that means this month by it (its own name in English)."""
    from babel import Locale
    from babel.dates import get_month_names

    found: dict[str, dict[int, str]] = {}
    for language in _LANGUAGES:
        locale = Locale.parse(language)
        for width in ("wide", "abbreviated"):
            for context in ("format", "stand-alone"):
                for month, name in get_month_names(width, context, locale).items():
                    found.setdefault(_plain(name), {}).setdefault(month, locale.english_name or language)
    found.setdefault("sept", {}).setdefault(9, "English")
    return {name: months for name, months in found.items() if name and not name.isdigit()}


def _english(month: int) -> str:
    from babel.dates import get_month_names

    return str(get_month_names("wide", "format", "en")[month])
