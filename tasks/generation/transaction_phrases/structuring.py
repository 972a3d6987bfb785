"""Structuring: money is split so that each part stays below a reporting limit, without a reason for the parts."""

from __future__ import annotations

from tasks.generation.transaction_phrases.story import Story

STRUCTURING = Story(
    "cash",
    facts=[
        # Sums against the limit.
        "[cash deposits|lodgements] [of this week|since {weekday}]: {parts}; a form is due from {limit}[ on|]{parts paid_to customer}",
        "{parts} [at the counter|over the counter] within {few} days, [reports|forms] begin at {limit}{parts paid_to customer}",
        "he [brought|paid in] {parts}, and we [report|ask for a form] from {limit}{parts paid_to customer}",
        "~cash came as {parts}, {limit} being the sum from which a report is due{parts paid_to customer}",
        "!in notes: {parts}; [declarations|papers] are needed once {limit} is reached{parts paid_to customer}",
        "!{parts} [came|went in] one after the other, where {limit} is the line for a [report|form]{parts paid_to customer}",
        # All or none, below or above.
        "{flip:each|none} of the {few} [slips|deposits] is {flip:below|above} {limit}[, no reason given|]",
        "{flip:every|no} [slip|lodgement] of the row {flip:stays under|exceeds} {limit}, [purpose open|no purpose stated]",
        "~of the {n} [bundles|slips] {flip:all|none} came in {flip:below|above} {limit}, [unexplained|without a word why]",
        "!whatever he lodged {flip:did|did not} {flip:stay short of|pass} {limit}[, no trade behind it|]",
        # Who wants what, and who refuses it.
        "[the depositor|he] {flip:declined|accepted} the [teller's|cashier's] offer to book {flip:the total with a form, above|parts "
        "without a form, below} {limit}",
        "[the customer|the depositor] {flip:wanted|did not want} the sum taken in {flip:parts and without|one piece and with} a form",
        "{if:the customer|the cashier} wanted the sum in parts, {if:the cashier|the customer} wanted it in one piece with a form",
        "~splitting was the wish of {if:the customer|the cash desk}, not of {if:the cash desk|the customer}",
        "~he {flip:insists on|objects to} [slips|deposits] that {flip:need no|carry a} declaration",
        "![the customer|the depositor] {flip:turned down|agreed to} {flip:a single slip that is declared|small slips that are not declared}",
        "!{if:the depositor|the branch} was for small slips without a form, {if:the branch|the depositor} for a single slip with one",
        "!he {flip:would|would not} have the money go in {flip:piece by piece, undeclared|as a whole, declared}",
    ],
    setup=[
        "{n} [cash deposits|lodgements|counter deposits|~credits in notes] [this week|within {few} days|since {weekday}]: "
        "{low}, {low} and {low}{low paid_to customer}",
        "[customer|account holder|client] [paid in|brought in|~turned up with] {low} on {weekday} and [another|a further] "
        "{low} [two days later|on the following day|~right after the weekend]{low paid_to customer}",
        "[same depositor|same person] at {branch} and {branch} on one [morning|day|~afternoon], {low} and {low}{low paid_to customer}",
        "[sum|total|order] [broken|split|cut|~divided] into {n} [pieces|parts|tranches] of [roughly|about] {low}",
        "{low} [at the counter|over the counter] on {weekday}, {low} on {weekday}, {low} [before closing|on {weekday}]{low paid_to customer}",
        "~[three slips|a row of slips] [again|this month]: {low} / {low} / {low}{low paid_to customer}",
        "!{low}, {low} and {low} [reached|came to] the account in notes [within the week|before {weekday}]{low paid_to customer}",
        "!on {weekday} {low} [was handed in|came over the desk], the next {low} [followed|came] two days on{low paid_to customer}",
        "!one [person|depositor], {branch} first and {branch} after lunch: {low} and {low}{low paid_to customer}",
    ],
    yes=[
        "[when asked|on being asked|asked] why not [one sum|all at once], [he|she] [said|replied] the form [was a nuisance|"
        "only brings trouble|~is best left alone]",
        "[teller|counter staff|cashier] [saw|notes] that some notes went back into the bag once {limit} and the "
        "[ID check|declaration|paperwork] were mentioned",
        "[income on file|a pension of this size|a student's budget] does not explain it, and each stays [a little|a whisker|just] "
        "[below|under|short of] {limit}",
        "[total|whole bundle] was [there|ready] in one bag [but|yet] only part was [handed over|counted] at a time",
        "[clearly|apparently] [meant|arranged] so that [no form|no report|~nothing] [has to be filled in|is triggered|"
        "~lands on anybody's desk]",
        "~[no single slip|none of them] [reaches|touches|gets to] {limit}, [the point where|where] a report [goes out|is due]; "
        "[nothing on file explains the money|no trade behind it|~source never shown]",
        "~[pattern|same thing] repeats [every week|each month], always [a few hundred|a handful of notes] [short of|off] "
        "[the reporting line|{limit}|what has to be declared]",
        "~he left again when told that the rest would take him over {limit}",
        "!the question why it does not come in one go was answered with a shrug and a word about [forms|paper]",
        "!nothing on file accounts for so much cash, and {limit} is [never quite reached|always just missed]",
        "!a [part|bundle] was put away again as soon as [the ID check|the declaration|{limit}] came up",
        "!week after week the same picture, [a little|some notes] short of [the reporting line|{limit}]",
    ],
    no=[
        "[agrees|fits] with the till rolls of the {shop}, [cash report filed|report sent|~duly reported] as the total [exceeds|is over] "
        "{limit}",
        "[app|online channel|machine] [caps|limits] a single entry [at|to] {limit}, hence the pieces; [agreed in advance|"
        "announced by phone|declared in full]",
        "[when asked|asked] why not one sum, [he|she] [showed|produced] [the instalment plan|stage invoices of the builder|"
        "~a schedule from the notary]",
        "[form|declaration] [completed|signed] for the [total|whole sum] although no single slip [reaches|touches] {limit}, "
        "[sale deed seen|source shown]",
        "[pattern|same thing] repeats every week, [seasonal takings|takings of the {shop}], always [reported|declared] by us",
        "[arranged|meant] so that the [insurance cover of the courier|night safe limit|van's insured sum] is not exceeded; "
        "[volumes fit turnover|books seen]",
        "~[lease|tenancy agreement|rental contract] [on file|seen] [fixes|provides for|lists] exactly these instalments",
        "~[payroll|wages] [per site|in batches], [staff list attached|list of names seen]",
        "!a [lease|rental contract] that we hold names these very instalments",
        "!the cash report went out, the total being over {limit}, and it matches the tills of the {shop}",
        "!a form for the whole sum was signed, though each slip alone [needs none|is under {limit}]",
        "!the machine takes no more than {limit} at once, which [we had agreed to|had been announced]",
    ],
    whole_yes=[
        "asked [the teller|] how much [can be paid in|one may bring] without [paperwork|a form|~giving a reason], then [lodged|paid in] "
        "{low} and came back [the next day|~after lunch] with {low}{low paid_to customer}",
        "[ATM lodgements|machine deposits] of {low}, {low} and {low}, [a different machine|another machine] every time, "
        "[no purpose given|no explanation]{low paid_to customer}",
        "[client|customer] wants {big} moved as {n} transfers so that [nobody asks|no questions come|~nothing shows up]",
        "[advised by a friend|following a tip], [customer|depositor] keeps [each visit|every deposit] under {limit}: {low}, {low}{low paid_to customer}",
        "~{n} [relatives|friends|students|~neighbours] each paid in about {low} within [an hour|the same hour], all from one "
        "[envelope|bag|~van]{low paid_to customer}",
        "~{big} from the sale of 'things' arrives as {low}, {low} and the rest on other days, he smiled when the form was named{big paid_to customer}{low paid_to customer}",
        "!first a question about the sum from which [papers|forms] are needed, then {low}, and {low} on the [next|following] day{low paid_to customer}",
        "!{big} [is to go out|has to leave] as {n} transfers, the client hopes that this [raises no questions|stays unseen]",
        "!machine after machine took notes, {low}, {low} and {low}, and [no reason|no purpose] was stated{low paid_to customer}",
    ],
    whole_no=[
        "asked [the teller|] about the form [due|needed] at {limit}, [completed it|filled it in] and [lodged|paid in] {big} in one go{big paid_to customer}",
        "rent for {month} and {month} [paid as|by] two [standing orders|instalments] of {low}[ as per lease|, lease attached]",
        "school fees in [three|four] terms, {low} each, [schedule|invoice] seen",
        "[wages|payroll] split into {n} batches of about {low} because of the channel's [file|batch] limit",
        "~takings of {low} and {low} [banked|lodged] [nightly|daily] by the {shop}, [volumes fit turnover|in line with the VAT return|"
        "same as each week]{low paid_to customer}",
        "~[one deposit|single lodgement] of {big}, above {limit}, [form signed|reported] and source [shown|documented]{big paid_to customer}",
        "!{big} came in [one piece|a single sum], he had asked about the form at {limit} and filled it in{big paid_to customer}",
        "!the {shop} brings its takings each [night|evening], {low} and {low}, [as the VAT return shows|in step with turnover]{low paid_to customer}",
        "!school fees fall due by term, {low} and {low}, the [invoice|schedule] was seen",
    ],
    claims=[
        "the sums are kept under the [form|reporting] limit on purpose",
        "[he|she] comes back with the rest when the cashier changes",
        "the money is paid in bit by bit to stay [unseen|unnoticed]",
        "several people pay in one man's cash",
        "~one bag of cash was cut up to [dodge|avoid] the report",
        "~the slips were planned so that none needs a form",
        "!each sum was chosen so that no [form|report] is due",
        "!the notes of one man came in through several hands",
        "!the rest is brought when another cashier is on duty",
    ],
    excuses=[
        "these are takings of the {shop}",
        "the pieces follow the stages of the building work",
        "the whole sum was declared beforehand",
        "wages for several sites were split here",
        "~the lease [asks for|names] such instalments",
        "~a legacy was shared out among the heirs",
        "!the {shop} earned this over the week",
        "!a declaration for the total had come first",
        "!the builder is paid by stages",
    ],
)
