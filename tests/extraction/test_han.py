"""Chinese, mixed and full-width titles: a short brand or none, colours, materials, spans as written."""

from __future__ import annotations

import pytest

from extraction.base import build_extractor
from extraction.canonical import canonical
from extraction.han import HanBrands, is_chinese
from extraction.vocabularies import colors, data, materials
from kg.model import Product

RULES = build_extractor("rules", [])


def read(title: str, **fields: str) -> dict[str, list[tuple[str, str]]]:
    product = Product("p", title, fields)
    [mentions] = RULES.extract([product])
    found: dict[str, list[tuple[str, str]]] = {}
    for mention in mentions:
        mention.check(product)
        found.setdefault(mention.attribute, []).append((mention.raw, mention.value))
    return found


@pytest.mark.parametrize(
    ("title", "brand"),
    [
        ("小米手机14 Pro 黑色", "小米"),
        ("云和 双层玻璃杯 350ml", "云和"),
        ("【官方正品】蒙牛纯牛奶250ml*24盒整箱", "蒙牛"),
        ("沃隆每日坚果大礼包1500g", "沃隆每日"),
        ("得力(deli) A4打印纸 70g", "得力"),
        ("Apple/苹果 iPhone 15 蓝色", "Apple"),
        ("Nike 耐克 Air Force 1 女鞋", "Nike"),
        ("Ｘｉａｏｍｉ　小米　充电宝", "Ｘｉａｏｍｉ"),
        ("2024新款 森马 男士外套", "森马"),
        ("纯棉毛巾 白色 3条装", None),
        ("儿童玩具车惯性工程车套装男孩礼物", None),
        ("新款 500毫升 水杯", None),
        ("我想买一个手机", None),
        ("这是一个非常长而且没有任何停顿也不含词表里任何词的句子", None),
    ],
)
def test_a_brand_of_a_shop_that_nobody_knows_is_short_or_none(title: str, brand: str | None) -> None:
    assert [raw for raw, _ in read(title).get("brand", [])] == ([brand] if brand else [])


def test_what_titles_of_a_shop_share_is_its_brand() -> None:
    titles = [f"沐辰溪{rest}" for rest in ("香薰蜡烛", "布艺抱枕", "桌面摆件", "挂画")]
    assert HanBrands([]).find("沐辰溪香薰蜡烛摆台") is None
    found = HanBrands(titles).find("沐辰溪香薰蜡烛摆台")
    assert found is not None and found[:2] == (0, 3)


def test_colours_materials_and_sizes_are_read_without_spaces() -> None:
    found = read("森马纯棉短袖深蓝色 500毫升 3条装 ￥25")
    assert found["material"] == [("纯棉", "cotton")]
    assert found["color"] == [("深蓝色", "blue")]
    assert found["size"] == [("500毫升", "500 ml")]


def test_full_width_forms_are_quoted_as_written() -> None:
    found = read("Ｚｏｒｖｅｘ　Ｍｕｇ，　１２　ｏｚ，　Ｒｅｄ")
    assert found["size"] == [("１２　ｏｚ", "355 ml")]
    assert found["color"] == [("Ｒｅｄ", "red")]


def test_a_column_in_chinese_names_the_same_things() -> None:
    found = read("杯子", color="酒红色", material="不锈钢")
    assert found["color"][0][1] == canonical("color", "red") == "red"
    assert found["material"][0][1] == "stainless steel"


@pytest.mark.parametrize(
    ("text", "chinese"), [("Apple iPhone Pro 苹果", False), ("Apple/苹果 手机", True), ("LEGO", False), ("café ®", False), ("杯", False)]
)
def test_a_text_is_chinese_by_its_letters(text: str, chinese: bool) -> None:
    assert is_chinese(text) is chinese


def test_chinese_names_are_the_vocabularys() -> None:
    words = data("chinese")
    assert set(words["colors"].values()) <= {term.value for term in colors()}
    assert set(words["materials"].values()) <= {term.value for term in materials()}
    assert len(set(words["brands"])) == len(words["brands"])
    assert not set(words["brands"]) & set(words["ordinary"])
