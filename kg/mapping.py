"""Which column holds what: as the configuration says, or guessed from names (in several languages) and values."""

from __future__ import annotations

import re
import statistics
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from kg.chunks import Chunk
from kg.config import CatalogueColumns, EventColumns, Section, TripleColumns
from kg.errors import InputError
from kg.sources import need_column
from kg.values import RowError, text_of

# Role → names of columns that mean it, the surest first; compared without case, accents, spaces and punctuation.
_NAMES: dict[str, str] = {
    "item": "item_key product_key item_id product_id sku asin item product article_id article articleno product_code item_code stock_code "
    "variant_sku handle gtin ean upc isbn movie_id book_id track_id course_id artikelnummer artikelnr produktnummer produkt_id "
    "référence ref id_produit code_produit código codigo_producto id_producto referencia codice codice_prodotto id_prodotto "
    "商品编号 商品编码 商品id 产品编号 产品id 货号 商品番号 品番 商品コード 商品 상품번호 상품코드 артикул код_товара id key code",
    "title": "title product_title item_title product_name item_name name titel bezeichnung produktname artikelbezeichnung titre "
    "nom_produit nom intitulé título titulo nombre nombre_producto titolo nome nome_prodotto 标题 商品标题 商品名称 商品名 产品名称 名称 "
    "品名 タイトル 商品タイトル 상품명 제목 название наименование label",
    "description": "description product_description desc body body_html long_description details beschreibung descripción "
    "descripcion descrizione descrição 描述 商品描述 详情 商品详情 説明 商品説明 설명 описание",
    "brand": "brand brand_name manufacturer vendor maker marke hersteller marque fabricant marca fabricante produttore 品牌 品牌名 "
    "品牌名称 ブランド メーカー 브랜드 бренд производитель",
    "material": "material materials fabric composition werkstoff matériau matériaux matière materiale tejido "
    "材质 材料 面料 素材 소재 материал",
    "category": "category category_path categories category_name product_category product_type type google_product_category genre genres "
    "department taxonomy kategorie warengruppe produkttyp catégorie rayon categoría categoria 类别 类目 分类 品类 商品分类 カテゴリ "
    "カテゴリー 카테고리 категория",
    "color": "color colour product_color farbe couleur colore cor 颜色 色 カラー 색상 цвет",
    "size": "size product_size größe groesse taille talla tamaño taglia misura tamanho 尺寸 尺码 规格 サイズ 사이즈 размер",
    "quantity": "net_content package_quantity unit_count pack_size packungsgröße contenance 净含量 内容量",
    "price": "price sale_price unit_price current_price median_price price_amount list_price preis verkaufspreis prix prix_ttc precio "
    "prezzo preço 价格 售价 单价 价钱 価格 販売価格 가격 цена",
    "currency": "currency currency_code price_currency währung waehrung devise monnaie moneda valuta moeda 货币 币种 通貨 통화 валюта",
    "available": "available availability in_stock instock stock_status stock inventory_quantity verfügbar lagerbestand disponible "
    "disponibilité disponibilidad disponibilità 库存 有货 是否有货 在庫 재고 наличие",
    "user": "user_key user_id user customer_id customer client_id client shopper_id buyer_id visitor_id session_id member_id account_id "
    "email reviewer_id kunde kunden_id kundennummer id_client utilisateur id_utilisateur cliente id_cliente usuario id_usuario utente "
    "用户 用户id 用户编号 会员 会员id 客户编号 买家id ユーザー 顧客番号 顧客id 고객번호 사용자 пользователь клиент uid",
    "time": "time timestamp date datetime event_time created_at purchased_at order_date purchase_date invoice_date transaction_date ts "
    "unix_review_time zeit zeitpunkt datum bestelldatum kaufdatum heure horodatage date_commande fecha fecha_compra hora data "
    "data_acquisto 时间 日期 购买时间 下单时间 时间戳 日時 購入日 注文日 날짜 구매일 дата время",
    "order": "pos position rank order_index sequence seq step",
    "value": "value rating stars score overall quantity qty amount bewertung menge anzahl note quantité puntuación cantidad "
    "valutazione quantità 评分 数量 購入数 評価 수량 평점 оценка количество",
    "kind": "kind event event_type event_name action behavior behavior_type interaction ereignis aktion événement evento azione 行为 "
    "行为类型 事件 イベント 이벤트 событие",
    "relation": "relation predicate property attribute rel relation_name 关系 属性",
    "entity": "entity tail object value target attribute_value tail_entity 实体 属性值",
    "head": "item_key item product head subject source item_id product_id asin 商品编号",
    "entity_kind": "kind entity_kind entity_type tail_type",
    "confidence": "confidence probability",
}
_CATALOGUE = ("item", "title", *(role for role in CatalogueColumns.TEXT if role in _NAMES), "price", "currency", "available")
_EVENTS = ("user", "item", "time", "order", "value", "kind")

