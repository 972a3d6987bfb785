"""Templates of payment records (see `grammar`): openings, the stories of each flag, fillers.

A story has three forms. In the first, a `setup`, which suspicious and innocent records share, is followed by a sentence
that decides. In the second, one sentence (`whole_`) contains everything. In the third, a claim or an excuse is found to
be true or untrue, so that only both halves together decide. `yes` contains evidence for the flag, `no` near misses,
deliberately written with the same words.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Story:
    """The templates of one flag.

    opening: the key in `OPENINGS` of how a text begins. yes: evidence for the flag. no: near misses. claims: clauses
    that are evidence if they are true. excuses: clauses that explain the record if they are true.
    """

    opening: str
    setup: list[str]
    yes: list[str]
    no: list[str]
    whole_yes: list[str]
    whole_no: list[str]
    claims: list[str]
    excuses: list[str]


OPENINGS = {
    "wire": [
        "[outgoing|outward|] [wire|transfer|payment] {amount} to {party}[, {country}|], [for|re] {service}",
        "{party} [receives|is paid|gets] {amount} [for|against] {service}[ on account {account}|]",
        "[pay|please pay|kindly remit] {amount} to {party}, {country}, [account|a/c] {account}, [purpose|details]: {service}",
        "incoming {amount} from {party} [in {country}|({country})][, remittance info|, text]: {service}",
        "{service}, [invoice|inv] {ref}, [beneficiary|in favour of] {party}[, {country}|]",
        "~by order of {party}[ ({country})|] we [credited|booked] {amount}[ to {account}|], {service}",
        "~{amount} [settles|covers] [invoice|our order] {ref} of {party}[, account {account}|]",
        "by order of our client [credit|funds go] to {party} at {bank}, {country}: {amount}",
    ],
    "cash": [
        "[cash credit|counter credit|cash deposit] [for|to] [account|a/c] {account}, [holder|name] {holder}",
        "[counter note|teller note|memo]: {holder}, account {account}",
        "{holder} [banks|keeps an account] [here|with us][ since {year}|] ([no.|account] {account})",
        "~[credited|booked] in notes to {account}[, owner {holder}|]",
        "cash [movement|activity] of {holder}",
        "[memo|note] on {account}",
    ],
    "personal": [
        "[current account|private account|personal account] {account} of {holder}",
        "{holder} [received|got] {small} from {person}[, text 'thanks'|, text 'as agreed'|]",
        "[instant credits|incoming transfers] on {account}",
        "credit {small} from {person}[ to {account}|]",
        "~{person} sent {small} to [our customer|the customer] {holder}",
        "[account|a/c] review {holder}[, {account}|]",
    ],
    "trade": [
        "[payment|settlement] of {amount} to {party}[, {country}|] for {goods}",
        "[documentary collection|letter of credit|open account] {party}, [drawn in|] {country}, {amount}",
        "{amount} [against|for] [shipping documents|bill of lading] from {party}[ in {country}|]",
        "[import of|export of|goods:] {goods}, [buyer|seller|supplier] {party}, {country}",
        "~{party} [ships|delivers] {goods} from {country}; [sum due|due] {amount}",
    ],
}  # fmt: skip

STRUCTURING = Story(
    "cash",
    setup=[
        "{n} [cash deposits|lodgements|counter deposits|~credits in notes] [this week|within {few} days|since {weekday}]: "
        "{low}, {low} and {low}",
        "[customer|account holder|client] [paid in|brought in|~turned up with] {low} on {weekday} and [another|a further] "
        "{low} [two days later|on the following day|~right after the weekend]",
        "[same depositor|same person] at {branch} and {branch} on one [morning|day|~afternoon], {low} and {low}",
        "[sum|total|order] [broken|split|cut|~divided] into {n} [pieces|parts|tranches] of [roughly|about] {low}",
        "{low} [at the counter|over the counter] on {weekday}, {low} on {weekday}, {low} [before closing|on {weekday}]",
        "[three slips|a row of slips] [again|this month]: {low} / {low} / {low}",
        "~every other day another bundle, lately {low} and {low}",
    ],
    yes=[
        "[when asked|on being asked|asked] why not [one sum|all at once], [he|she] [said|replied] the form [was a nuisance|"
        "only brings trouble|~is best left alone]",
        "~[no single slip|none of them] [reaches|touches|gets to] {limit}, [the point where|where] a report [goes out|is due]; "
        "[nothing on file explains the money|no trade behind it|~source never shown]",
        "[teller|counter staff|cashier] [saw|notes] that some notes went back into the bag once {limit} and the "
        "[ID check|declaration|paperwork] were mentioned",
        "[income on file|a pension of this size|a student's budget] does not explain it, and each stays [a little|a whisker|just] "
        "[below|under|short of] {limit}",
        "[total|whole bundle] was [there|ready] in one bag [but|yet] only part was [handed over|counted] at a time",
        "~[pattern|same thing] repeats [every week|each month], always [a few hundred|a handful of notes] [short of|off] "
        "[the reporting line|{limit}|what has to be declared]",
        "[clearly|apparently] [meant|arranged] so that [no form|no report|~nothing] [has to be filled in|is triggered|"
        "~lands on anybody's desk]",
        "[companion waited outside|a second person waited in the car] and [came in|went to the next counter] with the rest",
        "~never the full sum, though the counterfoils carry consecutive numbers and one handwriting",
        "~he left again when told that the rest would take him over {limit}",
    ],
    no=[
        "[agrees|fits] with the till rolls of the {shop}, [cash report filed|report sent|~duly reported] as the total [exceeds|is over] "
        "{limit}",
        "~[lease|tenancy agreement|rental contract] [on file|seen] [fixes|provides for|lists] exactly these instalments",
        "[app|online channel|machine] [caps|limits] a single entry [at|to] {limit}, hence the pieces; [agreed in advance|"
        "announced by phone|declared in full]",
        "[when asked|asked] why not one sum, [he|she] [showed|produced] [the instalment plan|stage invoices of the builder|"
        "~a schedule from the notary]",
        "[form|declaration] [completed|signed] for the [total|whole sum] although no single slip [reaches|touches] {limit}, "
        "[sale deed seen|source shown]",
        "~[payroll|wages] [per site|in batches], [staff list attached|list of names seen]",
        "[pattern|same thing] repeats every week, [seasonal takings|takings of the {shop}], always [reported|declared] by us",
        "[arranged|meant] so that the [insurance cover of the courier|night safe limit|van's insured sum] is not exceeded; "
        "[volumes fit turnover|books seen]",
        "~counterfoils carry the stall numbers of the fair, and the organiser's ledger has every one of them",
    ],
    whole_yes=[
        "asked [the teller|] how much [can be paid in|one may bring] without [paperwork|a form|~giving a reason], then [lodged|paid in] "
        "{low} and came back [the next day|~after lunch] with {low}",
        "~{n} [relatives|friends|students|~neighbours] each paid in about {low} within [an hour|the same hour], all from one "
        "[envelope|bag|~van]",
        "[ATM lodgements|machine deposits] of {low}, {low} and {low}, [a different machine|another machine] every time, "
        "[no purpose given|no explanation]",
        "[client|customer] wants {big} moved as {n} transfers so that [nobody asks|no questions come|~nothing shows up]",
        "[advised by a friend|following a tip], [customer|depositor] keeps [each visit|every deposit] under {limit}: {low}, {low}",
        "~{big} from the sale of 'things' arrives as {low}, {low} and the rest on other days, he smiled when the form was named",
    ],
    whole_no=[
        "asked [the teller|] about the form [due|needed] at {limit}, [completed it|filled it in] and [lodged|paid in] {big} in one go",
        "~takings of {low} and {low} [banked|lodged] [nightly|daily] by the {shop}, [volumes fit turnover|in line with the VAT return|"
        "same as each week]",
        "rent for {month} and {month} [paid as|by] two [standing orders|instalments] of {low}[ as per lease|, lease attached]",
        "school fees in [three|four] terms, {low} each, [schedule|invoice] seen",
        "[wages|payroll] split into {n} batches of about {low} because of the channel's [file|batch] limit",
        "~[one deposit|single lodgement] of {big}, above {limit}, [form signed|reported] and source [shown|documented]",
        "~the depositor split the legacy among {n} children, {low} to each, notary's deed attached",
    ],
    claims=[
        "the sums are kept under the [form|reporting] limit on purpose",
        "~one bag of cash was cut up to [dodge|avoid] the report",
        "[he|she] comes back with the rest when the cashier changes",
        "the money is paid in bit by bit to stay [unseen|unnoticed]",
        "several people pay in one man's cash",
        "~the slips were planned so that none needs a form",
    ],
    excuses=[
        "these are takings of the {shop}",
        "~the lease [asks for|names] such instalments",
        "the pieces follow the stages of the building work",
        "the whole sum was declared beforehand",
        "wages for several sites were split here",
        "~a legacy was shared out among the heirs",
    ],
)

SANCTIONS = Story(
    "wire",
    setup=[
        "[screening|filter] [stopped|held|paused] it: [possible match|name match] on [the beneficiary|a director|the ship|~the forwarder]",
        "[alert|hit] [raised|came up] [on|for] [the owner|a shareholder] of {again}, one {bystander}",
        "goods [ship|travel|leave] by [sea|truck] [via|through] {country}",
        "[vessel|carrier] is the {vessel}, [port of discharge|destination] [left open|given as {country}]",
        "[list check|sanctions check] on {bystander}, [majority owner|director] of the [other party|payee]",
        "~compliance looked at the [ownership|consignee] before release",
    ],
    yes=[
        "[date of birth|passport] and [place of birth|address] [agree|fit] with the list entry",
        "~end user [is|turns out to be] a [refinery|shipyard|ministry|~radar works] in {embargo}",
        "[true|actual] [port of discharge|place of delivery] is in {embargo}, [papers were changed|bill of lading was swapped]",
        "[he|she] was [designated|put on the list|~added to the annex] in {month} and holds [51|60|75] per cent",
        "[client|remitter] asks us to leave [the country|the ship's name|the port] out of [the message|field 72]",
        "~[onward|further] [carriage|leg] to {embargo} [confirmed|let slip] by the forwarder",
        "[next day|later] the freight bill [surfaced|came in], made out to a [depot|works] beyond the [line|border] we must not serve",
        "[asked|pressed] about the final user [they|both sides] fell silent, then [sent|produced] a [forged|doctored] certificate",
        "[assets|funds] of this [person|family] were frozen last [year|spring]; the match [stands|is good|~was not explained away]",
        "~the new owner is the brother of the listed man and bought for one euro the week after",
        "~signals from the ship stop for nine days off {embargo}",
    ],
    no=[
        "[different|other] date of birth [and nationality|], [released|discounted|~waved through] by [compliance|second line]",
        "~[cleared|released] by the sanctions desk on {date}, [no true match|false positive]",
        "[IMO number|passport] differs from the list entry, [goods stay in|end user in] {country}",
        "[checked|looked up] in all lists, nothing found; holds [51|60] per cent since {year}",
        "only [the street is named after Havana, no link to Cuba|the restaurant is called Damascus, no link to Syria|~the dance school is named after Minsk, no link to Belarus]",
        "~[client|remitter] [confirms in writing|declared] that nothing goes [on|] to {plainembargo} or any other [listed|barred] place",
        "[match|hit] [fell away|was dropped]: [listed man died years ago|namesake aged 19|~a namesake, the real one is in prison]",
        "~papers, satellite track and consignee all agree, delivery ends where it says",
    ],
    whole_yes=[
        "[spare parts|valves|drone motors] invoiced to {again}, but [crates are marked for|the forwarder trucks them on to] {embargo}",
        "~charter hire for the {vessel}, which [loaded crude|took oil on board] [in|off] {embargo} with its [transponder|tracker] off",
        "behind {again} stands {bystander}, [whose accounts the EU froze|listed since {month}]",
        "originator [lives in|writes from] {embargo} and pays through a [cousin|friend] in {country}",
        "[bank in|paying bank in] {embargo} [hidden|not shown] behind a [cover payment|second transfer] from {country}",
        "~the dual-use machine tools end up with an army works in {embargo}, says the driver's waybill",
    ],
    whole_no=[
        "contract has the usual [sanctions|embargo] clause, goods stay in {country}",
        "~[tickets|catalogue] for the [Persian miniatures|Cuban jazz|Russian ballet] [show|festival] in {city}",
        "[seminar fee|training]: [OFAC and EU rules|embargo law|list screening] for [new staff|the export team]",
        "{again} sold to {plainembargo} [until {year}|years ago], [stopped|gave it up]; [screening clear|nothing of it in this delivery]",
        "[screening|sanctions check] [passed|clear], [no hit|nothing found]",
        "~[book order|picture rights|lecture]: [the history|the carpets|the music] of {plainembargo}",
        "[director|owner] {bystander} was born in {plainembargo}[ and|,] [lives|has lived] in {city} since {year}",
        "text of the invoice [recalls|mentions] a [rally|fair] in {plainembargo} in {year}, [the order is|goods are] for {city}",
        "[refund|return] of a visa fee, trip to {plainembargo} was [cancelled|called off] before booking",
        "~the list entry for {bystander} was lifted in {year}, release signed by second line",
    ],
    claims=[
        "the owner is the [listed|designated] man",
        "~the ship called at a barred port",
        "the passport is that of the listed person",
        "the parts end up in {claimed}",
        "the cargo [came from|was loaded in] {claimed}",
        "~a frozen family still draws the profit",
    ],
    excuses=[
        "the hit is a mere namesake",
        "~the owner sold out before he was [listed|designated]",
        "the goods stay with the consignee",
        "the ship never came near {plainembargo}",
        "the licence office raised no objection",
        "~the man on the list is somebody else",
    ],
)

SHELL = Story(
    "wire",
    setup=[
        "{again} was [incorporated|set up|registered] [only|] [{few} weeks|two months|~a few weeks] ago",
        "[payee|counterparty|other side] shares its address with [dozens of|two hundred|many] other [firms|companies]",
        "[no website|no phone entry] [found|to be found] for {again}",
        "[sole director|new director] is [23|24|26] and was [appointed|entered] last [week|month]",
        "[registered office|address] is [a mailbox|care of a registered agent|~a serviced office]",
        "[capital|share capital] of {again} is {plain}",
    ],
    yes=[
        "[no staff|nobody on the payroll], no premises, and [what it sells|its trade] [nobody can say|could not be explained]",
        "~[invoices say|text says] '[consulting|advisory|management services]' but no [report|deliverable|work] was ever shown",
        "[register shows|found] a nominee [director|holder] and [no accounts ever filed|bearer shares]",
        "[owner|the person behind it] [unknown|kept hidden], [mail goes|post is sent] to a formation agent",
        "yet {big} [passed|ran] through it in the first [month|quarter], without [customers|goods|a single employee]",
        "~[client|our customer] cannot [name a contact there|describe what it does], [asked twice|twice asked]",
        "[the secretary|one and the same person] signs for [payer and payee|both sides]",
        "~it exists on paper, and the paper was bought ready-made",
        "~the doorbell carries forty labels and nobody has ever seen anyone go in",
    ],
    no=[
        "[spin-off|subsidiary] of an old [family firm|manufacturer], {k} [staff|employees] taken over",
        "~[site visit|visit] [last month|in {month}]: warehouse, [forklifts|machines] and {k} [employees|people at work]",
        "[special purpose company|project company] of the [wind farm|car park|biogas plant], accounts audited, owner on file",
        "founders [showed|demonstrated] the product and [three|two] signed [customer contracts|orders]",
        "[mail only|for post only], the [workshop|kitchen|studio] is in {city} and [was visited|employs {k}]",
        "~[register shows|found] audited accounts, a named owner and {k} [people on the payroll|staff]",
        "[new name only|only renamed], the business [goes back to|runs since] {year} and we [know it well|financed its machines]",
        "~van, tools and two apprentices were there when we rang the bell",
    ],
    whole_yes=[
        "{again}, a letterbox [at|with] a registered agent, [gets|is paid] {amount} for 'advisory' [without contract|on one page of paper]",
        "~neither [side|payer nor payee] has [an office|a phone that answers], the same [clerk|secretary] signs for both",
        "[firm|company] [bought off the shelf|bought ready-made] in {month}, sends the whole {amount} on as '[management fee|services]'",
        "nobody [works|has ever worked] at {again} and its [accounts|books] were never filed, still the fees [rise|grow] each quarter",
        "[owner chain|ownership] ends [at a trust without names|with a nominee], [no activity|no trade] [visible|found] anywhere",
        "~an empty desk in {city} bills for strategy papers that no one can produce",
    ],
    whole_no=[
        "[yearly|annual] fee of the registered agent for [keeping|filing] a [dormant|sleeping] company, declared [as such|to us]",
        "~[craft supplies|payment]: [sea shells|mussel shells|shell buttons], [{k} kg|two pallets]",
        "newly [founded|incorporated] {shop}, [two ovens|lease and till] seen by the relationship manager",
        "[consulting|advisory] report [received and filed|handed over], {k} pages, [hours listed|time sheets attached]",
        "[address change|moved]: {again} left the business centre for its own [hall|plant] in {city}",
        "~nominee service ended, the family now stands in the register under its own name and runs the mill",
    ],
    claims=[
        "nobody works there",
        "~the director is a [straw man|nominee]",
        "the firm is only a letterbox",
        "no service was rendered for the fee",
        "the same hands write both sides' letters",
        "~there is nothing behind the name plate",
    ],
    excuses=[
        "it runs a [warehouse|workshop] with {k} people",
        "~the report billed here was delivered",
        "the owner is a known local family",
        "auditors saw the books",
        "it took over a working plant",
        "~people in overalls go in and out there all day",
    ],
)

MULE = Story(
    "personal",
    setup=[
        "{n} credits from [people|persons] in different towns [since {weekday}|in {few} days]",
        "account [opened|set up] [three|four|five] weeks ago [by a student |]and [suddenly|now] [busy|active]",
        "{small} from {person} and {small} from {person} on [{weekday}|one day]",
        "money [left|went out] [the same day|within hours] [it came in|of arrival]",
        "[holder|customer] [called|came in] about [the many credits|the credits of this week]",
        "~a stream of small credits with first names in the text field",
    ],
    yes=[
        "all of it [withdrawn|taken out] [at a cash machine|in cash] [within the hour|by evening], [senders unknown to him|no tie to the senders]",
        "~[says|explains that] [a recruiter|somebody met online|a 'manager' from a chat|~an online girlfriend] [told|asked] him to [pass it on|"
        "forward it] and keep [5|8|10] per cent",
        "[two|some] senders [reported|complain of] [goods never delivered|a rental fraud|~a flat that does not exist]",
        "[balance|account] back to [zero|nil] every evening, [sent on|forwarded] to {party}[ in {country}|], whom [he|she] never met",
        "[he|she] cannot say who [the senders|these people] are or what [they paid|it is] for",
        "~[card|login] is used by [somebody else|a third person], holder [is abroad|gave it away for 200]",
        "[forwarded|sent on] [at once|straight away] to [a crypto exchange|an exchange wallet], a cut stays [behind|with the holder]",
        "~earns a commission for a job that consists of clicking 'send'",
        "~the phone that approves the outgoing orders sits in another country than the holder",
    ],
    no=[
        "[contributions for|money for] [grandmother's eightieth|the class trip|the club jerseys|~the hiking week], [list of names supplied|"
        "parents' chat shown]",
        "~flatmates' shares of the rent, [sent on|forwarded] to the landlord {party} [at once|the same day] as every month",
        "wedding [gifts|presents], [invitation seen|date fits]",
        "[he|she] is treasurer of the [rowing club|choir|~allotment society], dues [collected|] each {month} and paid on to the federation",
        "[sold|selling] [a comic collection|old vinyl|~baby clothes] online, [shipping labels|receipts] shown",
        "~[a recruiter|somebody met online] wanted him to pass money on and keep 10 per cent; he [refused|declined] and [told us|reported it]",
        "all of it [withdrawn|taken out] in cash to pay the [wedding band|builder|street party], [quote seen|bill shown], senders are [cousins|"
        "neighbours]",
        "~each of them bought a seat in the minibus he hires for the away match",
    ],
    whole_yes=[
        "[gets|receives] [transfers|money] from strangers and [moves|sends] it on [to {party}|abroad|to {country}] the same [day|afternoon], "
        "[keeps|leaving] [a tenth|eight per cent|a small cut]",
        "~credits {small}, {small}, {small} from people [he has never met|unknown to him], [emptied|drawn] at [an ATM|a cash machine] [by night|"
        "within the hour]",
        "['home job'|'payment agent' work] found [in a chat group|through an advert]: account takes in money, [holder|he] buys vouchers with it",
        "[recall|refund request] from {bank}: sender was [tricked|cheated], funds already [gone|sent on to {country}]",
        "[lent|rented out] card and PIN to [an acquaintance|a man in a bar], since then credits from all over the [country|place]",
        "~one payer after another asks for the money back, but it left for {country} minutes after it came",
    ],
    whole_no=[
        "collects the [team|office|class] kitty, {small} from each of {n} colleagues, paid on to {party} for the [trip|gift]",
        "~recall from {bank}: sender [typed a wrong digit|paid twice], funds [still here and|were] [returned|sent back] in full",
        "[charity run|school fair] [donations|proceeds] from many [donors|people], [passed on|sent on] the same day to {party}, receipt [seen|filed]",
        "warned [us|the branch] that [an advert|a chat group] offered commission for use of the account; [nothing was booked|no money moved]",
        "[carpool|ride share] [money|shares] of {small} from {person} and {person}, [same names|the same people] each month",
        "~[tutor|music teacher], {n} [pupils|parents] pay {small} each for lessons, tax number on file",
        "~turns {n} credits of the crowd campaign into the vet's bill the very same evening, receipt seen",
    ],
    claims=[
        "[he|she] passes the money on for strangers",
        "~the senders were [cheated|tricked]",
        "a third person uses the card",
        "[he|she] keeps a cut of each credit",
        "the account serves somebody known only from a chat",
        "~the holder works for people without faces",
    ],
    excuses=[
        "the senders are [his|her] choir",
        "~the credits are shares of a common rent",
        "[he|she] sold [his|her] own records online",
        "the money is meant for a class trip",
        "cousins chip in for a wedding",
        "~the team pays its bus driver this way",
    ],
)

MISPRICING = Story(
    "trade",
    setup=[
        "[invoice|inv] {ref}: {quantity} of {goods} at {unit}",
        "[price|unit price] on the invoice is {unit} for {quantity}",
        "[price check|price comparison] [done|run] on [the goods|this lot]",
        "[customs|declared] value [compared|held against] the [invoice|contract]",
        "[trade desk|documents team] [queried|looked at] [price and quantity|the price]",
    ],
    yes=[
        "[market|exchange|list] price [was|is] [about|around] {farprice}",
        "~[market|exchange|list] price [was|is] [about|around] {farprice}, [gap left unexplained|no reason for the gap|client silent on the gap]",
        "[other suppliers|competitors] [ask|quote] [a fifth|a tenth|a quarter] of [that|it]",
        "[same goods|same quality] [sold|went] for [six|five|eight] times as much [last week|elsewhere]",
        "[customs papers|the export declaration] [show|state] [a fraction|a twelfth] of that value",
        "~[no dealer|nobody in the trade] would [pay|charge] [even half|a third] of it and [the client|our customer] [has no reason|offers no reason]",
        "[packing list|weight] [covers|supports] only a [quarter|third] of the [quantity|tonnage] billed",
        "~a sum like this buys a shipload, here it bought two pallets",
    ],
    no=[
        "[market|exchange|list] price [was|is] [about|around] {nearprice}",
        "~[market|exchange|list] price [was|is] [about|around] {nearprice}, [small gap explained by freight|no gap worth a question]",
        "[other suppliers|competitors] [ask|quote] [nearly the same|two per cent less|about that too]",
        "[premium|surcharge] comes from the [organic certificate|aviation grade|air freight], two [competing quotes|other offers] seen",
        "prices [doubled|tripled] everywhere since {month}, [the broker's list agrees|exchange data confirm it]",
        "~[customs papers|the export declaration] and [invoice|contract] agree to the cent",
        "[packing list|weight] covers the full [quantity|tonnage] billed",
        "~it is the third lot at this price and others buy there on the same terms",
    ],
    whole_yes=[
        "[billed|invoiced] at {unit} where the [exchange|market] [gives|pays] {farprice}, [a multiple of it|out of all proportion|a strange gap]",
        "~[used|second-hand|scrap] [machines|pumps] [billed|invoiced] as new, [six|five|four] times their [worth|value]",
        "[paid|charged] [a fifth|a tenth] of the going rate for {goods}, [the rest|difference] [flows|is settled] elsewhere",
        "[two|three] invoices for [one|the same] [shipment|container], price [higher|up] each time",
        "~for that money one could buy the {goods} four times over at any port",
    ],
    whole_no=[
        "[billed|invoiced] at {unit}, the [exchange|market] [gives|pays] {nearprice}",
        "~discount of [60|70] per cent for [water-damaged|outdated] stock, surveyor's report [attached|seen]",
        "[second|corrected] invoice for the same [shipment|container] replaces the first, [credit note|cancellation] on file",
        "[price|rate] [looked|seemed] [high|low] at first, [spot quote|broker's list] of that day [confirms|supports] it",
        "~they pay a fifth of the new price, which is usual for returned {goods}",
    ],
    claims=[
        "the price is a multiple of what others pay",
        "~the goods are worth a fraction of the bill",
        "the same container was billed twice",
        "the [quantity|weight] on the bill was never loaded",
        "the price was picked to move money",
        "~the sum has little to do with what was in the box",
    ],
    excuses=[
        "the grade explains the price",
        "~all buyers pay that much",
        "the discount is for [water|frost] damage",
        "the exchange stood that high on the day",
        "freight is in the price",
        "~the rate was the one quoted that morning",
    ],
)

STORIES = {
    "structuring": STRUCTURING,
    "sanctions_exposure": SANCTIONS,
    "shell_company": SHELL,
    "mule_account": MULE,
    "trade_mispricing": MISPRICING,
}

TRUE = [
    "[we were told|first guess was|it looked as if|note of the branch:] {clause}, [and the papers bear it out|and so it is|which was confirmed|"
    "~as the visit showed]",
    "that {clause} [was confirmed|is now certain|is borne out by the file|~stands after the second look]",
    "[after checks|after the call|by now] it is [clear|certain|~beyond doubt] that {clause}",
    "[no doubt|confirmed]: {clause}",
]
UNTRUE = [
    "[we were told|first guess was|it looked as if|note of the branch:] {clause}, [but the papers say otherwise|but that is not so|"
    "which was disproved|~a mistake, as the visit showed]",
    "that {clause} [was disproved|is not true|is contradicted by the file|~falls after the second look]",
    "[after checks|after the call|by now] it is [clear|certain|~beyond doubt] nobody can say any more that {clause}",
    "[not so|disproved]: {clause}",
]

FILLERS = [
    "[approved|released|keyed] by {bystander}, [back office|desk 4|payments team]",
    "[ref|our ref|case] {ref}",
    "charges [SHA|OUR|shared]",
    "[rate|FX rate] {rate}",
    "[balance|available] [after booking|now] {plain}",
    "[daily|card|overdraft] limit {plain}",
    "[debit card|card|till|ticket|container|mandate] {cardlike}[ noted| on file|]",
    "[case|complaint] {cardlike} [closed|open]",
    "[goods insured for|guarantee of|credit line of] {plain}[ on file|]",
    "[fee of|charge of] {plain} [waived|not taken]",
    "[call back|tel.] {phone}",
    "[correspondent|via] {bank}",
    "[contact|contact there]: {bystander}",
    "[audited by|insured with|invoice software by|office let by] {bystanding_company}",
    "[documents|docs] [to follow|uploaded|scanned]",
    "[customer|client] [is on holiday in|flies to] {plaincountry} [until {weekday}|next week]",
    "[next review|review] {date}",
    "[teacher|guest speaker|tenant] {bystander} comes from {plainembargo}",
    "second [note|memo] [for the file|in this matter]",
    "~signature card renewed, VAT no. {ref}",
    "~value date {date}, no cut-off issue",
]
