"""Mule account: somebody receives money of strangers and passes it on, or lends the account."""

from __future__ import annotations

from tasks.generation.transaction_phrases.story import Story

MULE_ACCOUNT = Story(
    "personal",
    facts=[
        # How much of the strangers' money goes on.
        "{credit} from {person} and {credit} from {person}, strangers both; {passed} went [out|on] to {party} [the same evening|within "
        "the hour]{credit paid_by person}{passed paid_to party}{credit paid_to customer}{passed paid_by customer}",
        "in from people unknown to [him|her]: {credit}, {credit}; out to {party} [at once|by night]: {passed}{passed paid_to party}{credit paid_to customer}{passed paid_by customer}",
        "~strangers sent {credit} and {credit}, and {passed} left for {party} [before night|minutes later]{passed paid_to party}{credit paid_to customer}{passed paid_by customer}",
        "!{credit} and {credit} came from two people [he|she] does not know, {party} got {passed} that day{passed paid_to party}"
        "{credit paid_to customer}{passed paid_by customer}",
        "!of {credit} from {person} and {credit} from {person}, names that mean nothing to [him|her], {passed} [went|moved] to {party}"
        "{credit paid_by person}{passed paid_to party}{credit paid_to customer}{passed paid_by customer}",
        # Who collects, and who only buys.
        "{this} took in [strangers' money|the money of strangers] and sent it on, {that} [was a buyer|only bought a ticket]",
        "[police report|letter of the other bank]: {this} forwards for a gang, {that} was [cheated|tricked] by it",
        "~[recall|complaint]: {that} lost money to a fraud, {this} [moved it on|passed it on]",
        "!{this} is the one who hands it on, {that} the one who was cheated, [the police write|the other bank writes]",
        # Negations.
        "[he|she] {flip:agreed|refused} to {flip:pass on|leave untouched} what [people|persons] [he|she] never met had paid in",
        "it is {flip:untrue|true} that [he|she] {flip:refused to pass on|passed on} what strangers paid in",
        "[he|she] {flip:took|turned down} the {flip:job of forwarding|advice not to forward} strangers' money",
        "~it is {flip:true|false} that the login was {flip:given to|kept from} the [man|woman] from the chat",
        "!that [he|she] {flip:hands on|keeps off} strangers' money is {flip:true|false}",
        # Both facts are needed.
        "the senders are {all:strangers to|cousins of} [him|her], and the money {all:went on|stays here}",
        "~[he|she] knows {all:none|all} of the senders and sent {all:all|none} of it on",
        "!{all:nobody|everybody} among the senders is known to [him|her], {all:nothing|everything} of it is still here",
        "!{all:unknown|known} names sent the money, and the account {all:is empty again|still holds it}",
    ],
    setup=[
        "{n} credits from [people|persons] in different towns [since {weekday}|in {few} days]",
        "account [opened|set up] [three|four|five] weeks ago [by a student |]and [suddenly|now] [busy|active]",
        "{small} from {person} and {small} from {person} on [{weekday}|one day]{small paid_by person}{small paid_to customer}",
        "money [left|went out] [the same day|within hours] [it came in|of arrival]",
        "[holder|customer] [called|came in] about [the many credits|the credits of this week]",
        "~a stream of small credits with first names in the text field",
        "!{n} sums, each from another town, came in [within {few} days|by {weekday}]",
        "!new account, a student's, and all at once full of life",
        "!on one day {small} from {person}, then {small} from {person}{small paid_by person}{small paid_to customer}",
    ],
    yes=[
        "all of it [withdrawn|taken out] [at a cash machine|in cash] [within the hour|by evening], [senders unknown to him|no tie to the senders]",
        "[two|some] senders [reported|complain of] [goods never delivered|a rental fraud|~a flat that does not exist]",
        "[balance|account] back to [zero|nil] every evening, [sent on|forwarded] to {party}[ in {country}|], whom [he|she] never met",
        "[he|she] cannot say who [the senders|these people] are or what [they paid|it is] for",
        "[forwarded|sent on] [at once|straight away] to [a crypto exchange|an exchange wallet], a cut stays [behind|with the holder]",
        "~[says|explains that] [a recruiter|somebody met online|a 'manager' from a chat|~an online girlfriend] [told|asked] him to [pass it on|"
        "forward it] and keep [5|8|10] per cent",
        "~[card|login] is used by [somebody else|a third person], holder [is abroad|gave it away for 200]",
        "~the phone that approves the outgoing orders sits in another country than the holder",
        "!by evening a cash machine had paid out all of it, the payers mean nothing to him",
        "!asked for the names and reasons of the payers, [he|she] had no answer",
        "!an exchange wallet got it within minutes, less a share for the holder",
        "!somebody else holds the [card|login], the owner parted with it for 200",
    ],
    no=[
        "[contributions for|money for] [grandmother's eightieth|the class trip|the club jerseys|~the hiking week], [list of names supplied|"
        "parents' chat shown]",
        "wedding [gifts|presents], [invitation seen|date fits]",
        "[he|she] is treasurer of the [rowing club|choir|~allotment society], dues [collected|] each {month} and paid on to the federation",
        "[sold|selling] [a comic collection|old vinyl|~baby clothes] online, [shipping labels|receipts] shown",
        "all of it [withdrawn|taken out] in cash to pay the [wedding band|builder|street party], [quote seen|bill shown], senders are [cousins|"
        "neighbours]",
        "~flatmates' shares of the rent, [sent on|forwarded] to the landlord {party} [at once|the same day] as every month",
        "~[a recruiter|somebody met online] wanted him to pass money on and keep 10 per cent; he [refused|declined] and [told us|reported it]",
        "~each of them bought a seat in the minibus he hires for the away match",
        "!the [class trip|club jerseys] [is|are] paid from this, we have the names",
        "!presents for a wedding, the invitation is with us",
        "!the club's treasurer, [he|she] takes the dues and hands them to the federation",
        "!old vinyl finds its buyers online, the labels of the parcels were shown",
    ],
    whole_yes=[
        "[gets|receives] [transfers|money] from strangers and [moves|sends] it on [to {party}|abroad|to {country}] the same [day|afternoon], "
        "[keeps|leaving] [a tenth|eight per cent|a small cut]",
        "['home job'|'payment agent' work] found [in a chat group|through an advert]: account takes in money, [holder|he] buys vouchers with it",
        "[recall|refund request] from {bank}: sender was [tricked|cheated], funds already [gone|sent on to {country}]",
        "[lent|rented out] card and PIN to [an acquaintance|a man in a bar], since then credits from all over the [country|place]",
        "~credits {small}, {small}, {small} from people [he has never met|unknown to him], [emptied|drawn] at [an ATM|a cash machine] [by night|"
        "within the hour]{small paid_to customer}",
        "~one payer after another asks for the money back, but it left for {country} minutes after it came",
        "!a tenth stays, the rest of what strangers send goes on to [{party}|{country}] the same day",
        "!an advert promised work as a 'payment agent', now money comes in and leaves as vouchers",
        "!{bank} wants it back for a payer who was tricked, by then it was in {country}",
    ],
    whole_no=[
        "collects the [team|office|class] kitty, {small} from each of {n} colleagues, paid on to {party} for the [trip|gift]{small paid_to customer}",
        "[charity run|school fair] [donations|proceeds] from many [donors|people], [passed on|sent on] the same day to {party}, receipt [seen|filed]",
        "warned [us|the branch] that [an advert|a chat group] offered commission for use of the account; [nothing was booked|no money moved]",
        "[carpool|ride share] [money|shares] of {small} from {person} and {person}, [same names|the same people] each month{small paid_by person}"
        "{small paid_to customer}",
        "~recall from {bank}: sender [typed a wrong digit|paid twice], funds [still here and|were] [returned|sent back] in full",
        "~[tutor|music teacher], {n} [pupils|parents] pay {small} each for lessons, tax number on file{small paid_to customer}",
        "!{n} colleagues gave {small} each for the [trip|gift], {party} was paid from it{small paid_to customer}",
        "!what the school fair brought went to {party} the same day, and the receipt is here",
        "!{person} and {person} share the car to work, {small} each month{small paid_by person}{small paid_to customer}",
    ],
    claims=[
        "[he|she] passes the money on for strangers",
        "a third person uses the card",
        "[he|she] keeps a cut of each credit",
        "the account serves somebody known only from a chat",
        "~the senders were [cheated|tricked]",
        "~the holder works for people without faces",
        "!the money of people unknown to the holder only passes through",
        "!somebody other than the holder has the card",
        "!a share of every credit is the holder's pay",
    ],
    excuses=[
        "the senders are [his|her] choir",
        "[he sold his|she sold her] own [records|vinyl] online",
        "the money is meant for a class trip",
        "cousins chip in for a wedding",
        "~the credits are shares of a common rent",
        "~the team pays its bus driver this way",
        "!relatives put money together for a wedding",
        "!flatmates pay their part of the rent",
        "!what was sold online was [his|her] own",
    ],
)
