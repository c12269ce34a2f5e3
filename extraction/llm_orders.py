"""Phrases by which a text gives orders to whoever reads attributes out of it. Lower case, without accents."""

from __future__ import annotations

import re

_ATTRIBUTE = r"(?:brand|manufacturer|maker|material|colou?r|size|quantity|attribute|product type|category)(?: name)?"
_READER = r"(?:ai|llm|gpt|language model|assistant|chat ?bot|parser|extractor)"

# English, read word by word.
_ENGLISH = (
    rf"\bnotes? (?:to|for) (?:the |any |all )?(?:{_READER}|model|reader)\b",
    rf"\b(?:instructions?|message|command|prompt)s? (?:to|for) (?:the |any |all )?(?:{_READER}|model)\b",
    rf"\b(?:as|dear|hey|attention|important:?) (?:an? |the |any )?(?:{_READER})\b",
    rf"\b(?:{_READER}|the model) (?:must|should|shall|has to|needs to|will|reading|please)\b",
    r"\bnew (?:instruction|task|rule|order)s?\b ?[:.,]",
    r"\b(?:system|developer) (?:prompt|message|override|note)\b|\b(?:system|developer) ?: ?(?:override|set"
    r"|ignore|you|the|answer|brand)\b",
    r"\b(?:user|assistant) ?: ",
    r"\byou (?:are|act) (?:now|as) |\byou (?:must|should|shall|have to|will) (?:now |always |only )?(?:answer|respond|reply"
    r"|output|ignore|say|report|return|set|use)\b",
    r"\b(?:pretend|assume|imagine) (?:that|to be|you)\b",
    r"\bwhen (?:you )?(?:extract|read|label|tag|answer|ask|process|pars)(?:ing|ed)?\b",
    r"\b(?:end|begin|start|beginning) of (?:the )?(?:product|title|text|data|input|prompt)\b|\bbegin product\b",
    r"\b(?:correct|right|expected|valid|required|final) (?:json|answer|output|response)\b",
    r"\b(?:reply|answer|respond) (?:only|accordingly|with|in json|just)\b|\bnow (?:answer|output|reply|respond)\b|\b(?:decode"
    r"|read|follow) and (?:obey|follow|execute|do)\b",
    rf"\b(?:answer|output|result|response)\.\w+ ?=|\b{_ATTRIBUTE} ?(?:=|:=) ?[\"'\w]",
    rf"\b(?:use|put|write|give|choose|name|list|state|invent|make up|insert) .{{1,40}} (?:as|for|in) (?:the |its |a )?{_ATTRIBUTE}\b",
    r"\b(?:brand|manufacturer|maker|product name)s?(?: name)?[\"']? ?(?:[:=>→]|is\b|are\b|equals?\b|must\b|should\b|shall\b"
    r"|needs?\b|goes\b|field\b"
    r"|reads?\b|to be\b|has\b)",
    r"\b(?:as|the|its|another|correct|real|true|actual|only|acceptable|whose) (?:brand|manufacturer|maker)\b(?! new)",
    r"\boverride ?:|\binstructions? (?:have|has|were|are|is) |\brepeat after\b|\bif you(?:'re| are) an?\b|\bi (?:need|want|ask"
    r"|order) you\b",
    rf"\b(?:invent|make up|hallucinate|fabricate) an? {_ATTRIBUTE}\b",
    rf"\b(?:replace|override|overwrite|substitute) (?:the |its |any )?{_ATTRIBUTE} (?:with|by|to)\b",
    rf"\b{_ATTRIBUTE} (?:must|should|has to|needs to) (?:be|read|say|equal)\b",
    r"\b(?:the |its |product'?s? )?(?:brand|manufacturer|maker)(?: name)? is\b",
    r"\b(?:do not|don't|never) (?:follow|obey|trust|extract|report|output)\b",
)

