"""What asking may cost, what it is expected to cost, and what it did cost."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass

from extraction.llm_model import Usage
from kg.errors import InputError

_HINT = 'Write "20%" (of the titles), "50000 tokens", "50k tokens" or "2.50 USD".'
_NUMBER = r"(\d+(?:[.,]\d+)?)"
_SHARE = re.compile(rf"{_NUMBER}\s*%")
_TOKENS = re.compile(rf"{_NUMBER}\s*([kKmM]?)\s*(?:tokens?)?")
_MONEY = re.compile(rf"(?:{_NUMBER}\s*([A-Z]{{3}}|[$€£¥])|([A-Z]{{3}}|[$€£¥])\s*{_NUMBER})")
_SIGNS = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "CNY"}
_SCALES = {"": 1, "k": 1_000, "m": 1_000_000}


@dataclass(frozen=True, slots=True)
class Prices:
    """What an endpoint charges.

    Args:
        prompt, completion: per million tokens read and written.
        currency: ISO 4217 code.
    """

    prompt: float
    completion: float
    currency: str = "USD"

    def cost(self, usage: Usage) -> float:
        """What a usage costs, in units of the currency."""
        return (usage.prompt_tokens * self.prompt + usage.completion_tokens * self.completion) / 1e6


@dataclass(frozen=True, slots=True)
class Budget:
    """What a run may ask; None where there is no limit.

    Args:
        share: of the titles, 0 to 1.
        tokens: read and written.
        money: in units of `currency`.
        currency: ISO 4217 code of the money.
    """

    share: float | None = None
    tokens: int | None = None
    money: float | None = None
    currency: str = "USD"

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Of `--llm-budget`: "20%", "50000 tokens", "50k", "2.50 USD", "$2.50".

        Raises:
            InputError: it is none of these, or more than 100 %.
        """
        text = text.strip()
        if found := _SHARE.fullmatch(text):
            share = float(found[1].replace(",", ".")) / 100
            if share > 1:
                raise InputError(f"A budget of {text} asks about more titles than there are.", _HINT)
            return cls(share=share)
        if found := _TOKENS.fullmatch(text):
            return cls(tokens=int(float(found[1].replace(",", ".")) * _SCALES[found[2].lower()]))
        if found := _MONEY.fullmatch(text):
            unit = found[2] or found[3]
            return cls(money=float((found[1] or found[4]).replace(",", ".")), currency=_SIGNS.get(unit, unit))
        raise InputError(f"{text!r} is no budget.", _HINT)

    def check(self, prices: Prices | None) -> None:
        """Refuse a budget in money that cannot be kept.

        Raises:
            InputError: there are no prices, or they are in another currency.
        """
        if self.money is None:
            return
        if prices is None:
            raise InputError(
                "A budget in money needs to know what tokens cost.",
                "Set price_prompt and price_completion of [extraction.llm], or give tokens.",
            )
        if prices.currency != self.currency:
            raise InputError(f"The budget is in {self.currency}, the prices are in {prices.currency}.", "Give both in one currency.")

    def __str__(self) -> str:
        if self.share is not None:
            return f"{self.share:.3g} of the titles" if self.share * 100 % 1 else f"{self.share:.0%} of the titles"
        if self.tokens is not None:
            return f"{self.tokens:,} tokens"
        return "no limit" if self.money is None else f"{self.money:g} {self.currency}"


NO_LIMIT = Budget()


class Ledger:
    """Keeps spending under a budget while several requests are under way: what may be spent is set aside first, what was is booked after.

    Args:
        budget: the limit; a share is kept by whoever chooses the titles, not here.
        prices: what tokens cost.

    Raises:
        InputError: the budget is in money and cannot be kept (see `Budget.check`).
    """

    def __init__(self, budget: Budget = NO_LIMIT, prices: Prices | None = None) -> None:
        budget.check(prices)
        self.budget = budget
        self.prices = prices
        self.spent = Usage()
        self._aside = Usage()
        self._expected = Usage()
        self._lock = threading.Lock()

    def set_aside(self, expected: Usage) -> bool:
        """Whether a request that may cost so much still fits; if so it is set aside until it is booked.

        Prompts of answers that came are compared with what was expected of them, and the expectation is raised when it was too low.
        """
        with self._lock:
            corrected = self._corrected(expected)
            total = self.spent + self._aside + corrected
            over = (self.budget.tokens is not None and total.tokens > self.budget.tokens) or (
                self.budget.money is not None and self.prices is not None and self.prices.cost(total) > self.budget.money
            )
            if not over:
                self._aside = self._aside + expected
            return not over

    def book(self, expected: Usage, actual: Usage) -> None:
        """Replace what was set aside by what was spent."""
        with self._lock:
            self._aside = Usage(
                self._aside.prompt_tokens - expected.prompt_tokens, self._aside.completion_tokens - expected.completion_tokens
            )
            self.spent = self.spent + actual
            if actual.tokens:
                self._expected = self._expected + expected

    def _corrected(self, expected: Usage) -> Usage:
        factor = max(1.0, self.spent.prompt_tokens / max(self._expected.prompt_tokens, 1)) if self._expected.prompt_tokens else 1.0
        return Usage(round(expected.prompt_tokens * factor), expected.completion_tokens)

    def shown(self, usage: Usage) -> str:
        """A usage for people: tokens and, where prices are known, money."""
        money = f", {self.prices.cost(usage):.2f} {self.prices.currency}" if self.prices else ""
        return f"{'about ' if usage.estimated else ''}{usage.tokens:,} tokens{money}"
