"""Invented names for payment records. The last part of each list occurs in the dev and test splits only."""

from __future__ import annotations

GIVEN = """Amara Bram Celeste Dmitri Elif Farouk Greta Henrik Ines Jamal Kirsten Leandro Mirela Nadim Oksana Pavel
Quentin Rosalind Stefan Tamsin Ulrike Viktor Wanda Yusuf Zainab Anneliese Bogdan Chiara Desmond Esra Florian Giulia
Hamid Ilse Joaquim Katya Lorcan Mehmet Nneka Olu Pilar Ravi Siobhan Tomasz Uzma Vesna Xiomara Yasmin Zoltan
Abena Birgit Caspian Divya Emeka Freya Gulnara Hector Ioana Jelena Kofi Ludmila Matteo Noor Orsolya Priya Rasmus
Sunniva Teodor Umut Veerle Wiremu Ximena Yevgenia Zdenka""".split()

FAMILY = """Abarca Bentzen Corvino Dhillon Eskola Ferreira Gantner Holub Ivarsson Jurado Kessler Lindqvist Mbeki
Nakamura Okafor Petrescu Quintero Rahmani Sandoval Tvedt Ustinov Varga Weidmann Yilmaz Zeman Achterberg Bielski
Castellano Dragomir Engstrom Fairweather Goransson Haddad Iyer Jankowski Kovacs Lombardi Mwangi Novotny Oyelaran
Pritchard Rasmussen Sokolov Takacs Underhill Vasquez Wexford Yamada Zielinski
Adeyemi Brandvold Cisneros Dubrovsky Etxeberria Fontaine Grigoryan Halloran Isaksen Jovanovic Kaplan Laskaris
Montagne Nikolaidis Osterman Papadakis Quayle Rybak Szabo Thorvald Uzun Vandenberg Wojcik Yordanov Zapatero""".split()

COMPANY_HEADS = """Alderpoint Brightquay Cobaltine Dunmarrow Everlode Fennwick Glasmere Harrowgate Inverlith Juniper-Vale
Kestrelbay Lumenfold Marlinspur Northcairn Orrinvale Pellworth Quillstone Redfathom Silverstrand Tarnbrook Umbercliff
Velmora Westerlund Yarrowfield Zephyrine Amberloch Birchhaven Calderon-Mist Drystane Eastmoorland Falkenrath
Greywether Hollinbeck Ironquay Jadecrest Korvanta Larkmeadow Mossbridge Nettlecombe Oakhurst-Lane Palisander Quarrymoss
Rookhaven Saltmarch Thornfell Ulverdale Vantermeer Wyndlass Xanthera Yewbarrow Zandvliet
Ashgrovian Bellmarsh Cresthollow Dovecairn Elmsworth Frostmere Gallowmere Heronsgate Islemoor Kingsferrow Lochwinnet
Merrowdane Nimbusgate Osmerra Pinecroft-Bay Quenbridge Ravensmoor Stonehurl Tidewrack Undermill Voltaryn Wexmoor
Ymirdal Zellinger Arkenfold Blauwater Corvustrom Dunelight Emberlyn""".split()

COMPANY_MIDDLES = """Trading Logistics Holdings Commodities Textiles Ceramics Minerals Consulting Shipping Agro Foods
Chemicals Electronics Machinery Marine Partners Ventures Metals Services Import-Export
Polymers Optics Timber Advisory Freight Resources Instruments Pharma Packaging Solutions""".split()

COMPANY_FORMS = """Ltd GmbH SA LLC BV AB Oy SpA Inc SRL Pte. Ltd FZE AG LLP SARL d.o.o. Sp. z o.o. Kft""".replace(
    "Pte. Ltd", "Pte._Ltd").replace("Sp. z o.o.", "Sp._z_o.o.").split()  # fmt: skip

