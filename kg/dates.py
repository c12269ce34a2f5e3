"""Moments, in whatever way a shop writes them → seconds since 1970 UTC."""

from __future__ import annotations

import datetime
import email.utils
import re
from collections.abc import Iterable
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

EARLIEST = -2_208_988_800  # 1900-01-01: an earlier date in a shop's log stands for "unknown"
_FIRST_COUNT = 100_000_000  # numbers below are no moment (1973) but a rank, a day or a year
_UNITS = ((100_000_000_000, 1), (100_000_000_000_000, 1_000), (100_000_000_000_000_000, 1_000_000), (2**63, 1_000_000_000))

_CLOCK = r"(?:[T ,]+(\d{1,2})[:时](\d{2})(?:[:分](\d{2})(?:\.\d+)?秒?)?\s*([AaPp]\.?[Mm]\.?)?)?\s*\Z"
_YEAR_FIRST = re.compile(r"(\d{4})[/.年](\d{1,2})[/.月](\d{1,2})日?" + _CLOCK)
_YEAR_LAST = re.compile(r"(\d{1,2})([/.\-])(\d{1,2})\2(\d{4})" + _CLOCK)
_SHORT_YEAR = re.compile(r"(\d{1,2})([/.\-])(\d{1,2})\2(\d{2})" + _CLOCK)
_WORD = r"([^\d\s.,/\-]{2,16})"
_DAY = r"(\d{1,2})(?:st|nd|rd|th|er|º)?"
_NAMED = re.compile(rf"(?:{_DAY}[ \-./]*(?:de |of )?{_WORD}\.?|{_WORD}\.? {_DAY},?)[ \-,./]+(?:de |del )?(\d{{4}}|\d{{2}})" + _CLOCK)
_DIGITS = re.compile(r"-?\d+(\.\d+)?\Z")


class DateError(ValueError):
    """Why a text is no moment."""


