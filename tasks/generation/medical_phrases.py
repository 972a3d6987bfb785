"""Templates of case notes (see `grammar`). Slots that begin with `plain` are filled with words that are no entity."""

from __future__ import annotations

PRESENTATION = [
    "[a|this|] {age_before} {person} [presented|was admitted|was brought in] with {finding}[ and {finding}|, {finding} and {finding}] "
    "for {span}",
    "{finding} [and {finding} |][brought|led] this {age_before} {person} to [the emergency department|us|the clinic] [on {day}|]",
    "[patient|{person}], {age_after}, [seen|referred] [for|because of] {finding}[, together with {finding}|]",
    "~{span} of {finding} and {finding} in a {person} of {age_after}",
    "[{person}|patient] ({age_after}) [reports|describes|complains of] {finding} since {plainday}[, lately also {finding}|]",
]
HISTORY = [
    "[known|long-standing|history of] {background}[, on {usual} {dose}|, takes {usual} {dose} [daily|at night]|]",
    "past history: {background}[; no regular tablets|]",
    "{he_she} has lived with {background} for [years|{few} years|{number} months][ and uses {usual} {dose}|]",
    "[nothing of note|no earlier illness|fit and well] before this",
    "~{background} was found {span} ago and is kept in check with {usual} {dose}",
]
ASIDE = [
    "{his_her} [father|mother|brother] [died of|suffered from|had] {herald}[ at {number}|, aged {number}|]",
    "family history[ of|:] {herald}[ in an aunt|, sister {number}|]",
    "allergic to {allergen}[, {allergen} tolerated|, rash years ago|]",
    "[smokes|smoked] {number} pack-years[, works as a [baker|driver|roofer]|]",
    "{his_her} [wife|husband|father|sister], {number} years[ old|], [has|had] {herald}",
    "{his_her} [sister|brother]'s {analyte} [is|was] {plainvalue}[, kidney donor|]",
    "drinks {number} g of alcohol a [day|week][, stopped {number} years ago|]",
    "weight {weight} kg[, height 1.{tall} m|]",
    "[a friend|{his_her} neighbour|an uncle] [recovered fully|died within days|is no better after years] with {herald}",
    "~the neighbour in the next bed had {herald}",
]
NEGATED = [
    "[no|denies|denied|without] {plainfinding}[ or {plainfinding}|, no {plainfinding}|]",
    "{plainfinding} [was absent|not present|was specifically asked for and denied]",
    "neither {plainfinding} nor {plainfinding}",
    "never had {plainfinding}[ before or since|]",
    "~of {plainfinding} there was no trace",
]
EXAMINATION = [
    "[on examination|examination]: {finding}[, {finding}|]; {vitals}",
    "{vitals}[, {vitals}|]",
    "[we found|the exam showed] {finding}[ and {finding}|], {vitals}",
    "~clinically {finding}; otherwise unremarkable, {vitals}",
]
VITALS = ["BP {pressure} mmHg", "pulse {pulse}/min", "temperature {fever} C", "SpO2 {saturation} %", "urine output {volume} mL",
          "respiratory rate {rate}/min", "peak flow {volume} L/min"]  # fmt: skip
