"""Reasons that a language model puts more fluently, without being able to say anything else.

The model is shown a reason with its names, numbers and words taken out ("You bought [1]; [2] who bought it also bought this."), so that
nothing of the shop or of a person leaves and no title can give it orders. What it returns is taken only if it makes the same claim: read
word by word, with small words left out and synonyms made one, it must be the same sequence as the template, places included. A brand, a
number, a superlative, another person, a link, markup, a negation, a relation turned round or left out: each is a word that the sequence
does not have, and then the template stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from recommend.path import Explanation, Node
from recommend.result import Answer, Recommendation
from recommend.wording import Voice, Wording, shown

if TYPE_CHECKING:
    from extraction.llm_model import LanguageModel

LONGEST = 2.5  # times the template's length, that an answer may have
_PLACE = re.compile(r"\[(\d{1,3})\]")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_TOKEN = re.compile(r"\[\d{1,3}\]|[a-z]+(?:['’][a-z]+)?|[\u4e00-\u9fff]+|\S", re.IGNORECASE)
_PUNCTUATION = frozenset(",.;:—–-，。；：、“”‘’\"'()（）")
_LATIN = dict.fromkeys(map(ord, "“”‘’—–→"), None)

# Words that claim nothing of their own. Prepositions are not among them: "for LEGO" is not "LEGO".
_SMALL = {
    "en": (
        *("a", "an", "and", "are", "be", "been", "has", "have", "had", "is", "was", "were"),
        *("that", "the", "too", "also", "because", "since", "so", "which", "who"),
    ),
    "zh": ("也", "同样", "而且", "而", "了", "的", "过", "因为", "由于", "所以", "并且", "还", "是", "就", "且"),
}
# Other ways to say the same: each stands for the first.
_SAME = {
    "en": (("bought", "purchased"), ("mainly", "mostly", "chiefly", "primarily"), ("others", "shoppers"), ("shares", "share")),
    "zh": (("买", "购买"), ("您", "你"), ("这件商品", "这款商品", "此商品"), ("另外", "此外")),
}
_JOINED = ((r"\bas well\b", "too"), (r"\b(it|that)'s\b", r"\1 is"), (r"\b(you|they)'ve\b", r"\1 have"))
_INSTRUCTIONS = {
    "en": (
        "You rewrite a shop's reason for a recommendation as fluent English. Keep every [number] exactly once, in its order. "
        "Change only small words, punctuation and how sentences join. Add no fact, praise, number, name or link. "
        'Answer with JSON: {"text": "…"}.'
    ),
    "zh": (
        "请把商店的推荐理由改写得更通顺。每个[数字]必须保留一次，顺序不变。只能改动虚词、标点和句子的连接；不得添加任何事实、赞美、数字、名称或链接。"
        '只用JSON回答：{"text": "…"}。'
    ),
}
_SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"], "additionalProperties": False}


@dataclass(frozen=True, slots=True)
class Masked:
    """A reason without what it names.

    Args:
        template: its words, with [1], [2], … where something is named or counted.
        names: what stands there.
    """

    template: str
    names: tuple[str, ...]

    def filled(self, text: str) -> str:
        """A text of the same places with the names put in."""
        return _PLACE.sub(lambda found: self.names[int(found[1]) - 1], text)


@dataclass(frozen=True)
class _Masking(Wording):
    """Words sentences as ever, and notes each name and number."""

    noted: list[str] = field(default_factory=list)

    def _note(self, text: str) -> str:
        self.noted.append(text)
        return f"[{len(self.noted)}]"

    def _name(self, node: Node) -> str:
        return self._note(super()._name(node))

    def _word(self, text: str) -> str:
        return self._note(super()._word(text))


def masked(explanation: Explanation, wording: Wording) -> Masked | None:
    """The reason of an explanation with its names and numbers taken out; None where it speaks of other paths than those that it has.

    Args:
        explanation: of one score.
        wording: that its reason was made by.
    """
    masking = _Masking(wording.lang, wording.voice, wording.brand_of, wording.has)
    paths = tuple(replace(path, reason="") for path in explanation.paths)
    text = masking.reason(paths, explanation.rest, explanation.score)
    # Names are noted in the order in which they were made, which need not be that of the sentence.
    names: list[str] = []

    def renumber(found: re.Match[str]) -> str:
        names.append(masking.noted[int(found[1]) - 1] if found[1] else found[0])
        return f"[{len(names)}]"

    made = Masked(re.sub(rf"{_PLACE.pattern}|{_NUMBER.pattern}", renumber, text), tuple(names))
    return made if made.filled(made.template) == explanation.reason else None


def claim(text: str, lang: str) -> tuple[str, ...] | None:
    """What a masked text says, word by word: without small words, synonyms made one; None where it has signs that no sentence has.

    Args:
        text: with places such as [1].
        lang: "en" or "zh".
    """
    plain = text.replace("’", "'")
    if lang == "en" and not (plain.translate(_LATIN).isascii()):
        return None
    for pattern, other in _JOINED if lang == "en" else ():
        plain = re.sub(pattern, other, plain, flags=re.IGNORECASE)
    made: list[str] = []
    for token in _TOKEN.findall(plain):
        if _PLACE.fullmatch(token):
            made.append(token)
        elif token in _PUNCTUATION:
            continue
        elif lang == "zh" and not token.isascii():
            made += _characters(token)
        elif (word := token.lower()) not in _SMALL["en"]:
            made.append(next((same[0] for same in _SAME["en"] if word in same), word))
    return tuple(made)


def _characters(text: str) -> list[str]:
    """Chinese text as words: the known ones by the longest match, the small ones left out, everything else sign by sign."""
    known = {word: same[0] for same in _SAME["zh"] for word in same} | dict.fromkeys(_SMALL["zh"], "")
    made, at = [], 0
    while at < len(text):
        word = next((text[at : at + size] for size in (4, 3, 2, 1) if text[at : at + size] in known), text[at])
        made.append(known.get(word, word))
        at += len(word)
    return [word for word in made if word]


def says_the_same(answer: str, template: str, lang: str) -> bool:
    """Whether a text claims what the template does, and nothing else."""
    if not answer.strip() or len(answer) > LONGEST * len(template) + 20 or shown(answer) != answer.strip():
        return False
    return claim(answer, lang) == claim(template, lang) is not None


class Polisher:
    """Asks a model once for each template and keeps what may be taken.

    Args:
        model: the extractor's client: an endpoint, a local model, recorded answers.
        lang: language of the reasons.
    """

    def __init__(self, model: LanguageModel, lang: str) -> None:
        self._model, self._lang = model, lang
        self._known: dict[str, str | None] = {}

    @property
    def name(self) -> str:
        """The model's."""
        return self._model.name

    def polished(self, reason: Masked) -> str | None:
        """The reason as the model puts it; None where the template stands."""
        if reason.template not in self._known:
            self._known[reason.template] = self._asked(reason.template)
        found = self._known[reason.template]
        return None if found is None else reason.filled(found)

    def _asked(self, template: str) -> str | None:
        from extraction.llm_model import Message, NoAnswerError

        messages = (Message("system", _INSTRUCTIONS[self._lang]), Message("user", json.dumps({"text": template}, ensure_ascii=False)))
        try:
            answer = self._model.complete(messages, _SCHEMA).text
        except NoAnswerError:
            return None
        try:
            text = json.loads(answer)["text"]
        except (ValueError, TypeError, KeyError):
            return None
        return text.strip() if isinstance(text, str) and says_the_same(text, template, self._lang) else None


def polish(answer: Answer, polisher: Polisher, brand_of: Callable[[str], str | None], has: Callable[[str], bool]) -> Answer:
    """An answer with the reasons that the model put more fluently; a note says how many.

    Args:
        answer: of a recommender.
        polisher: for its language.
        brand_of, has: as the wording of the reasons had them.

    Raises:
        EngineError: the model cannot be reached at all.
    """
    voices: dict[str, Voice] = {"user_key": "you", "history": "session", "item_key": "item", "text": "text"}
    wording = Wording(answer.request.lang, voices[answer.request.question], brand_of, has)
    items: list[Recommendation] = []
    taken = 0
    for item in answer.items:
        reason = masked(item.explanation, wording)
        text = None if reason is None else polisher.polished(reason)
        taken += text is not None
        items.append(item if text is None else replace(item, explanation=replace(item.explanation, reason=text)))
    note = f"{taken} of {len(items)} reasons are as {polisher.name} put them; the others are clew's own."
    return replace(answer, items=tuple(items), notes=(*answer.notes, note))
