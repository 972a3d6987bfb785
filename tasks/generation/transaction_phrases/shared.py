"""Templates that do not depend on the flag: openings, verdicts on claims and excuses, fillers."""

from __future__ import annotations

OPENINGS = {
    "wire": [
        "[outgoing|outward|] [wire|transfer|payment] {amount} to {party}[, {country}|], [for|re] {service}{amount paid_to party}",
        "{party} [receives|is paid|gets] {amount} [for|against] {service}[ on account {account}|]{amount paid_to party}{amount paid_to account}"
        "{account held_by party}",
        "[pay|please pay|kindly remit] {amount} to {party}, {country}, [account|a/c] {account}, [purpose|details]: {service}{amount paid_to party}"
        "{amount paid_to account}{account held_by party}",
        "incoming {amount} from {party} [in {country}|({country})][, remittance info|, text]: {service}{amount paid_by party}",
        "{service}, [invoice|inv] {ref}, [beneficiary|in favour of] {party}[, {country}|]{amount paid_to party}",
        "by order of our client [credit|funds go] to {party} at {bank}, {country}: {amount}{amount paid_to party}",
        "~by order of {party}[ ({country})|] we [credited|booked] {amount}[ to {account}|], {service}{amount paid_by party}{amount paid_to account}",
        "~{amount} [settles|covers] [invoice|our order] {ref} of {party}[, account {account}|]{amount paid_to party}{amount paid_to account}"
        "{account held_by party}",
        "!our client [remits|sends] {party}[ of {country}|] {amount}, [subject|reference] {service}{amount paid_to party}",
        "![beneficiary name|payee] {party}[, seat {country}|], sum {amount}, reason given: {service}{amount paid_to party}",
        "!{amount} came from {party}[, {country}|][, booked to {account}|] under the heading {service}{amount paid_by party}"
        "{amount paid_to account}",
        "!to the debit of our client, {party}[ in {country}|] has {amount} coming for {service}{amount paid_to party}",
    ],
    "cash": [
        "[cash credit|counter credit|cash deposit] [for|to] [account|a/c] {account}, [holder|name] {holder}{account held_by holder}",
        "[counter note|teller note|memo]: {holder}, account {account}{account held_by holder}",
        "{holder} [banks|keeps an account] [here|with us][ since {year}|] ([no.|account] {account}){account held_by holder}",
        "cash [movement|activity] of {holder}",
        "[memo|note] on {account}",
        "~[credited|booked] in notes to {account}[, owner {holder}|]{account held_by holder}",
        "![observation|entry] at the [cash desk|till], customer {holder}[, account {account}|]{account held_by holder}",
        "!notes [received|counted] for {holder}[ on account {account}|]{account held_by holder}",
        "!{holder}, a customer [since {year}|of this branch], [number|account] {account}{account held_by holder}",
    ],
    "personal": [
        "[current account|private account|personal account] {account} of {holder}{account held_by holder}",
        "{holder} [received|got] {small} from {person}[, text 'thanks'|, text 'as agreed'|]{small paid_to holder}{small paid_by person}",
        "[account|a/c] review {holder}[, {account}|]{account held_by holder}",
        "[instant credits|incoming transfers] on {account}",
        "credit {small} from {person}[ to {account}|]{small paid_by person}{small paid_to account}",
        "~{person} sent {small} to [our customer|the customer] {holder}{small paid_by person}{small paid_to holder}",
        "!we looked [into|through] account {account}, [owner|held by] {holder}{account held_by holder}",
        "!{small} [arrived|was booked] for {holder}, [sender|payer] {person}{small paid_to holder}{small paid_by person}",
        "!private customer {holder}[, {account}|], [movements|entries] of the week{account held_by holder}",
    ],
    "trade": [
        "[payment|settlement] of {amount} to {party}[, {country}|] for {goods}{amount paid_to party}",
        "[documentary collection|letter of credit|open account] {party}, [drawn in|] {country}, {amount}",
        "{amount} [against|for] [shipping documents|bill of lading] from {party}[ in {country}|]{amount paid_to party}",
        "[import of|export of|goods:] {goods}, [buyer{amount paid_by party}|seller{amount paid_to party}|supplier{amount paid_to party}] "
        "{party}, {country}",
        "{party}, {country}, [orders{amount paid_by party}|sells{amount paid_to party}] {goods}[, {amount}|]",
        "~{party} [ships|delivers] {goods} from {country}; [sum due|due] {amount}{amount paid_to party}",
        "!{goods} [bought from{amount paid_to party}|sold to{amount paid_by party}] {party}[ ({country})|], [price|sum] {amount}",
        "!we [honour|settle] the documents of {party}[, {country}|], {amount}{amount paid_to party}",
        "!trade in {goods} with {party} of {country}[, {amount} to pay|]",
    ],
}  # fmt: skip

VERDICTS = [
    "[we were told|first guess was|it looked as if|note of the branch:] {clause}, {truth:[and the papers agree|and so it is|which was "
    "confirmed|~as the visit showed]|[but the papers disagree|but that is not so|which was disproved|~a mistake, as the visit showed]}",
    "that {clause} {truth:[was confirmed|is now certain|is borne out by the file]|[was disproved|is not true|is contradicted by the file]}",
    "[after checks|after the call|by now] it is [clear|certain] {truth:that|that nobody can say any more that} {clause}",
    "{truth:[no doubt|confirmed]|[not so|disproved]}: {clause}",
    "~nobody {truth:doubts|believes} [any more|after the visit] that {clause}",
    "~the file {truth:does not contradict|contradicts} the note that {clause}",
    "![second look at|review of] the note that {clause}: {truth:[correct|right]|[incorrect|wrong]}",
    "!whoever wrote that {clause} {truth:was not|was} mistaken",
    "!{truth:there is no denying|it was wrong to say} that {clause}",
]
"""`{truth:A|B}` is A if the clause is true, else B."""

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
    "~signature card renewed, VAT no. {ref}",
    "~value date {date}, no cut-off issue",
    "![seen|signed off] by {bystander} of the [day|late] shift",
    "!filed under {ref}",
    "!costs are [split|borne by the sender]",
    "!exchanged at {rate}",
    "!{plain} is what the [card|credit line] [allows|permits] a day",
    "![terminal|parking ticket|loyalty card] {cardlike} [was attached|is in the folder]",
    "!to be reached under {phone}",
    "!routed through {bank}",
    "!away in {plaincountry} [until {weekday}|this month]",
    "![neighbour|colleague] {bystander} grew up in {plainembargo}",
]