class Dates:
    """Reads one column of moments.

    Args:
        zone: time zone of values that carry none.
        day_first: whether 03/04/2024 is 3 April; None where nothing says so, and such values are refused.
        today: the last day that a year of two digits may mean; it is the latest such year from 1970 on.
    """

    def __init__(self, zone: str = "UTC", day_first: bool | None = None, today: datetime.date | None = None) -> None:
        self._zone_name = zone
        self._zone = ZoneInfo(zone)
        self.day_first = day_first
        self._today = today or datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=1)

    def seconds(self, array: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.bool_], dict[int, str]]:
        """Seconds of each value (floored), a mask of those that have a value, and why others of the places have none.

        Args:
            array: Arrow array of timestamps, dates, numbers (seconds, milli-, micro- or nanoseconds by size) or text.

        Returns:
            int64 [n] (0 where there is none), bool [n] (False where null or wrong), place → reason.
        """
        if pa.types.is_timestamp(array.type):
            return self._of_timestamps(array)
        if pa.types.is_date(array.type):
            return self._of_timestamps(array.cast(pa.timestamp("ms")))
        if pa.types.is_integer(array.type) or pa.types.is_floating(array.type):
            return self._of_numbers(array)
        if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
            return self._of_text(array)
        if pa.types.is_null(array.type):
            return np.zeros(len(array), np.int64), np.zeros(len(array), bool), {}
        return self._of_text(pa.array([None if value is None else str(value) for value in array.to_pylist()], pa.string()))

    def _of_timestamps(self, array: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.bool_], dict[int, str]]:
        if array.type.tz is None and self._zone_name != "UTC":
            # A clock set back shows an hour twice: the first is taken; an hour that was skipped is the moment after.
            array = pc.assume_timezone(array, self._zone_name, ambiguous="earliest", nonexistent="latest")
        factor = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[array.type.unit]
        valid = np.asarray(array.is_valid())
        ticks = np.asarray(pc.fill_null(array.cast(pa.int64()), 0))
        return self._checked(ticks // factor, valid, {})

    def _of_numbers(self, array: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.bool_], dict[int, str]]:
        numbers = np.asarray(pc.fill_null(array, 0))
        valid = np.asarray(array.is_valid()) & ~np.isnan(numbers)
        # Beyond any count of nanoseconds that a shop can mean (year 2116), and before the numbers wrap around.
        wrong = {place: f"unreadable date: {numbers[place]:g}" for place in np.flatnonzero(valid & (np.abs(numbers) >= 2**62)).tolist()}
        valid[list(wrong)] = False
        numbers = np.floor(np.where(valid, numbers, 0))
        days = valid & (numbers >= 19_000_101) & (numbers <= 21_001_231)
        if days.any() and (days == valid).all():
            text = pa.array([str(int(n)) if ok else None for n, ok in zip(numbers, valid, strict=True)], pa.string())
            return self._of_text(text)
        moments = numbers.astype(np.int64)
        seconds = np.select([np.abs(moments) < top for top, _ in _UNITS], [moments // unit for _, unit in _UNITS], 0)
        small = valid & (np.abs(moments) < _FIRST_COUNT) & (moments != 0)
        for place in np.flatnonzero(small).tolist():
            wrong[place] = _too_small(str(int(moments[place])))
        return self._checked(seconds, valid & ~small, wrong)

    def _of_text(self, array: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.bool_], dict[int, str]]:
        array = pc.utf8_trim_whitespace(array)
        try:
            # ISO without a zone, the commonest, all at once; one value that is anything else takes the slow way for all.
            return self._of_timestamps(array.cast(pa.timestamp("us")))
        except pa.ArrowInvalid:
            pass
        coded = array.dictionary_encode()
        found: list[int | None] = []
        reasons: list[str] = []
        for text in coded.dictionary.to_pylist():
            moment, reason = None, ""
            if text:
                try:
                    moment = self.moment(text)
                except DateError as error:
                    reason = str(error)
            found.append(moment)
            reasons.append(reason)
        codes = np.asarray(pc.fill_null(coded.indices, len(found))).astype(np.int64)
        seconds = np.array([moment or 0 for moment in found] + [0], np.int64)[codes]
        valid = np.array([moment is not None for moment in found] + [False])[codes]
        bad = np.array([bool(reason) for reason in reasons] + [False])[codes]
        return self._checked(seconds, valid, {place: reasons[codes[place]] for place in np.flatnonzero(bad).tolist()})

    def _checked(
        self, seconds: NDArray[np.int64], valid: NDArray[np.bool_], wrong: dict[int, str]
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_], dict[int, str]]:
        early = valid & (seconds < EARLIEST)
        for place in np.flatnonzero(early).tolist():
            wrong[place] = "implausible date: before 1900"
        valid = valid & ~early
        return np.where(valid, seconds, 0), valid, wrong

    def moment(self, text: str) -> int:
        """Seconds of one text.

        Raises:
            DateError: it cannot be read, or could be read in two ways.
        """
        if _DIGITS.match(text) and not (len(text) == 8 and text[:2] in ("19", "20")):
            number = float(text)
            if 0 < abs(number) < _FIRST_COUNT:
                raise DateError(_too_small(text))
            for top, unit in _UNITS:
                if abs(number) < top:
                    return int(number // unit)
        try:
            # Years, weeks and months alone are read as their first day by nobody, so a date is at least 8 characters.
            when = datetime.datetime.fromisoformat(text) if len(text) >= 8 else None
        except ValueError:
            when = None
        when = when or self._other(text)
        if when is None:
            raise DateError(f"unreadable date: {text[:40]!r}")
        when = when if when.tzinfo else when.replace(tzinfo=self._zone)
        return int((when - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)) // datetime.timedelta(seconds=1))

    def _other(self, text: str) -> datetime.datetime | None:
        try:
            if match := _YEAR_FIRST.match(text):
                year, month, day, *clock = match.groups()
                return _build(year, month, day, clock)
            if match := _YEAR_LAST.match(text):
                first, separator, second, year, *clock = match.groups()
                day, month = self._order(first, separator, second, text)
                return _build(year, month, day, clock)
            if match := _SHORT_YEAR.match(text):
                return self._short(match, text)
            if match := _NAMED.match(text):
                day1, name1, name2, day2, year, *clock = match.groups()
                return self._named(name1 or name2, day1 or day2, year, clock, text)
            return email.utils.parsedate_to_datetime(text)
        except DateError:
            raise
        except (ValueError, TypeError, IndexError):
            return None

    def _named(self, name: str, day: str, year: str, clock: list[str | None], text: str) -> datetime.datetime | None:
        from kg.month_names import MonthError, month_of

        try:
            month = month_of(name)
        except MonthError as error:
            raise DateError(f"ambiguous date: {text[:40]!r}, for {error}; write it with a number") from None
        if month is None:
            return None
        if len(year) == 4:
            return _build(year, str(month), day, clock)
        return self._past(year, str(month), day, clock)

    def _short(self, match: re.Match[str], text: str) -> datetime.datetime | None:
        """A date of three numbers of two digits: as told, or where only one way to read it gives a day that has been."""
        first, _, second, last, *clock = match.groups()
        day_first, month_first, year_first = (last, second, first), (last, first, second), (first, second, last)
        ways = (day_first, month_first, year_first) if self.day_first is None else (day_first if self.day_first else month_first,)
        found = {when for year, month, day in ways if (when := self._past(year, month, day, clock)) is not None}
        if len(found) > 1:
            told = ", ".join(sorted(f"{when:%Y-%m-%d}" for when in found))
            raise DateError(f"ambiguous date: {text[:40]!r} may be {told}; set day_first under [events], or write years of four digits")
        return next(iter(found), None)

    def _past(self, year: str, month: str, day: str, clock: list[str | None]) -> datetime.datetime | None:
        """The latest such day from 1970 to today; None where there was none."""
        for century in ("20", "19"):
            try:
                when = _build(century + year.zfill(2), month, day, clock)
            except ValueError:
                continue
            if datetime.date(1970, 1, 1) <= when.date() <= self._today:
                return when
        return None

    def _order(self, first: str, separator: str, second: str, text: str) -> tuple[str, str]:
        """(day, month): as only one reading is a date, as dots say (nobody writes the month first with them), or as told."""
        if int(second) > 12:
            return second, first
        if int(first) > 12 or separator == "." or first == second or self.day_first:
            return first, second
        if self.day_first is None:
            raise DateError(f"ambiguous date: {text[:40]!r} is day first or month first; set day_first under [events]")
        return second, first


def order_of_days(values: Iterable[str | None]) -> bool | None:
    """Whether dates such as 25/12/2024 in a column put the day first; None where none, or not all alike, tell it."""
    day = month = False
    for text in values:
        if text and (match := _YEAR_LAST.match(text.strip())) and match[2] != ".":
            day |= int(match[1]) > 12
            month |= int(match[3]) > 12
    return day if day != month else None


def is_open_to_reading(values: Iterable[str | None]) -> bool:
    """Whether a value such as 03/04/2024 is among them."""
    for text in values:
        match = _YEAR_LAST.match(text.strip()) if text else None
        if match and match[2] != "." and int(match[1]) <= 12 and int(match[3]) <= 12:
            return True
    return False


def _too_small(text: str) -> str:
    return f"unreadable date: {text[:40]} is no count of seconds since 1970; a rank is mapped as order, not as time"


def _build(year: str, month: str, day: str, clock: list[str | None]) -> datetime.datetime:
    hour, minute, second, half = clock
    hours = int(hour or 0)
    if half:
        if not 1 <= hours <= 12:
            raise ValueError(hour)
        hours = hours % 12 + (12 if half[0] in "pP" else 0)
    return datetime.datetime(int(year), int(month), int(day), hours, int(minute or 0), int(second or 0))