Columns = TypeVar("Columns", bound=Section)


def catalogue_columns(given: CatalogueColumns | None, chunk: Chunk) -> CatalogueColumns:
    """The mapping of a catalogue file: the given one, checked against the file, or a guess.

    Raises:
        InputError: a column that is not there (the nearest is named), or nothing looks like a key or a title.
    """
    if given is not None:
        return _checked(given, chunk)
    guess = guess_catalogue(chunk.names(), _first(chunk))
    return CatalogueColumns.model_validate(required(guess, ("item", "title"), chunk.file, chunk.names(), "[catalogue]"))


def event_columns(given: EventColumns | None, chunk: Chunk) -> EventColumns:
    """The mapping of an event file: the given one, checked against the file, or a guess.

    Raises:
        InputError: a column that is not there (the nearest is named), or nothing looks like a person or a product.
    """
    if given is not None:
        return _checked(given, chunk)
    guess = guess_events(chunk.names(), _first(chunk))
    return EventColumns.model_validate(required(guess, ("user", "item"), chunk.file, chunk.names(), "[events]"))


def triple_columns(given: TripleColumns | None, chunk: Chunk, fixed_relation: bool) -> TripleColumns:
    """The mapping of a triples file: the given one, checked against the file, or a guess by names alone.

    Args:
        fixed_relation: the configuration names one relation for all rows, so no column has to.

    Raises:
        InputError: a column that is not there, or no column has a name that fits.
    """
    if given is None:
        roles = {"item": "head", "relation": "relation", "entity": "entity", "kind": "entity_kind", "confidence": "confidence"}
        found = _by_name(chunk.names(), tuple(roles.values()))
        guess = {role: found[name] for role, name in roles.items() if name in found}
        need = ("item", "entity") if fixed_relation else ("item", "relation", "entity")
        given = TripleColumns.model_validate(required(guess, need, chunk.file, chunk.names(), "[[triples]]"))
    if given.relation is None and not fixed_relation:
        raise InputError(
            f"Nothing says which relation the rows of {chunk.file} state.", "Give columns.relation or relation under [[triples]]."
        )
    return _checked(given, chunk)


def _checked(given: Columns, chunk: Chunk) -> Columns:
    # JSON rows may leave out what they do not have: there, only what every row needs can be missed.
    required = {name for name, info in type(given).model_fields.items() if info.is_required()}
    json = not hasattr(chunk, "columns")
    for role, column in given.model_dump(exclude_none=True).items():
        for name in [column] if isinstance(column, str) else column:
            if role in required or not json:
                need_column(chunk, name, role)
    return given


def _first(chunk: Chunk) -> list[Mapping[str, Any]]:
    return [chunk.row(place) for place in range(min(len(chunk), 200))]


def required(found: Mapping[str, str], roles: Sequence[str], file: str, names: Sequence[str], table: str) -> dict[str, str]:
    """The mapping, if it has these roles.

    Args:
        table: where in `clew.toml` the user would say it, for the message.

    Raises:
        InputError: a role has no column; what the file has, and the nearest of it, are named.
    """
    missing = [role for role in roles if role not in found]
    if not missing:
        return dict(found)
    near = [f"{name!r}" for role in missing if (name := _nearest(role, [n for n in names if n not in found.values()]))]
    hint = f"Is it {' or '.join(dict.fromkeys(near))}? " if near else ""
    wanted = {"item": "the product's key", "title": "the title", "user": "the person's key"}
    what = " or ".join(wanted.get(role, f"the {role}") for role in missing)
    example = ", ".join(f'{role} = "…"' for role in roles)
    has = ", ".join(repr(name) for name in names[:20]) or "no column"
    raise InputError(f"No column of {file} looks like {what}; it has {has}.", f"{hint}Say it under {table}: columns = {{ {example} }}.")