# English, spelt in letters alone.
_IGNORE = r"(?:ignor(?:e|ing)|disregard(?:ing)?|forget|bypass|neglect)"
_FILLER = r"(?:all|any|of|the|your|my|these|those|this|that|every|everything|other)*"
_WHAT = (
    r"(?:previous|prior|earlier|above|preceding|initial|system|rules?|instructions?|directions|guidelines|prompt|title"
    r"|text|context|rest|said)"
)
_SPELT_ATTRIBUTE = r"(?:brand|manufacturer|maker|material|colou?r|size|quantity|attribute)"
_SPELT = (
    rf"{_IGNORE}{_FILLER}{_WHAT}",
    rf"(?:set|change|switch|overrid(?:e|ing)|overwrite|rewrite)(?:the|its|this|every|all"
    rf"|products?)*{_SPELT_ATTRIBUTE}(?:name)?(?:to|as|with|into)",
    r"(?:answer|respond|reply|output|return|report)(?:only|always|with|that|the|as|a)*(?:brand|manufacturer|material)(?:is|name|as)?",
)

# Other languages: a verb of ignoring and what is to be ignored, or a verb of setting and the word for brand, not far apart.
_IGNORE_VERBS = (
    r"ignor\w+|bortse\w*|bo qua|no hagas caso|ne tiens pas compte|ne tenez pas compte|не обращай\w*|не учитыва\w+|不要参考|不参考|别管"
    r"|別管|勿|不要看|考慮しない|従わず"
    r"|vergiss|missacht\w+|beachte nicht|oubli(?:e|ez)\b|neglig\w+|olvid\w+|dimentic\w+|trascur\w+|esquec\w+"
    r"|desconsider\w+|negeer|vergeet"
    r"|zignoruj\w*|pomin\w*|zapomnij|игнорир\w+|проигнорир\w+|забудь\w*|ігнору\w+|проігнору\w+|忽略|无视|無視"
    r"|忘记|忘掉|不要理会|不要理會|忘れ|무시|잊"
    r"|تجاهل\w*|انس\b|yok say\w*|gormezden gel\w*|dikkate alma\w*|unut\w*|अनदेख\S*|नज़रअंदाज़|भूल|glom\b|abaikan|bo qua"
    r"|เพิกเฉย|ไม่ต้องสนใจ|αγνοησ\w+|התעלם"
)
_IGNORED = (
    r"above|previous|oben|vorherig\w*|zuvor|ci dessus|precede\w*|anterior\w*|precedent\w*|powyz\w+|ovan\w*|выше|предыдущ\w+"
    r"|вище|以上|之前|上述|前面|上記|以前|위의|이전|truoc do"
    r"|instruc\w+|instruk\w+|istruzion\w+|anweisung\w*|vorgabe\w*|regel\w*|regle\w*|regol\w*|regras?\b|reglas?\b|consignes?"
    r"|opdracht\w*|polecen\w*|zasad\w*"
    r"|инструкц\w+|указани\w+|правил\w*|команд\w*|інструкц\w+|вказівк\w+|指令|指示|说明|說明|提示|规则|規則|命令|要求|지시|명령|지침|규칙"
    r"|تعليمات|التعليمات|أوامر|الأوامر|talimat\w*|yonerge\w*|kural\w*|निर्देश\S*|arahan|perintah|huong dan|คำสั่ง|οδηγι\w+|הוראות|ההוראות"
    r"|titel\w*|titre|titulo|titolo|заголов\w+|标题|標題|제목|タイトル"
)
_SET_VERBS = (
    r"\b(?:setze?|setzen|andere|nenne|gib|schreibe?|antworte\w*|mets|mettez|definis\w*|indique\w*|reponds?|repondez|pon|ponga"
    r"|establec\w+|cambia|responde\w*|di que|imposta\w*"
    r"|rispond\w+|scrivi|defina|responda|altere|coloque|zet|stel|antwoord|ustaw\w*|zmien|odpowiedz|wpisz|установ\w+|укаж\w+"
    r"|постав\w+|измени\w*|ответ\w*|запиши|встанов\w+|вкаж\w+"
    r"|ayarla\w*|degistir\w*|yaz|cevapla\w*|tetapkan|jawab|satt|svara)\b"
    r"|设为|设置|设成|改为|改成|填写|填成|回答|设定|設為|設定|改為|填寫|答え|記入|설정|바꾸|바꿔|답하|답해|대답"
    r"|اجعل|اضبط|غير|أجب|सेट|बताएं|बदल|उत्तर|ตั้ง|ตอบ|θεσε|הגדר|ענה"
)
_NAMED = (
    r"(?:品牌|牌子)(?:名称|名|字段|一栏)?(?:请|写|为|是|应|填|改|设|叫|[:=])|(?:ブランド|メーカー)名?(?:は|を"
    r"|[:=])|(?:브랜드|제조사)(?:명|는|를|은|[ :=])"
    r"|\b(?:marken?|hersteller|marque|marca|marchio|merk|marka|markę|varumarke|merek|thuong hieu|бренд|марка|производитель"
    r"|ब्रांड|العلامة التجارية)"
    r" ?(?:[:=]|\bist\b|\bheisst\b|\best\b|\bes\b|\bis\b|\bjest\b|\bsea\b|\bdebe\b|\bdeve\b|\bdoit\b|\bmuss\b|\bsoll\b|\bla\b|это\b)"
    r"|作为(?:人工智能|一个|助手|模型|ai)|(?:你|您)(?:应该|必须|需要|现在)|系统提示|\ben tant qu'|\b(?:como"
    r"|als) (?:asistente|assistente|assistent|ki"
    r"|ia)\b|\bcampo marca\b"
    r"|\b(?:achtung|attention|atencion|attenzione|atencao) (?:ki|ia|ai)\b|\b(?:systeme|sistema|system|시스템) ?: |\b(?:begin|end"
    r"|final) answer\b"
    r"|\b(?:als|comme|como|come|jako|som|olarak) (?:marke|marque|marca|marchio|merk|marke|marka|varumarke)\b"
)
_BRAND = (
    r"\bmarken?\b|\bmarque\b|\bmarca\b|\bmarchio\b|\bmerk\b|\bmarke\b|\bmarka\w*|\bmarki\b|\bhersteller\b|\bfabricante\b"
    r"|\bfabricant\b|бренд\w*|\bмарк[ауи]\b|производител\w*"
    r"|品牌|牌子|ブランド|メーカー|브랜드|제조사|العلامة|ماركة|ब्रांड|यี่ห้อ|แบรนด์|μαρκα|מותג|המותג|\bmerek\b|\bvarumarke\b"
)


def _near(first: str, second: str, chars: int) -> str:
    return rf"(?:{first})[^.!?。！？।\n]{{0,{chars}}}?(?:{second})|(?:{second})[^.!?。！？।\n]{{0,{chars}}}?(?:{first})"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words of sentences that speak to somebody or state something; a title is a list of nouns. And how a sentence of orders begins.
PROSE_WORDS = _words(
    "you your yours i me we us our he they them who what where why how is are am be was were been must should shall please kindly do does "
    "don't did have has had if then because let so this that these those it instead not hello here there will would could"
)
ORDER_STARTS = _words(
    "ignore disregard forget stop start repeat translate label record treat consider attention hello dear override instruction "
    "instructions answer respond reply output report say pretend imagine important note system assistant user"
)

ORDERS = re.compile("|".join((*_ENGLISH, _NAMED, _near(_IGNORE_VERBS, _IGNORED, 50), _near(_SET_VERBS, _BRAND, 30))))
SPELT_ORDERS = re.compile("|".join(_SPELT))
ENCODED_ORDERS = re.compile("|".join(_SPELT[:2]))
