"""Typed values: settings, code lists, packages that are absent, the command, and properties that hold for every text."""

from __future__ import annotations

import json
import pickle
import sys
from dataclasses import fields
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from command_line import command
from hypothesis import example, given
from hypothesis import strategies as st

import electra_ie
from electra_ie import UserError
from electra_ie.values import VALUE_TYPES, CodeList, ValueSettings, check_type, read_value
from electra_ie.values.unit_names import SEVERAL, SEVERAL_IN_PARTS, SEVERAL_OF_LANGUAGE, WHOLE
from electra_ie.values.units import SPELLINGS, USED, is_ucum

CODES = CodeList.read(Path(__file__).parent / "codes.csv")
SETTINGS = [
    ValueSettings(codes=CODES),
    ValueSettings("de_DE", "DMY", "EUR", date(2021, 3, 15), CODES),
    ValueSettings("en_US", "MDY", codes=CODES),
    ValueSettings("zh_CN", "YMD", "CNY", date(9999, 12, 31), CODES),
    ValueSettings("ar_EG", reference_date=date(1, 1, 1), codes=CODES, scheme="luhn"),
    ValueSettings("hi_IN", "DMY", codes=CODES),
]
PIECES = (
    "USD EUR $ € £ 5 1,200 1.234 10 ^9 /L mg mmol - ( ) million k 万 元 一百 三 十 May 2021 03/04 / de ago days in % bps IU ½ ⅓ ٣ ５ "
    "x × * { } [IU] about < ± 5e9 1e999 NaN inf T10:15Z 10:15 年 月 日 前 天 昨天 yesterday Monday IBAN DE89370400440532013000 "
    "' ’ . , :: \\ | ? # $$ crore ² ⁹ µ ° C F ٪ ‰ ١٢ १२ ⅷ ㊿ 𝟙 壹 点 两 half minus zero hundred"
).split()
TEXTS = (
    st.text()
    | st.text("0123456789.,-+/ ()%$€eEx^*'")
    | st.lists(st.sampled_from(PIECES)).map(" ".join)
    | st.lists(st.sampled_from(PIECES)).map("".join)
)


# For every text


@pytest.mark.parametrize("type", sorted(VALUE_TYPES))
@given(text=TEXTS, settings=st.sampled_from(SETTINGS))
@example(text="9" * 10_000, settings=SETTINGS[0])
@example(text="(" * 200, settings=SETTINGS[0])
@example(text="1," * 100, settings=SETTINGS[0])
@example(text="a " * 100, settings=SETTINGS[0])
@example(text="\ud800\x00", settings=SETTINGS[0])
@example(text="6^800000", settings=SETTINGS[0])
def test_no_text_raises_and_the_value_fits_its_status(type, text, settings):
    value = read_value(type, text, settings)
    assert value == read_value(type, text, settings)
    assert value.is_certain == (value.value is not None)
    assert (len(value.candidates) > 1) == (value.status == "ambiguous")
    assert bool(value.reason) == (not value.is_certain)
    assert value.rule.startswith(f"{type}:") and value.version.startswith("1")
    assert json.loads(json.dumps(value.as_dict())) == value.as_dict()


@given(text=TEXTS, settings=st.sampled_from(SETTINGS))
def test_what_is_exact_is_read_as_itself_again(text, settings):
    """The canonical form of a number is its value: read without settings, it is the same."""
    value = read_value("integer", text, settings)
    if value.is_certain:
        again = read_value("integer", str(value.value))
        assert (again.status, again.value) == ("exact", value.value)


@given(digits=st.integers(0, 10**29), scale=st.integers(0, 9), negative=st.booleans())
def test_no_digit_is_lost(digits, scale, negative):
    number = (
        Decimal(-digits if negative and digits else digits).scaleb(-scale, None) if digits < 10**27 else Decimal(digits)
    )
    text = format(number, "f")
    value = read_value("money", f"EUR {text}", ValueSettings("en_US"))
    assert value.as_dict()["value"] == (text if number or not text.startswith("-") else text[1:])
    assert json.loads(json.dumps(value.as_dict()))["value"] == value.as_dict()["value"]


