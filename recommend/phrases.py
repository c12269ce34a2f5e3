"""The templates that sentences are made from, in English and Chinese. `{x}` leads to `{y}`; `{e}` is what they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kg.ontology import Rel


@dataclass(frozen=True, slots=True)
class Phrases:
    """Everything that one language says.

    Args:
        openings: how a person came to the first product, by relation of the event; "" is any other event.
        chose: the same in a session, whatever the event.
        who, whose: the person, by voice; openings that an ontology file words have them too.
        facts: what a shared entity claims of `{y}`, by relation; "named" is a relation towards a label that an ontology file names
            (`{name}`), "" is any other relation (`{rel}` names it).
        against: what is added to a path from a product that the person said no to, where it takes away.
        fact_after: a claim that follows an opening ("… too").
        fact_alone: a claim without an opening; `{x}` is named in it.
        fact_asked: a claim about an entity that the words of a question name.
        links: product to product edges, by relation; "…:words" with the words that carry it; `{who}` are people.
        tree: what is added when the entities differ and one is a kind or part of the other.
        rest: what a score's parts are called that are no shown path.
        heading: over a drawing; `{title}` is the product, `{who}` whoever it is for.
        standing: under it.
        missing: reasons that are no path, by the part of `rest` that weighs most.
    """

    openings: Mapping[str, str]
    chose: str
    who: Mapping[str, str]
    whose: Mapping[str, str]
    facts: Mapping[str, str]
    against: str
    fact_after: str
    fact_alone: str
    fact_asked: str
    links: Mapping[str, str]
    tree: str
    missing: Mapping[str, str]
    rest: Mapping[str, str]
    heading: Mapping[str, str]
    standing: str
    people: str
    others: str
    it: str
    them: str
    one_of_them: str
    latter: str
    had: Mapping[str, str]
    this: str
    after_opening: str
    and_then: str
    mainly: str
    mainly_then: str
    also: str
    end: str
    and_word: str
    comma: str
    more: str
    one_way: str
    ways: str
    quote: str
    within: str


ENGLISH = Phrases(
    openings={
        Rel.BOUGHT: "{who} bought {x}",
        Rel.VIEWED: "{who} looked at {x}",
        Rel.CARTED: "{who} put {x} in {whose} cart",
        Rel.RATED: "{who} rated {x}",
        Rel.RETURNED: "{who} sent {x} back",
        Rel.DISLIKED: "{who} did not like {x}",
        f"{Rel.RATED}:low": "{who} gave {x} a low rating",
        "": "{who} have {x} in {whose} history",
    },
    chose="you chose {x}",
    who={"you": "you", "they": "they"},
    whose={"you": "your", "they": "their"},
    facts={
        Rel.HAS_BRAND: "is {e}",
        Rel.MADE_OF: "is made of {e}",
        Rel.IN_CATEGORY: "is listed under {e}",
        Rel.HAS_COLOR: "comes in {e}",
        Rel.HAS_SIZE: "has the size {e}",
        Rel.IN_PRICE_BAND: "is in the price range {e}",
        "named": "has the {name} {e}",
        "": "is marked “{rel}: {e}”",
    },
    against=", which counts against it",
    fact_after="{y} {claim} too",
    fact_alone="{y} {claim}, like {x}",
    fact_asked="{y} {claim}, as you asked",
    links={
        Rel.CO_BOUGHT: "{who} who bought {x} also bought {y}",
        Rel.NEXT_BOUGHT: "{who} who bought {x} bought {y} later",
        Rel.ALSO_BOUGHT: "the shop says that {y} is also bought with {x}",
        Rel.ALSO_VIEWED: "the shop says that {y} is also viewed with {x}",
        Rel.BOUGHT_TOGETHER: "the shop says that {y} is bought together with {x}",
        Rel.SIMILAR_TEXT: "{y} goes with {x} by its description",
        f"{Rel.SIMILAR_TEXT}:words": "{y} shares the words {words} with {x}",
        f"{Rel.SIMILAR_TEXT}:word": "{y} shares the word {words} with {x}",
        Rel.MATCHES: "{y} is close to what you asked for",
        f"{Rel.MATCHES}:words": "{y} has your words {words}",
        f"{Rel.MATCHES}:word": "{y} has your word {words}",
        "": "{rel} leads from {x} to {y}",
    },
    tree="{low} being a kind of {high}",
    missing={
        "other_paths": "Many small links add up here; none of them stands out.",
        "text": "Its text is close to what you asked for.",
        "popularity": "Nothing here is personal: it comes up for everybody.",
        "popularity:count": "It is popular here: {people} bought it.",
        "latent": "It goes with what people like this choose, in ways that no single fact shows.",
        "baseline": "Nothing that is known sets it apart.",
    },
    rest={
        "other_paths": "other paths, not shown",
        "text": "likeness to the words themselves",
        "popularity": "being popular or new, whoever asks",
        "latent": "what nobody can name",
        "baseline": "what the mean product gets",
    },
    heading={"user": "{title}, for {who}", "session": "{title}, for this session", "": "{title}, as you asked"},
    standing="Rank {rank}, score {score:.4f}. {reason}",
    people="{n} people",
    others="others",
    it="it",
    them="them",
    one_of_them="one of them",
    latter="the latter",
    had={"you": ", which you have too", "they": ", which they have too"},
    this="this",
    after_opening="; ",
    and_then=", and ",
    mainly="mainly because ",
    mainly_then=", and ",
    also="also, ",
    end=".",
    and_word=" and ",
    comma=", ",
    more="{n} more",
    one_way="and in one more way like it",
    ways="and in {n} more ways like it",
    quote="“{}”",
    within=" ({})",
)

CHINESE = Phrases(
    openings={
        Rel.BOUGHT: "{who}买过{x}",
        Rel.VIEWED: "{who}看过{x}",
        Rel.CARTED: "{who}把{x}加入过购物车",
        Rel.RATED: "{who}评价过{x}",
        Rel.RETURNED: "{who}退回了{x}",
        Rel.DISLIKED: "{who}不喜欢{x}",
        f"{Rel.RATED}:low": "{who}给{x}打过低分",
        "": "{whose}记录里有{x}",
    },
    chose="您选了{x}",
    who={"you": "您", "they": "这位顾客"},
    whose={"you": "您的", "they": "这位顾客的"},
    facts={
        Rel.HAS_BRAND: "是{e}的",
        Rel.MADE_OF: "是{e}材质",
        Rel.IN_CATEGORY: "属于{e}类",
        Rel.HAS_COLOR: "有{e}这种颜色",
        Rel.HAS_SIZE: "是{e}尺寸",
        Rel.IN_PRICE_BAND: "在{e}价位",
        "named": "以{e}为{name}",
        "": "标有“{rel}：{e}”",
    },
    against="，因此不利于推荐它",
    fact_after="{y}同样{claim}",
    fact_alone="与{x}一样，{y}{claim}",
    fact_asked="如您所找，{y}{claim}",
    links={
        Rel.CO_BOUGHT: "买过{x}的{who}也买了{y}",
        Rel.NEXT_BOUGHT: "买过{x}的{who}后来买了{y}",
        Rel.ALSO_BOUGHT: "店家标明{y}常与{x}一同购买",
        Rel.ALSO_VIEWED: "店家标明{y}常与{x}一同浏览",
        Rel.BOUGHT_TOGETHER: "店家标明{y}与{x}搭配购买",
        Rel.SIMILAR_TEXT: "从描述看，{y}与{x}相配",
        f"{Rel.SIMILAR_TEXT}:words": "{y}与{x}都写有{words}",
        f"{Rel.SIMILAR_TEXT}:word": "{y}与{x}都写有{words}",
        Rel.MATCHES: "{y}与您要找的意思相近",
        f"{Rel.MATCHES}:words": "{y}含有您说的{words}",
        f"{Rel.MATCHES}:word": "{y}含有您说的{words}",
        "": "{x}经由{rel}与{y}相关",
    },
    tree="{low}属于{high}",
    missing={
        "other_paths": "许多细小的关联合在一起，没有哪一条特别突出。",
        "text": "它的描述与您要找的相近。",
        "popularity": "这里没有个人的原因：它对每个人都会出现。",
        "popularity:count": "它在本店很受欢迎：有{people}买过。",
        "latent": "它合乎相似顾客的选择，但说不出是哪一条事实。",
        "baseline": "已知的信息里没有什么让它特别突出。",
    },
    rest={
        "other_paths": "未列出的其他关联",
        "text": "与所说的话本身相近",
        "popularity": "受欢迎或是新品，对谁都一样",
        "latent": "说不出的部分",
        "baseline": "一般商品都有的部分",
    },
    heading={"user": "{title}，推荐给{who}", "session": "{title}，依据这次浏览", "": "{title}，依据您的提问"},
    standing="第{rank}位，得分{score:.4f}。{reason}",
    people="{n}位顾客",
    others="其他顾客",
    it="它",
    them="它们",
    one_of_them="其中一件",
    latter="后者",
    had={"you": "（您也有）", "they": "（这位顾客也有）"},
    this="这件商品",
    after_opening="；",
    and_then="，而且",
    mainly="主要是因为",
    mainly_then="，而",
    also="另外，",
    end="。",
    and_word="和",
    comma="、",
    more="另外{n}件",
    one_way="另有1条类似的关联",
    ways="另有{n}条类似的关联",
    quote="“{}”",
    within="（{}）",
)

PHRASES: dict[str, Phrases] = {"en": ENGLISH, "zh": CHINESE}
