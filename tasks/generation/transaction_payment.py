"""One payment in the making: what stands for each slot of its templates."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tasks.generation import transaction_names as names
from tasks.generation.grammar import Grammar, Piece

LIMITS = {"USD": 10_000, "EUR": 10_000, "GBP": 10_000, "CHF": 15_000, "SGD": 20_000, "CAD": 10_000, "AED": 55_000}
SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£"}
UNSEEN = 0.55
"""Share of names that dev and test take from the part of each list that train and unlabeled never use."""


class Payment:
    """One record in the making: what its slots stand for, and who takes part in it."""

    def __init__(self, chance: random.Random, split: str) -> None:
        self.chance, self.fresh = chance, split in ("dev", "test")
        self.grammar = Grammar(chance, split != "train", self.slot)
        self.currency = chance.choice(sorted(LIMITS))
        self.number_style = chance.randrange(4)
        self.again = self.company()
        self.countries = [self.name(names.COUNTRIES, 0.3)]
        self.goods = self.name(names.GOODS)
        self.price = chance.choice((3, 8, 14, 40, 65, 120, 310)) * chance.uniform(0.8, 1.2)
        self.clause, self.claim_holds = "", False
        limit = LIMITS[self.currency]
        self.total = round(
            chance.uniform(0.9, 0.99) * limit if chance.random() < 0.15 else chance.uniform(0.1, 9) * limit, -1
        )
        self.weekday = chance.randrange(5)
        self.measure = chance.choice(("kg", "t", "piece", "unit"))

    def slot(self, name: str, argument: str) -> list[Piece]:
        """What stands for `{name:argument}`; each kind of slot has its method."""
        if name == "clause":
            return self.grammar.expand(self.clause)
        found = getattr(self, f"say_{name}")()
        return [found] if isinstance(found, Piece) else [Piece(found)]

    def name(self, pool: Sequence[str], held: float = 0.4) -> str:
        """A name of the pool; the last `held` of it only in dev and test."""
        known = round(len(pool) * (1 - held))
        return self.chance.choice(pool[known:] if self.fresh and self.chance.random() < UNSEEN else pool[:known])

    def full_name(self) -> str:
        given, family = self.name(names.GIVEN), self.name(names.FAMILY)
        manner = self.chance.random()
        return (
            f"{given[0]}. {family}" if manner < 0.15 else f"{family} {given}" if manner < 0.25 else f"{given} {family}"
        )

    def company(self) -> str:
        form = self.chance.choice(names.COMPANY_FORMS).replace("_", " ")
        head = self.name(names.COMPANY_HEADS)
        if self.chance.random() < 0.15:
            head = f"{self.name(names.COUNTRIES, 0.3)} {head}"
        middle = self.chance.choice(names.COMPANY_MIDDLES)
        return " ".join(part for part in (head, middle if self.chance.random() < 0.7 else "", form) if part)

    def number(self, value: float, cents: bool = False) -> str:
        written = f"{value:,.2f}" if cents else f"{value:,.0f}"
        if self.number_style == 1:
            return written.replace(",", " ").replace(".", ",")
        if self.number_style == 2:
            return written.replace(",", "_").replace(".", ",").replace("_", ".")
        return written.replace(",", "") if self.number_style == 3 else written

    def money(self, value: float) -> str:
        """A sum as people write it: with or without its currency, before or behind, round sums also as 9.8k."""
        manner = self.chance.random()
        if manner < 0.12 and value % 100 == 0 and 1000 <= value < 200_000:
            return f"{value / 1000:g}k"
        if manner > 0.9 and value % 100 == 0 and value < 100_000:
            return in_words(int(value)) + self.chance.choice(("", f" {self.currency}"))
        digits = self.number(value, self.chance.random() < 0.25)
        if manner < 0.3:
            return digits
        if manner < 0.45 and self.currency in SYMBOLS:
            return SYMBOLS[self.currency] + digits
        return f"{self.currency} {digits}" if manner < 0.75 else f"{digits} {self.currency}"

    def amount(self, low: float, high: float) -> Piece:
        value = self.chance.uniform(low, high)
        step = self.chance.choice((1, 10, 50, 100, 100))
        return Piece(self.money(round(value / step) * step), "AMOUNT")

    def say_amount(self) -> Piece:
        return Piece(self.money(self.total), "AMOUNT")

    def say_low(self) -> Piece:
        limit = LIMITS[self.currency]
        return self.amount(0.88 * limit, limit - 60)

    def say_big(self) -> Piece:
        return self.amount(2 * LIMITS[self.currency], 30 * LIMITS[self.currency])

    def say_small(self) -> Piece:
        return self.amount(20, 900)

    def say_limit(self) -> str:
        return self.chance.choice(("", "the ", "the ")) + self.money(LIMITS[self.currency])

    def say_plain(self) -> str:
        return self.money(self.chance.choice((100, 1000, 2500, 5000, 12000, 20000)))

    def say_party(self) -> Piece:
        return Piece(self.again, "COUNTERPARTY")

    say_again = say_party

    def say_person(self) -> Piece:
        return Piece(self.full_name(), "COUNTERPARTY")

    say_holder = say_person

    def say_bystander(self) -> str:
        return self.full_name()

    def say_bystanding_company(self) -> str:
        return self.company()

    def say_country(self) -> Piece:
        return Piece(self.countries[0], "COUNTRY")

    def say_embargo(self) -> Piece:
        return Piece(self.name(names.EMBARGOED, 0.25), "COUNTRY")

    def say_claimed(self) -> Piece:
        """A country on the payment's way if the claim that names it is true."""
        return Piece(self.name(names.EMBARGOED, 0.25), "COUNTRY" if self.claim_holds else "")

    def say_plaincountry(self) -> str:
        return self.name(names.COUNTRIES, 0.3)

    def say_plainembargo(self) -> str:
        return self.name(names.EMBARGOED, 0.25)

    def say_account(self) -> Piece:
        manner = self.chance.random()
        digits = "".join(self.chance.choice("0123456789") for _ in range(16))
        if manner < 0.35:
            return Piece(false_iban(self.chance.choice(("DE", "LV", "GB", "PL", "CH", "AE", "ES")), digits), "ACCOUNT")
        if manner < 0.71:
            return Piece(self.chance.choice(("****", "xx", "...", "XXXX-")) + digits[:4], "ACCOUNT")
        return Piece(digits[:8] if manner < 0.85 else f"{digits[:3]}-{digits[3:9]}-{digits[9]}", "ACCOUNT")

    def say_unit(self) -> str:
        return f"{self.money_per_unit(self.price)} per {self.measure}"

    def money_per_unit(self, value: float) -> str:
        return f"{self.currency} {self.number(value, True)}"

    def say_farprice(self) -> str:
        ratio = self.chance.choice((0.1, 0.17, 0.25, 4, 6, 9)) * self.chance.uniform(0.9, 1.1)
        return self.money_per_unit(self.price * ratio)

    def say_nearprice(self) -> str:
        return self.money_per_unit(self.price * self.chance.uniform(0.93, 1.07))

    def say_quantity(self) -> str:
        return f"{self.number(self.chance.choice((40, 120, 600, 1800, 2400, 9000)))} {self.measure}"

    def say_ref(self) -> str:
        digits = "".join(self.chance.choice("0123456789") for _ in range(8))
        return self.chance.choice((f"{digits[:5]}/24", digits, f"RF-{digits[:6]}", f"{digits[:4]}-{digits[4:7]}"))

    def say_date(self) -> str:
        day, month = self.chance.randint(1, 28), self.chance.randint(1, 12)
        return self.chance.choice(
            (f"2024-{month:02}-{day:02}", f"{day:02}.{month:02}.2024", f"{day} {names.MONTHS[month - 1]}")
        )

    def say_rate(self) -> str:
        return f"{self.chance.uniform(0.7, 4):.4f}"

    def say_phone(self) -> str:
        return f"+{self.chance.randint(30, 99)} 555 {self.chance.randint(1000, 9999)}"

    def say_cardlike(self) -> str:
        """Digits that look like an account number and are a card, a till, a ticket or a container."""
        digits = "".join(self.chance.choice("0123456789") for _ in range(10))
        return self.chance.choice((f"xx{digits[:4]}", f"****{digits[:4]}", f"...{digits[:4]}", f"XXXX-{digits[:4]}", digits[:8],
                                   f"{digits[:3]}-{digits[3:9]}-{digits[9]}"))  # fmt: skip

    def say_year(self) -> str:
        return str(self.chance.randint(1988, 2021))

    def say_k(self) -> str:
        return str(self.chance.randint(6, 90))

    def say_n(self) -> str:
        return self.chance.choice(names.NUMBERS)

    def say_few(self) -> str:
        return self.chance.choice(("two", "three", "four", "five", "six"))

    def say_branch(self) -> str:
        return self.chance.choice(names.BRANCHES)

    def say_bank(self) -> str:
        return self.chance.choice(names.BANKS)

    def say_city(self) -> str:
        return self.chance.choice(names.CITIES)

    def say_goods(self) -> str:
        return self.goods

    def say_service(self) -> str:
        return self.name(names.SERVICES)

    def say_shop(self) -> str:
        return self.name(names.SHOPS)

    def say_vessel(self) -> str:
        return self.chance.choice(names.VESSELS)

    def say_month(self) -> str:
        return self.chance.choice(names.MONTHS)

    def say_weekday(self) -> str:
        self.weekday += 1
        return names.WEEKDAYS[self.weekday % 5]


def in_words(value: int) -> str:
    """A sum below 100,000 that is a multiple of 100, in words."""
    small = ("", *"one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
             "nineteen".split())  # fmt: skip
    tens = "twenty thirty forty fifty sixty seventy eighty ninety".split()
    thousands, hundreds = value // 1000, value // 100 % 10
    words = small[thousands] if thousands < 20 else f"{tens[thousands // 10 - 2]}-{small[thousands % 10]}".rstrip("-")
    return " ".join(([f"{words} thousand"] if words else []) + ([f"{small[hundreds]} hundred"] if hundreds else []))


def false_iban(country: str, digits: str) -> str:
    """An account number that looks like an IBAN and fails its check sum, so that it can be nobody's account."""
    checks = int(digits[:2])
    rearranged = "".join(str(int(char, 36)) for char in digits + country)
    if int(f"{rearranged}{checks:02}") % 97 == 1:
        checks = (checks + 1) % 100
    return f"{country}{checks:02}{digits}"