LABORATORY = [
    "[laboratory|bloods|results]: {lab}, {lab}[, {lab}|]",
    "{lab}[ (reference below {plainvalue})|]; {lab}",
    "{analyte} [went|moved|changed] from {value} to {value} [overnight|within {number} h|]",
    "[first|initial] {lab}, later {value}",
    "[lab|results] [showed|gave] {analyte} of {value}[, upper limit {plainvalue}|] and {lab}",
    "~{analyte} stood at {value}, where {plainvalue} is the most we like to see; {lab}",
]
RULED_OUT = [
    "{plaincondition} was [ruled out|excluded] by [CT|ultrasound|culture]",
    "[no evidence of|no sign of|nothing to suggest] {plaincondition}[ on imaging|]",
    "[to rule out|in order to exclude|we first thought of] {plaincondition}, [a scan|an MRI] was done and was [normal|clear]",
    "[work-up|tests] for {plaincondition} [negative|came back clean]",
    "~{plaincondition} had been feared but was not what the biopsy said",
]
DIAGNOSIS = [
    "[diagnosis|impression|assessment]: {condition}",
    "[the picture was that of|findings fit|this turned out to be] {condition}",
    "{condition} was [diagnosed|confirmed|found][ on day {few}|]",
    "[CT|culture|biopsy|ultrasound] [proved|confirmed|showed] {condition}",
    "~it took a second opinion to name it {condition}",
]
TREATMENT = [
    "[started on|given|received] {medication} {dose}[ [twice|three times] daily| every {few} hours|][ and {medication} {dose}|]",
    "{medication} [at|in a dose of] {dose} [was begun|was started], [then|later] {dose}",
    "[treated with|we gave] {choose}{dose} of {medication}[, plus {medication}|]",
    "{medication} was [stopped in favour of|changed to] {medication} {dose}",
    "[dose of|] {medication} [raised|doubled] to {dose}",
    "~{choose}{dose} {medication} for {few} days",
]
NOT_GIVEN = [
    "{plainmedication}[ {plaindose}|] was [considered|discussed] but not given",
    "[declined|refused] {plainmedication}[ {plaindose}|]",
    "{plainmedication} [avoided|withheld] because of [the kidneys|interactions|the allergy]",
    "should this fail, {plainmedication} {plaindose} is [planned|next]",
    "~nothing came of the plan to add {plainmedication}",
]
ADVICE = [
    "[return|come back] at once [if|in case of] {plainfinding}[ or {plainfinding}|]",
    "[told|warned] to look out for {plainfinding}",
    "[aim|target]: {analyte} below {plainvalue}[, salt below 5 g a day|]",
    "[letter|copy] to the [family doctor|practice][, check {analyte} in {few} weeks|]",
    "[side effects such as|possible] {plainfinding} [were explained|discussed]",
    "should {he_she} [get weaker|need more help|feel worse each day], [call us|come back]",
    "[once|when] {he_she} is [free of symptoms|back at work|without complaint], {analyte} is to be checked",
    "[leaflet|talk] on what to do if nothing changes [given|held]",
    "~driving is off until the next visit",
]
COURSE = [
    "[by|on] day {few} {he_she} [felt better|was a little better|seemed to recover] [for a while|at first|]",
    "[on day {few}|in the first night] things [looked worse|got worse] [at first|for a time]",
    "[the first days brought no change|nothing changed in the first {few} days|neither better nor worse until day {few}]",
    "[full recovery was expected|we expected {him_her} to be free of symptoms within days|we hoped for a clean control scan]",
    "[the outlook was thought poor|relatives were told {he_she} might die|the family was called to the bedside in the first night]",
    "[a short stay in intensive care was needed|was moved to intensive care for {few} days|needed oxygen for {few} days]",
    "resuscitation [was needed and worked on day {few}|had been discussed on arrival]",
    "on day {few} [weaker|much worse] than on [arrival|admission], [which passed|a false alarm]",
    "[complaints gone|nothing left of it|symptom-free] by day {few}, [which did not last|but that was too early to judge]",
    "{again} [eased|was milder] on day {few} [for a day or two|only|for a while]",
    "[surgeons were called on day {few} but not needed|a second organ seemed affected at first]",
    "[walked with a stick|managed the stairs] on day {few} [already|before the picture was clear]",
    "the first {few} days were [a standstill|much the same as the day of arrival]",
    "~two good days were followed by a bad one",
    "~for a moment the heart stopped in the scanner, it came back by itself",
]
OUTCOMES = {
    "recovered": [
        "~[asked what was left|asked about complaints] [at the last visit|in {month}] {he_she} [shrugged: nothing|had to think and found none]",
        "by day {days} [eating, walking and sleeping|everything] as [it used to be|before all this], [went home|bed needed no more]",
        "[the month after|in {month}] {he_she} [ran ten kilometres|carried crates again|took up night shifts], [scans|tests] [unremarkable|without a finding]",
        "~[no trace|nothing] of the [disease|illness] on [control|the repeat scan], [drug chart empty|last tablet taken in {month}]",
        "[discharged|went home|left us] [free of symptoms|without any complaint] on day {days}",
        "{he_she} was back [at work|in the garden|on the bicycle] {few} weeks later [as if nothing had happened|and missed nothing]",
        "~[at follow-up|at the last visit] nothing [was left|remained] of [it|the illness], [all tablets stopped|checks normal]",
        "[needs|takes] no [treatment|tablets] any more and [feels|is] as [before|fit as before the illness]",
        "[control scan|repeat tests] clean, [case closed|no further visits planned], [plays football|dances|swims] again",
        "~{again} [gone|settled completely] [within a week|by day {days}], [discharged|sent home], at {few} months still well",
        "~of all that there is not a trace today, says {he_she}, carrying the shopping up four floors",
        "~the practice reports that the file could be shut in {month}",
    ],
    "improved": [
        "~[two of three|some of the] complaints [are history|went away], the [third|rest] [will need|needs] [patience|more weeks]",
        "[from bed to chair|from wheelchair to frame] [by day {days}|in {few} weeks], [the next aim is the garden|not further so far]",
        "[nights are quiet again|sleeps through again], [by day it still bothers|the mornings stay hard]",
        "~[dose could be cut|oxygen could be cut], [not stopped|but not to nil], and {he_she} [is pleased with|speaks of] [some|the] progress",
        "[left|went home] [walking with a stick|with some help], [much|clearly] better than on arrival",
        "{again} [eased|became milder] but [is still there in the evening|has not gone]",
        "~[at follow-up|at the last visit] [about half|most] of the complaints [were left behind|had gone], [some remain|not all]",
        "[discharged|sent home] on day {days} with [less pain relief than|a third of the oxygen needed] at the start",
        "[climbs one flight again|manages the stairs again], [two are still too much|the hill not yet]",
        "~[better|fitter] each week, [rehabilitation goes on|not yet fit for work]",
        "~the worst is over, what is left is a nuisance",
        "~sits up and eats unaided again, the rest will take months",
    ],
    "unchanged": [
        "~[asked whether anything was different|asked about any difference] [at the last visit|in {month}] {he_she} [shook the head|said no]",
        "[week {few}|day {days}]: same complaints, same [findings|strength], same [tablets|dose]",
        "[could do|can do] [exactly|just] what {he_she} could do [on arrival|at the start], [no more and no less|and nothing beyond]",
        "~[a plateau|standstill], [second opinion sought|another drug will be tried]",
        "[at discharge|{few} weeks on|at the last visit] {he_she} is [no different from|as on] [the day of arrival|admission]",
        "neither better nor worse [since|after {few} weeks of treatment]",
        "~[in spite of|for all] the [treatment|tablets] {again} [goes on|persists] to the same degree",
        "[the scan|the picture] [has not moved|shows the same as before], we [watch|wait]",
        "[discharged|went home] on day {days} with the complaints {he_she} came with",
        "~{again} comes and goes [as ever|just as it did], [next visit in spring|review in {few} months]",
        "~what we tried has made no difference so far",
        "~a stalemate: nothing gained, nothing lost",
    ],
    "worsened": [
        "~[from frame to bed|from stick to wheelchair] [by day {days}|in {few} weeks]",
        "[what was one flight of stairs|what was a short walk] is now [out of reach|too much], [and the nights are worse|sleep is gone too]",
        "[dose had to be raised each week|oxygen had to be raised daily] and [still|even so] {he_she} [slips further|has less breath]",
        "~[asked about any difference|asked at the last visit] {he_she} [could hardly answer for lack of breath|was too drowsy to answer]",
        "[on day {days}|in the end] [moved|transferred] to intensive care, [ventilated since|on a ventilator now]",
        "[a second organ|the other side] is now [failing|affected], [surgeons called|transfer arranged]",
        "~[needs|needed] more [oxygen|help] every day and was sent to a larger centre [in that state|]",
        "[at the last visit|{few} weeks on] {he_she} [walks half the distance of the first day|manages less than on admission]",
        "[discharged|left] [at own wish|against advice], weaker than {he_she} came",
        "~{again} [increased|grew] steadily and [new {finding} joined it|nothing stops it]",
        "~the ground lost since arrival is lost every day anew",
        "~today the bed-bound patient can no longer lift the cup that {he_she} held last week",
    ],
    "died": [
        "~[did not live to see|did not reach] [the transfer|the weekend|day {days}]",
        "[ventilation was withdrawn|the ventilator was switched off] [with the family present|on day {days}] [and the heart stopped soon after|and it was over within the hour]",
        "[the bed was empty|room cleared] by {clock}, [chaplain informed|certificate signed]",
        "~[slipped away|went peacefully] [at {clock}|in the night to day {days}]",
        "[died|passed away] on day {days}[ of [organ failure|the bleeding]|]",
        "[resuscitation|resuscitation efforts] [stopped|ended] at {clock}",
        "~the family was at the bedside when [breathing|the heart] stopped [on day {days}|]",
        "[in the early hours|on day {days}] found without pulse, [no attempt to revive, as wished|could not be revived]",
        "[post-mortem|autopsy] [was declined|agreed with the diagnosis]",
        "~the belongings were handed to the relatives at {clock}",
        "~the monitor showed a flat line that did not come back",
    ],
}
RECAP = [
    "[on day {few}|once] {he_she} had been [free of symptoms|without any complaint], [as the nurses remember|a good day]",
    "[looking back|in between], {he_she} had been weaker than on [arrival|admission] [on day {few}|for a night]",
    "[we|the team] had feared {he_she} would [slip away|not reach the weekend|end in intensive care]",
    "[the family|{his_her} sister] asked [early on|on day {few}] whether [it would be gone by {month}|{he_she} would manage the stairs|"
    "things would get worse each week]",
    "[the first|the earlier] [letter|report] spoke of [a plateau|clear progress|complaints that eased|a standstill], [on day {few}|too early]",
    "[another ward|the first clinic] had [planned intensive care|written 'no different'|written 'nothing left'|called the family to the bedside]",
    "[a cousin|{his_her} brother] with [the same|this] illness [died|was back at work soon|ended in a wheelchair|is no different after a year]",
    "~[photos|notes] from day {few} show {him_her} [sitting up unaided|unable to lift a cup|unchanged]",
]
FRAMES = [
    "{outcome}",
    "{outcome}",
    "{outcome}",
    "[against|contrary to] [all|our] expectations, {outcome}",
    "[course|outcome]: {outcome}",
]