LOCALES = (
    "en_US en_GB en_IN en_ZA de_DE de_AT de_CH fr_FR fr_CH fr_CA es_ES es_MX it_IT it_CH pt_BR pt_PT nl_NL sv_SE da_DK nb_NO fi_FI "
    "is_IS pl_PL cs_CZ sk_SK hu_HU ro_RO bg_BG hr_HR sl_SI et_EE lv_LV lt_LT el_GR ru_RU uk_UA tr_TR ar_EG he_IL fa_IR hi_IN bn_BD "
    "ta_IN th_TH vi_VN id_ID ja_JP zh_CN zh_TW ko_KR ca_ES"
).split()
WITHOUT_LONG_DATES = {"he_IL", "lv_LV", "lt_LT", "th_TH", "vi_VN"}
"""Locales whose long dates have words that the rules do not know: refused."""


@pytest.mark.parametrize("locale", LOCALES)
def test_what_cldr_writes_is_read_in_its_locale(locale):
    """Babel writes amounts and dates as Unicode CLDR says, and the settings of its locale read them."""
    from babel.dates import format_date
    from babel.numbers import format_currency, format_decimal, format_percent

    settings = ValueSettings(locale)
    for text in ("1234567.89", "-1234.50", "0.5", "12.25", "-0.01"):
        number = Decimal(text)
        read = read_value("money", format_currency(number, "EUR", locale=locale), settings)
        assert (read.value, read.currency) == (number, "EUR"), read
        assert read_value("decimal", format_decimal(number, locale=locale), settings).value == number
    percent = read_value("percentage", format_percent(Decimal("0.25"), locale=locale), settings)
    assert percent.value == 25, percent
    for day in (date(2021, 5, 3), date(1999, 12, 31), date(2024, 2, 29)):
        for form in ("long", "full"):
            read = read_value("date", format_date(day, form, locale=locale), settings)
            assert read.value == (None if locale in WITHOUT_LONG_DATES else day.isoformat()), read


def test_every_unit_of_the_tables_is_ucum():
    several = [*SEVERAL.values(), *SEVERAL_IN_PARTS.values()]
    several += [codes for spellings in SEVERAL_OF_LANGUAGE.values() for codes in spellings.values()]
    codes = {*SPELLINGS.values(), *WHOLE.values(), *USED, *(code for codes in several for code in codes)} - {""}
    assert not [code for code in sorted(codes) if not is_ucum(code)]
    assert not is_ucum("mcg")


@pytest.mark.parametrize(
    ("text", "locale", "reason"),
    [
        ("2 500 mg", None, "may be a count: set a locale that groups digits by blanks"),
        ("2 500 mg", "de_DE", "may be a count: the locale de_DE does not group digits by blanks"),
        ("250 xy/m2", None, '"xy/m2" is neither a known spelling'),
        ("10E3 x10^9/L", None, ""),
    ],
)
def test_a_quantity_says_why_it_has_no_value(text, locale, reason):
    """No remedy is named that has been taken, and a power of a unit is no second number."""
    value = read_value("quantity", text, ValueSettings(locale))
    assert reason in value.reason and value.is_certain == (not reason)


# Settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"locale": "xx_YY"}, 'no locale "xx_YY". Give a language'),
        ({"locale": "klingon"}, "no locale"),
        ({"locale": "en_ZZ"}, 'no locale "en_ZZ"'),
        ({"locale": "../en"}, "no locale"),
        ({"locale": ""}, "no locale"),
        ({"date_order": "DYM"}, 'no date order "DYM". Did you mean "YMD"|no date order "DYM"'),
        ({"currency": "EURO"}, 'no currency "EURO". Did you mean "EUR"'),
        ({"currency": "XXX"}, 'no currency "XXX"'),
        ({"scheme": "ibann"}, 'no scheme of identifiers "ibann". Did you mean "iban"'),
    ],
)
def test_an_unknown_setting_is_an_error_before_a_text_is_read(settings, message):
    with pytest.raises(UserError, match=message):
        ValueSettings(**settings)


@pytest.mark.parametrize("locale", ["en", "de-CH", "de_CH", "zh_CN", "zh_Hans_CN", "EN_us", "es_419"])
def test_known_locales(locale):
    assert read_value("integer", "5", ValueSettings(locale)).value == 5


def test_an_unknown_type_is_an_error_with_the_list():
    with pytest.raises(UserError, match='no type of values "mony". Did you mean "money"\\? Valid: text, integer'):
        check_type("mony", ValueSettings())
    with pytest.raises(UserError, match="the type code needs a list. Give the file"):
        read_value("code", "I10")


