"""The state of one payment record while it is generated, and the content of each slot of its templates."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from tasks.generation import transaction_names as names
from tasks.generation.grammar import Grammar, Piece, Sentence, Statement, alternatives, is_statement

LIMITS = {"USD": 10_000, "EUR": 10_000, "GBP": 10_000, "CHF": 15_000, "SGD": 20_000, "CAD": 10_000, "AED": 55_000}
SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£"}
UNSEEN = 0.55
"""Share of the names of dev and test that come from the part of each list that train and unlabeled never use."""


class Payment:
    """The state of one record while it is generated: parties, amounts, goods, and methods that fill the slots.

    opening: the key in `OPENINGS` of how the record begins; it decides whether a company or a person is the main party.
    has_flag: whether the sentence that is generated is evidence for its flag; the slots of `facts` depend on it.
    mentions, statements: those of the sentence that is generated.
    """

    def __init__(self, rng: random.Random, split: str, opening: str) -> None:
        self.rng, self.is_scored = rng, split in ("dev", "test")
        self.grammar = Grammar(rng, split, self.slot)
        self.currency = rng.choice(sorted(LIMITS))
        self.number_style = rng.randrange(4)
        self.again = self.company()
        self.countries = [self.name(names.COUNTRIES, 0.3)]
        self.goods = self.name(names.GOODS)
        self.price = rng.choice((3, 8, 14, 40, 65, 120, 310)) * rng.uniform(0.8, 1.2)
        self.holder = self.full_name()
        is_personal = opening in ("cash", "personal")
        self.main = self.holder if is_personal else self.again
        self.other = self.unlike(self.main, self.full_name if is_personal else self.company)
        self.named: set[str] = set()
        self.mentions: list[str] = []
        self.statements: list[Statement] = []
        self.has_flag = False
        self.clauses: Sequence[str] = ()
        self.claim_holds = False
        self.choices: dict[str, list[int]] = {"flip": [], "all": []}
        self.born = datetime.date(1970, 1, 1)
        self.owners: list[tuple[str, int]] = []
        self.hours = self.count = 0
        self.credits: list[float] = []
        limit = LIMITS[self.currency]
        self.total = round(rng.uniform(0.9, 0.99) * limit if rng.random() < 0.15 else rng.uniform(0.1, 9) * limit, -1)
        self.weekday = rng.randrange(5)
        self.measure, self.measures = rng.choice((("kg", "kg"), ("t", "t"), ("piece", "pieces"), ("unit", "units")))

    def slot(self, name: str, argument: str) -> list[Piece]:
        """Return the pieces for `{name:argument}`, by the method `slot_<name>`; none for a statement."""
        if name == "clause":
            return self.grammar.draw(self.clauses)
        if argument:
            return self.grammar.expand(alternatives(argument)[self.choose(name)])
        if is_statement(name):
            self.statements.append(Statement(*name.split()))
            return []
        content = getattr(self, f"slot_{name}")()
        pieces = [Piece(content)] if isinstance(content, str) else [content] if isinstance(content, Piece) else content
        self.mentions += [name for piece in pieces if piece.label]
        return pieces

    def sentence(self, templates: Sequence[str]) -> Sentence:
        """Return an expansion of a random template, with its mentions and statements."""
        self.mentions, self.statements = [], []
        sentence = self.grammar.sentence(templates)
        return replace(sentence, mentions=tuple(self.mentions), statements=tuple(self.statements))

    def choose(self, name: str) -> int:
        """Return the index of the alternative that `{name:A|B}` takes.

        `if`: A with the flag, B without. `truth`: A if the claim is true. `flip`: random, and each B reverses what the
        sentence says. `all`: random, and the sentence is evidence if all are A.
        """
        if name in self.choices:
            self.choices[name].append(self.rng.randrange(2))
            return self.choices[name][-1]
        return int(not {"if": self.has_flag, "truth": self.claim_holds}[name])

    def fact(self, facts: Sequence[str], has_flag: bool) -> Sentence:
        """Return a sentence of `facts` that is evidence if `has_flag`, and no evidence otherwise.

        A fact about the main party is used only if the record has named it.
        """
        usable = [fact for fact in facts if self.main in self.named or "{this}" not in fact]
        template = self.grammar.pick(usable)
        self.has_flag, self.claim_holds = has_flag, False
        while True:
            self.choices = {"flip": [], "all": []}
            self.credits, self.owners, self.count, self.hours = [], [], 0, 0
            sentence = self.sentence([template])
            is_reversed, fails = sum(self.choices["flip"]) % 2 == 1, any(self.choices["all"])
            if has_flag != (is_reversed or fails) or not (self.choices["flip"] or self.choices["all"]):
                return sentence

    def name(self, pool: Sequence[str], held_out: float = 0.4) -> str:
        """Return a name of the pool; the last part, of size `held_out`, is used in dev and test only."""
        known = round(len(pool) * (1 - held_out))
        return self.rng.choice(pool[known:] if self.is_scored and self.rng.random() < UNSEEN else pool[:known])

    def full_name(self) -> str:
        first, last = self.name(names.GIVEN), self.name(names.FAMILY)
        form = self.rng.random()
        return f"{first[0]}. {last}" if form < 0.15 else f"{last} {first}" if form < 0.25 else f"{first} {last}"

    def unlike(self, name: str, draw: Callable[[], str]) -> str:
        """Return a name whose first and last words do not occur in `name`."""
        while {(other := draw()).split()[0], other.split()[-1]} & set(name.split()):
            pass
        return other

    def company(self) -> str:
        form = self.rng.choice(names.COMPANY_FORMS).replace("_", " ")
        head = self.name(names.COMPANY_HEADS)
        if self.rng.random() < 0.15:
            head = f"{self.name(names.COUNTRIES, 0.3)} {head}"
        middle = self.rng.choice(names.COMPANY_MIDDLES)
        return " ".join(part for part in (head, middle if self.rng.random() < 0.7 else "", form) if part)

    def number(self, value: float, cents: bool = False) -> str:
        written = f"{value:,.2f}" if cents else f"{value:,.0f}"
        if self.number_style == 1:
            return written.replace(",", " ").replace(".", ",")
        if self.number_style == 2:
            return written.replace(",", "_").replace(".", ",").replace("_", ".")
        return written.replace(",", "") if self.number_style == 3 else written

    def money(self, value: float) -> str:
        """Return a sum as people write it: with its currency before or after it or without, round sums also as 9.8k."""
        form = self.rng.random()
        if form < 0.12 and value % 100 == 0 and 1000 <= value < 200_000:
            return f"{value / 1000:g}k"
        if form > 0.9 and value % 100 == 0 and value < 100_000:
            return in_words(int(value)) + self.rng.choice(("", f" {self.currency}"))
        digits = self.number(value, self.rng.random() < 0.25)
        if form < 0.3:
            return digits
        if form < 0.45 and self.currency in SYMBOLS:
            return SYMBOLS[self.currency] + digits
        return f"{self.currency} {digits}" if form < 0.75 else f"{digits} {self.currency}"

    def amount(self, low: float, high: float) -> Piece:
        value = self.rng.uniform(low, high)
        step = self.rng.choice((1, 10, 50, 100, 100))
        return Piece(self.money(round(value / step) * step), "AMOUNT")

    def slot_amount(self) -> Piece:
        return Piece(self.money(self.total), "AMOUNT")

    def slot_low(self) -> Piece:
        limit = LIMITS[self.currency]
        return self.amount(0.88 * limit, limit - 60)

    def slot_big(self) -> Piece:
        return self.amount(2 * LIMITS[self.currency], 30 * LIMITS[self.currency])

    def slot_small(self) -> Piece:
        return self.amount(20, 900)

    def slot_limit(self) -> str:
        return self.rng.choice(("", "", "the limit of ")) + self.money(LIMITS[self.currency])

    def slot_plain(self) -> str:
        return self.money(self.rng.choice((100, 1000, 2500, 5000, 12000, 20000)))

    def slot_party(self) -> Piece:
        self.named.add(self.again)
        return Piece(self.again, "COUNTERPARTY")

    slot_again = slot_party

    def slot_person(self) -> Piece:
        return Piece(self.full_name(), "COUNTERPARTY")

    def slot_holder(self) -> Piece:
        self.named.add(self.holder)
        return Piece(self.holder, "COUNTERPARTY")

    def slot_this(self) -> Piece:
        return self.main_or_other(self.has_flag)

    def slot_that(self) -> Piece:
        return self.main_or_other(not self.has_flag)

    def main_or_other(self, is_main: bool) -> Piece:
        """Return the main party, or another name, which is no entity."""
        return Piece(self.main, "COUNTERPARTY") if is_main else Piece(self.other)

    def slot_bystander(self) -> str:
        return self.full_name()

    def slot_bystanding_company(self) -> str:
        return self.company()

    def slot_country(self) -> Piece:
        return Piece(self.countries[0], "COUNTRY")

    def slot_embargo(self) -> Piece:
        return Piece(self.name(names.EMBARGOED, 0.25), "COUNTRY")

    def slot_claimed(self) -> Piece:
        """Return a country, which is an entity only if the claim or the fact that names it is true."""
        return Piece(self.name(names.EMBARGOED, 0.25), "COUNTRY" if self.claim_holds or self.has_flag else "")

    def slot_plaincountry(self) -> str:
        return self.name(names.COUNTRIES, 0.3)

    def slot_plainembargo(self) -> str:
        return self.name(names.EMBARGOED, 0.25)

    def slot_account(self) -> Piece:
        form = self.rng.random()
        digits = "".join(self.rng.choice("0123456789") for _ in range(16))
        if form < 0.35:
            return Piece(false_iban(self.rng.choice(("DE", "LV", "GB", "PL", "CH", "AE", "ES")), digits), "ACCOUNT")
        if form < 0.71:
            return Piece(self.rng.choice(("****", "xx", "...", "XXXX-")) + digits[:4], "ACCOUNT")
        return Piece(digits[:8] if form < 0.85 else f"{digits[:3]}-{digits[3:9]}-{digits[9]}", "ACCOUNT")

    def slot_unit(self) -> str:
        return f"{self.money_per_unit(self.price)} per {self.measure}"

    def money_per_unit(self, value: float) -> str:
        return f"{self.currency} {self.number(value, True)}"

    def slot_market(self) -> str:
        far = self.rng.choice((0.1, 0.17, 0.25, 4, 6, 9)) * self.rng.uniform(0.9, 1.1)
        ratio = far if self.has_flag else self.rng.uniform(0.93, 1.07)
        return f"{self.money_per_unit(self.price * ratio)} per {self.measure}"

    def slot_quantity(self) -> str:
        self.count = self.count or self.rng.choice((40, 120, 600, 1800, 2400, 9000))
        return f"{self.number(self.count)} {self.measures}"

    def slot_loaded(self) -> str:
        self.slot_quantity()
        share = self.rng.uniform(0.08, 0.28) if self.has_flag else self.rng.uniform(0.96, 1)
        return f"{self.number(round(self.count * share))} {self.measures}"

    def slot_parts(self) -> list[Piece]:
        """Return sums below the limit that exceed it together; without the flag, sums above it or a total below it."""
        limit = LIMITS[self.currency]
        if self.has_flag:
            shares = [self.rng.uniform(0.62, 0.98) for _ in range(self.rng.randint(2, 4))]
        elif self.rng.random() < 0.6:
            shares = [self.rng.uniform(1.04, 2) for _ in range(self.rng.randint(2, 3))]
        else:
            shares = [self.rng.uniform(0.12, 0.3) for _ in range(self.rng.randint(2, 3))]
        pieces: list[Piece] = []
        for index, share in enumerate(shares):
            separator = " and " if index == len(shares) - 1 else ", "
            value = round(share * limit / 50) * 50
            pieces += [*([Piece(separator)] if pieces else []), Piece(self.money(value), "AMOUNT")]
        return pieces

    def slot_credit(self) -> Piece:
        self.credits.append(self.rng.randrange(150, 950, 10))
        return Piece(self.money(self.credits[-1]), "AMOUNT")

    def slot_passed(self) -> Piece:
        share = self.rng.uniform(0.88, 0.97) if self.has_flag else self.rng.uniform(0.03, 0.15)
        return Piece(self.money(round(sum(self.credits) * share)), "AMOUNT")

    def slot_born(self) -> str:
        self.born = self.day_of_birth()
        return self.written_date(self.born)

    def slot_bornagain(self) -> str:
        return self.written_date(self.born if self.has_flag else self.day_of_birth())

    def day_of_birth(self) -> datetime.date:
        return datetime.date(self.rng.randint(1940, 1999), self.rng.randint(1, 12), self.rng.randint(1, 28))

    def written_date(self, day: datetime.date) -> str:
        return self.rng.choice(
            (f"{day:%Y-%m-%d}", f"{day:%d.%m.%Y}", f"{day.day} {names.MONTHS[day.month - 1]} {day.year}")
        )

    def slot_ownera(self) -> str:
        if not self.owners:
            shares = [self.rng.randint(51, 80), self.rng.randint(4, 19)]
            self.rng.shuffle(shares)
            owner = self.full_name()
            self.owners = list(zip((owner, self.unlike(owner, self.full_name)), shares, strict=True))
        return self.owners[0][0]

    def slot_ownerb(self) -> str:
        return self.owners[1][0]

    def slot_sharea(self) -> str:
        return str(self.owners[0][1])

    def slot_shareb(self) -> str:
        return str(self.owners[1][1])

    def slot_listed(self) -> str:
        """Return the owner of the majority, or of the minority without the flag; chosen before the shares are shown."""
        if not self.owners:
            self.slot_ownera()
        return (max if self.has_flag else min)(self.owners, key=lambda owner: owner[1])[0]

    def slot_billed(self) -> str:
        self.hours = self.hours or self.rng.randrange(120, 700, 10)
        return str(self.hours)

    def slot_worked(self) -> str:
        self.slot_billed()
        share = self.rng.uniform(0.01, 0.08) if self.has_flag else self.rng.uniform(0.95, 1)
        return str(round(self.hours * share))

    def slot_ref(self) -> str:
        digits = "".join(self.rng.choice("0123456789") for _ in range(8))
        return self.rng.choice((f"{digits[:5]}/24", digits, f"RF-{digits[:6]}", f"{digits[:4]}-{digits[4:7]}"))

    def slot_date(self) -> str:
        day, month = self.rng.randint(1, 28), self.rng.randint(1, 12)
        return self.rng.choice(
            (f"2024-{month:02}-{day:02}", f"{day:02}.{month:02}.2024", f"{day} {names.MONTHS[month - 1]}")
        )

    def slot_rate(self) -> str:
        return f"{self.rng.uniform(0.7, 4):.4f}"

    def slot_phone(self) -> str:
        return f"+{self.rng.randint(30, 99)} 555 {self.rng.randint(1000, 9999)}"

    def slot_cardlike(self) -> str:
        """Return digits that look like an account number but are that of a card, till, ticket or container."""
        digits = "".join(self.rng.choice("0123456789") for _ in range(10))
        return self.rng.choice((f"xx{digits[:4]}", f"****{digits[:4]}", f"...{digits[:4]}", f"XXXX-{digits[:4]}", digits[:8],
                                   f"{digits[:3]}-{digits[3:9]}-{digits[9]}"))  # fmt: skip

    def slot_year(self) -> str:
        return str(self.rng.randint(1988, 2021))

    def slot_k(self) -> str:
        return str(self.rng.randint(6, 90))

    def slot_n(self) -> str:
        return self.rng.choice(names.NUMBERS)

    def slot_few(self) -> str:
        return self.rng.choice(("two", "three", "four", "five", "six"))

    def slot_branch(self) -> str:
        return self.rng.choice(names.BRANCHES)

    def slot_bank(self) -> str:
        return self.rng.choice(names.BANKS)

    def slot_city(self) -> str:
        return self.rng.choice(names.CITIES)

    def slot_goods(self) -> str:
        return self.goods

    def slot_service(self) -> str:
        return self.name(names.SERVICES)

    def slot_shop(self) -> str:
        return self.name(names.SHOPS)

    def slot_vessel(self) -> str:
        return self.rng.choice(names.VESSELS)

    def slot_month(self) -> str:
        return self.rng.choice(names.MONTHS)

    def slot_weekday(self) -> str:
        self.weekday += 1
        return names.WEEKDAYS[self.weekday % 5]


def in_words(value: int) -> str:
    """Return a multiple of 100 below 100,000 in words."""
    small = ("", *"one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
             "nineteen".split())  # fmt: skip
    tens = "twenty thirty forty fifty sixty seventy eighty ninety".split()
    thousands, hundreds = value // 1000, value // 100 % 10
    words = small[thousands] if thousands < 20 else f"{tens[thousands // 10 - 2]}-{small[thousands % 10]}".rstrip("-")
    return " ".join(([f"{words} thousand"] if words else []) + ([f"{small[hundreds]} hundred"] if hundreds else []))


def false_iban(country: str, digits: str) -> str:
    """Return an account number that looks like an IBAN and fails its checksum, so that no such account can exist."""
    checks = int(digits[:2])
    rearranged = "".join(str(int(char, 36)) for char in digits + country)
    if int(f"{rearranged}{checks:02}") % 97 == 1:
        checks = (checks + 1) % 100
    return f"{country}{checks:02}{digits}"