COUNTRIES = """Latvia|Cyprus|Panama|Singapore|Turkey|Germany|France|Poland|Nigeria|Kenya|Brazil|Mexico|Vietnam|Thailand|
Malaysia|Spain|Italy|Portugal|Greece|Romania|Bulgaria|Serbia|Ukraine|Georgia|Armenia|Kazakhstan|Egypt|Morocco|Ghana|
South Africa|India|Pakistan|Bangladesh|Philippines|Indonesia|United Arab Emirates|Hong Kong|Switzerland|Ireland|
Netherlands|Belize|Seychelles|Marshall Islands|Malta|Estonia|
Lithuania|Mauritius|Uzbekistan|Peru|Chile|Colombia|Jordan|Oman|Sri Lanka|Tanzania|Norway|Finland|Austria|Albania|
Moldova""".replace("\n", "").split("|")

EMBARGOED = ["Iran", "North Korea", "Syria", "Russia", "Belarus", "Cuba", "Sudan", "Myanmar"]

CITIES = """Leeds Rotterdam Hamburg Porto Gdansk Lyon Bilbao Malmo Antwerp Trieste Graz Bergen Cork Dresden Utrecht
Turku Aarhus Brno Split Varna Genoa Nantes Ghent Linz Tartu Bristol""".split()

BRANCHES = """Harbour St|Old Town|Main Sq|Station Rd|North Gate|Market Hall|Riverside|Airport|Georgia St|Mill Lane|
University|West Park|Canal Quay|Hill Rd|Poland Ave|Jordan Sq|Kings Cross|East Dock""".replace("\n", "").split("|")

BANKS = """Nordhaven Bank|First Meridian Bank|Banca Altavista|Eurokanal Bank|Bank of Terravale|Kredit Union Sund|
Cyprus Maritime Bank|Handelsbank Elmau|Pacific Crown Bank""".replace("\n", "").split("|")

GOODS = """copper cathode|frozen shrimp|cotton yarn|ball bearings|LED panels|olive oil|coffee beans|steel coil|mobile phones|
saffron|ceramic tiles|solar inverters|sunflower oil|plastic granulate|hydraulic pumps|leather hides|
gold dore|graphics cards|scrap aluminium|cashew kernels|medical gloves|tyre cord|vanilla pods|brake discs""".replace(
    "\n", "").split("|")  # fmt: skip

SERVICES = """spare parts|office furniture|software licence|marketing services|freight charges|website design|market study|
machine overhaul|catering|consultancy|printing|legal advice|roof repair|booth rental|translation work|
crane hire|interior fittings|packaging design|soil survey|lab equipment|event staffing""".replace("\n", "").split("|")

SHOPS = """bakery|car wash|petrol station|kebab shop|supermarket|florist|market stall|hairdresser|kiosk|restaurant|
launderette|garden centre|fish stall""".replace("\n", "").split("|")

VESSELS = ["Alcyone Star", "Brisa Norte", "Mare Lucent", "Pelagia II", "Ocean Thistle", "Gulf Lantern", "Sea Marten"]

MONTHS = "January February March April May June July August September October November December".split()
WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday".split()
NUMBERS = "three four five six seven eight".split()

SHORTENINGS = {
    "account": "acct", "payment": "pmt", "payments": "pmts", "transfer": "trf", "transfers": "trfs", "customer": "cust",
    "beneficiary": "bene", "invoice": "inv", "company": "co", "reference": "ref", "received": "rcvd", "amount": "amt",
    "deposit": "dep", "deposits": "deps", "monday": "mon", "tuesday": "tue", "wednesday": "wed", "thursday": "thu",
    "friday": "fri", "approximately": "approx", "december": "dec", "january": "jan", "february": "feb", "march": "mar",
    "september": "sept", "october": "oct", "november": "nov", "with": "w/", "without": "w/o", "and": "&",
    "compliance": "compl", "manager": "mgr", "quantity": "qty", "branch": "br", "between": "btw", "registered": "regd",
    "documents": "docs", "incorporated": "inc'd", "withdrawn": "w/drawn", "previous": "prev", "please": "pls",
    "agreement": "agmt", "contract": "contr", "declaration": "decl", "management": "mgmt",
}  # fmt: skip