@pytest.mark.parametrize(
    ("type", "package", "extra"),
    [
        ("money", "babel", "values"),
        ("date", "babel", "values"),
        ("quantity", "ucumvert", "values"),
        ("identifier", "stdnum", "identifiers"),
    ],
)
def test_a_package_that_is_absent_is_one_line_with_the_remedy(monkeypatch, type, package, extra):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=f"needs the package {package}, .* pip install 'electra_ie\\[{extra}\\]'"):
        read_value(type, "5")


def test_simple_types_need_no_package(monkeypatch):
    for package in ("babel", "ucumvert", "stdnum", "text_to_num", "cn2an", "lark", "pint"):
        monkeypatch.setitem(sys.modules, package, None)
    read = {
        type: read_value(type, text)
        for type, text in {
            "text": "a  b",
            "integer": "1,200,000",
            "decimal": "-1.5",
            "percentage": "5 %",
            "yes_no": "ja",
        }.items()
    }
    assert [value.value for value in read.values()] == ["a b", 1200000, Decimal("-1.5"), 5, True]
    for text, package in (("twenty", "text2num"), ("一百二", "cn2an")):
        words = read_value("integer", text)
        assert (words.status, words.rule) == ("refused", "integer:package")
        assert f"need {package}: pip install 'electra_ie[values]'" in words.reason
    with pytest.raises(UserError, match="needs the package babel"):
        ValueSettings("de_DE")


def test_settings_and_values_can_be_sent_to_another_process():
    for each in (*SETTINGS, read_value("money", "$5")):
        assert pickle.loads(pickle.dumps(each)).__class__ is each.__class__
    assert pickle.loads(pickle.dumps(read_value("money", "$5"))) == read_value("money", "$5")


# Lists of codes


def test_a_list_of_codes_is_a_text_file_or_a_table(tmp_path):
    (tmp_path / "codes.txt").write_text("\ufeffI10\n\n  E11.9 \r\n(a+)+$\n", "utf-8")
    codes = CodeList.read(tmp_path / "codes.txt")
    assert [codes.find(text) for text in ("i10", "E11.9", " e11.9 ", "(a+)+$", "aaaa", "I1")] == [
        "I10",
        "E11.9",
        "E11.9",
        "(a+)+$",
        None,
        None,
    ]
    (tmp_path / "codes.csv").write_text(
        'Code,Synonyms,Name\nI10,"HTN|high, blood\npressure",Hypertension\n\nJ45,,Asthma\n', "utf-8"
    )
    codes = CodeList.read(str(tmp_path / "codes.csv"))
    assert [codes.find(text) for text in ("htn", "high, blood pressure", "HYPERTENSION", "j45", "asthma")] == [
        "I10"
    ] * 3 + ["J45"] * 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "I10\nE11\n\ni10\n", 'a.txt:4: "i10" is already in line 1, for the code "I10"'),
        ("a.csv", "code,name\nI10,x\nI11,X\n", 'a.csv:3: "x" is already in line 2, for the code "I10"'),
        ("a.csv", "code,name,synonyms\nI10,x,y|z\nI11,w,Z\n", 'a.csv:3: "z" is already in line 2'),
        ("a.csv", "I10,x\n", "a.csv:1: the columns are i10, x. The first line names them: code, name, synonyms"),
        ("a.csv", "code,label\nI10,x\n", "a.csv:1: the columns are code, label"),
        ("a.csv", "code,code\nI10,x\n", "a.csv:1: the columns are code, code"),
        ("a.csv", "code,name\nI10\n", "a.csv:2: this row has 1 cells, and the first line 2"),
        ("a.csv", "code,name\n,x\n", "a.csv:2: this row has no code"),
        ("a.csv", "code,name\n", "a.csv: this list has no codes"),
        ("a.csv", 'code,name\nA,"Ann\nB,Bo\n', "a.csv:3: this is not csv: unexpected end of data"),
        ("a.csv", "", "a.csv:1: the columns are none"),
        ("a.txt", "\n\n", "a.txt: this list has no codes"),
    ],
)
def test_a_faulty_list_is_an_error_by_file_and_line(tmp_path, name, content, message):
    (tmp_path / name).write_text(content, "utf-8")
    with pytest.raises(UserError) as error:
        CodeList.read(tmp_path / name)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_list_that_is_absent_or_no_text_is_an_error(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        CodeList.read(tmp_path / "absent.txt")
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="UTF"):
        CodeList.read(tmp_path / "a.txt")