def _nearest(role: str, names: list[str]) -> str | None:
    from rapidfuzz import fuzz, process, utils

    best: tuple[float, str] | None = None
    for word in _NAMES[role].split()[:12]:
        found = process.extractOne(word, names, scorer=fuzz.ratio, processor=utils.default_process, score_cutoff=60)
        if found and (best is None or found[1] > best[0]):
            best = (found[1], found[0])
    return best[1] if best else None


def guess_catalogue(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Role → column of a catalogue, by names first, then by values; roles that nothing fits are left out."""
    found = _by_name(names, _CATALOGUE)
    if "title" not in found and "description" in found:
        found["title"] = found.pop("description")
    for role in ("available", "price"):
        if role in found and not _could_be(role, rows, found[role]):
            del found[role]
    rest = [name for name in names if name not in found.values()]
    if "title" not in found:
        texts = [(name, length) for name in rest if (length := _words_length(rows, name)) >= 8]
        if texts:
            found["title"] = max(texts, key=lambda pair: pair[1])[0]
            rest.remove(found["title"])
    if "item" not in found:
        unique = [name for name in rest if looks_like_keys(rows, name)]
        if unique:
            found["item"] = unique[0]
    return {role: found[role] for role in _CATALOGUE if role in found}


def guess_events(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Role → column of an event file, by names, then (the time) by values; roles that nothing fits are left out."""
    found = _by_name(names, _EVENTS)
    rest = [name for name in names if name not in found.values()]
    if "time" not in found:
        dated = [name for name in rest if _could_be("time", rows, name)]
        if dated:
            found["time"] = dated[0]
    if "time" in found:
        found.pop("order", None)
    if "value" in found and not _could_be("value", rows, found["value"]):
        del found["value"]
    return {role: found[role] for role in _EVENTS if role in found}


def _by_name(names: Sequence[str], roles: Sequence[str]) -> dict[str, str]:
    """For each role in turn the column whose name stands first in its list; then, a column whose name ends in such a word."""
    plain = {name: _plain(name) for name in names}
    found: dict[str, str] = {}
    for whole in (True, False):
        for role in roles:
            if role in found:
                continue
            words = [_plain(word) for word in _NAMES[role].split()]
            free = [name for name in names if name not in found.values()]
            ranked = [(rank, free.index(n), n) for n in free for rank, word in enumerate(words) if _fits(plain[n], word, whole)]
            if ranked:
                found[role] = min(ranked)[2]
    return found


def _fits(name: str, word: str, whole: bool) -> bool:
    return name == word if whole else len(word) >= 4 and name.endswith(word)


def _plain(name: str) -> str:
    text = unicodedata.normalize("NFKD", name).casefold()
    return re.sub(r"[\W_]+", "", "".join(char for char in text if not unicodedata.combining(char)))


def _values(rows: Iterable[Mapping[str, Any]], name: str) -> list[str]:
    found = []
    for row in rows:
        try:
            text = text_of(row.get(name))
        except RowError:
            continue
        if text and text.strip():
            found.append(text.strip())
    return found


_AVAILABLE = re.compile(r"[-+]?\d+(\.0+)?|[^\d]{1,60}")
_NUMBERED = re.compile(r"\d")
_NUMBER = re.compile(r"[-+]?\d+([.,]\d+)?")
_DATED = re.compile(r"\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}.*|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}.*|1\d{9}(\d{3})?(\.\d+)?")
_PATTERNS = {"available": _AVAILABLE, "price": _NUMBERED, "value": _NUMBER, "time": _DATED}


def _could_be(role: str, rows: Sequence[Mapping[str, Any]], name: str) -> bool:
    """Whether nearly all values look as the role's do; an empty column could be anything."""
    values = _values(rows, name)
    if not values:
        return role != "time"
    match = _PATTERNS[role].search if role == "price" else _PATTERNS[role].fullmatch
    return sum(match(value) is not None for value in values) >= 0.9 * len(values)


def _words_length(rows: Sequence[Mapping[str, Any]], name: str) -> float:
    values = _values(rows, name)
    wordy = [value for value in values if " " in value or not value.isascii()]
    return statistics.median(len(value) for value in values) if values and len(wordy) > len(values) / 2 else 0.0


def looks_like_keys(rows: Sequence[Mapping[str, Any]], name: str) -> bool:
    """Whether every row has a value of its own there, short and of one word."""
    values = _values(rows, name)
    return len(values) == len(rows) > 0 and len(set(values)) == len(values) and max(map(len, values)) <= 64 and " " not in values[0]
