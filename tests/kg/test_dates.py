"""Moments in the ways that people write them: names of months in many languages, years of two digits."""

from __future__ import annotations

import datetime

import pytest

from kg.dates import DateError, Dates
from kg.month_names import MonthError, month_of

TODAY = datetime.date(2024, 11, 24)


def day(text: str, day_first: bool | None = None) -> str:
    return str(datetime.datetime.fromtimestamp(Dates("UTC", day_first, TODAY).moment(text), datetime.UTC))[:16]


@pytest.mark.parametrize(
    ("text", "is_"),
    [
        ("3. März 2024", "2024-03-03 00:00"),
        ("3 mars 2024", "2024-03-03 00:00"),
        ("1er août 2023 14:05", "2023-08-01 14:05"),
        ("14 de febrero de 2024", "2024-02-14 00:00"),
        ("3 déc. 2023", "2023-12-03 00:00"),
        ("5 января 2024", "2024-01-05 00:00"),
        ("7 Mayıs 2024", "2024-05-07 00:00"),
        ("3 maj 2024", "2024-05-03 00:00"),
        ("March 3rd, 2024 2:05 PM", "2024-03-03 14:05"),
        ("3-Mar-2024", "2024-03-03 00:00"),
        ("25-Dec-23", "2023-12-25 00:00"),
        ("Dec 25, 99", "1999-12-25 00:00"),
        ("Tue, 05 Mar 2024 10:00:00 +0100", "2024-03-05 09:00"),
    ],
)
def test_names_of_months(text: str, is_: str) -> None:
    assert day(text) == is_


@pytest.mark.parametrize("text", ["3 Foo 2024", "Junk 3, 2024", "32 March 2024", "3 m 2024", "Mon 3 2024"])
def test_what_is_no_month_is_no_date(text: str) -> None:
    with pytest.raises(DateError, match="unreadable date"):
        day(text)


def test_a_name_that_two_languages_give_to_different_months() -> None:
    with pytest.raises(MonthError, match="listopad is October in Croatian and November in Polish"):
        month_of("listopad")
    with pytest.raises(DateError, match="ambiguous date: '3 listopad 2024', for listopad is October in Croatian and November in Polish"):
        day("3 listopad 2024")


@pytest.mark.parametrize(
    ("text", "day_first", "is_"),
    [
        ("31/12/23", None, "2023-12-31 00:00"),
        ("12/31/23", None, "2023-12-31 00:00"),
        ("31.12.99 8:30", None, "1999-12-31 08:30"),
        ("99-12-31", None, "1999-12-31 00:00"),
        ("24.11.24", True, "2024-11-24 00:00"),
        ("03/04/21", True, "2021-04-03 00:00"),
        ("03/04/21", False, "2021-03-04 00:00"),
        ("13/05/24", None, None),
        ("03/04/21", None, None),
        ("11/11/11", None, "2011-11-11 00:00"),
    ],
)
def test_years_of_two_digits(text: str, day_first: bool | None, is_: str | None) -> None:
    if is_ is None:
        with pytest.raises(DateError, match="ambiguous date"):
            day(text, day_first)
    else:
        assert day(text, day_first) == is_


@pytest.mark.parametrize("day_first", [None, True, False])
def test_a_day_that_has_not_been_is_none(day_first: bool | None) -> None:
    with pytest.raises(DateError, match="unreadable date"):
        day("25/12/24", day_first)


def test_every_month_of_a_dozen_languages_is_read() -> None:
    from babel.dates import format_date

    for language in ("en", "de", "fr", "es", "it", "pt", "nl", "sv", "da", "nb", "fi", "ru", "uk", "tr", "ro", "id"):
        for month in range(1, 13):
            text = f"7 {format_date(datetime.date(2023, month, 7), 'MMMM', language)} 2023"
            assert day(text) == f"2023-{month:02}-07 00:00", text