# The command and the function


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["money", "USD 1.2 million"], ["1200000", "USD", "normalized", "money:code+separators+magnitude", "1+babel-"]),
        (["money", "-5 USD"], ["-5", "USD", "exact", "money:code+minus"]),
        (["integer", "1,200,000"], ["1200000", "normalized", "integer:separators"]),
        (["quantity", "10^9/L"], ["10*9/L", "quantity:unit+power_of_ten", "1+ucumvert-"]),
        (["date", "03/04/2021"], ["ambiguous", "date:no_order", "set the date order", "2021-04-03", "2021-03-04"]),
        (["date", "03/04/2021", "--date-order", "DMY"], ["2021-04-03", "date:date_order"]),
        (["money", "$5", "--locale", "en_US"], ["USD", "money:symbol+country"]),
        (["money", "$5", "--currency", "CAD"], ["CAD"]),
        (["date", "yesterday", "--reference-date", "2021-03-15"], ["2021-03-14"]),
        (["identifier", "DEUTDEFF", "--scheme", "iban"], ["refused", "identifier:form", "not the form of IBAN"]),
        (["yes_no", "nein"], ["no", "yes_no:word"]),
    ],
)
def test_the_command_prints_value_status_and_rule(monkeypatch, capsys, arguments, printed):
    assert command(monkeypatch, "value", *arguments) == 0
    output = capsys.readouterr().out
    assert not [each for each in printed if each not in output], output


def test_the_command_prints_json(monkeypatch, capsys):
    assert command(monkeypatch, "value", "money", "-1,234.50 USD", "--json") == 0
    assert json.loads(capsys.readouterr().out) == electra_ie.value("money", "-1,234.50 USD").as_dict()
    assert electra_ie.value("money", "-1,234.50 USD").as_dict() | {"version": ""} == {
        "type": "money", "value": "-1234.50", "unit": None, "currency": "USD", "status": "normalized",
        "rule": "money:code+separators+minus", "version": "", "reason": "", "candidates": [],
    }  # fmt: skip


def test_help_and_page_name_every_type_and_setting(monkeypatch, capsys):
    assert command(monkeypatch, "value", "--help") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"Types: {', '.join(VALUE_TYPES)}." in shown
    page = (Path(__file__).parents[2] / "docs" / "values.md").read_text("utf-8")
    assert not [type for type in VALUE_TYPES if f"\n| `{type}` | " not in page]
    options = {f"--{field.name.replace('_', '-')}" for field in fields(ValueSettings)}
    assert not [option for option in options if option not in shown or f"\n| `{option}` | " not in page]


@pytest.mark.parametrize(("text", "code"), [("2021-05-03", 0), ("03/04/2021", 1), ("maybe", 1)])
def test_strict_makes_ambiguous_and_refused_values_exit_code_1(monkeypatch, text, code):
    assert command(monkeypatch, "value", "date", text, "--strict") == code
    assert command(monkeypatch, "value", "date", text) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mony", "5"], 'error: there is no type of values "mony". Did you mean "money"?'),
        (["money", "5", "--locale", "xx"], 'error: there is no locale "xx".'),
        (
            ["date", "x", "--reference-date", "2021-13-01"],
            'error: the reference date is "2021-13-01". Write it as 2021-05-03.',
        ),
        (["code", "I10"], "error: the type code needs a list."),
        (["code", "I10", "--codes", "absent.csv"], "error: absent.csv: there is no such file."),
        (["money", "5", "--locael", "de"], "unexpected extra argument"),
    ],
)
def test_an_error_is_one_line_and_exit_code_2(monkeypatch, capsys, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert command(monkeypatch, "value", *arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_the_function_takes_a_list_and_a_day(tmp_path):
    (tmp_path / "codes.txt").write_text("I10\n", "utf-8")
    assert electra_ie.value("code", "i10", codes=tmp_path / "codes.txt").value == "I10"
    for day in ("2021-03-15", date(2021, 3, 15)):
        assert electra_ie.value("date", "yesterday", reference_date=day).value == "2021-03-14"
    assert isinstance(electra_ie.value("money", "EUR 5"), electra_ie.Value)
