"""Names for case notes, by clinical picture. The last part of each list occurs in the dev and test splits only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Picture:
    """A clinical picture: findings, conditions, medications with their doses, and keys of `LABS`, used in one note."""

    findings: list[str]
    conditions: list[str]
    medications: dict[str, tuple[str, ...]]
    labs: tuple[str, ...]


def words(text: str) -> list[str]:
    """Split a text at its bars."""
    return [word.strip() for word in text.replace("\n", " ").split("|")]


TABLET = ("5 mg", "10 mg", "20 mg", "2.5 mg")
STRONG = ("500 mg", "250 mg", "750 mg", "1 g")
VIAL = ("1 g", "2 g", "1.5 g", "4.5 g")
MICRO = ("50 mcg", "75 micrograms", "100 mcg", "25 µg")
UNITS = ("10 units", "14 IU", "6 units", "22 IU")
PUFFS = ("2 puffs", "100 mcg", "one puff")

PICTURES = {
    "chest": Picture(
        words("shortness of breath|productive cough|wheeze|pleuritic chest pain|coarse crackles|haemoptysis|night sweats|rusty sputum|"
              "air hunger|dullness at the right base|barking cough"),
        words("pneumonia|COPD|asthma|pleural effusion|bronchiectasis|pulmonary embolism|lung abscess|empyema|sarcoidosis"),
        {"amoxicillin": STRONG, "doxycycline": ("100 mg", "200 mg"), "salbutamol": PUFFS, "prednisolone": ("30 mg", "40 mg"),
         "ceftriaxone": VIAL, "tiotropium": ("18 mcg", "2 puffs"), "levofloxacin": STRONG, "piperacillin": VIAL,
         "azithromycin": STRONG, "budesonide": PUFFS},
        ("CRP", "white cells", "lactate", "procalcitonin", "D-dimer")),
    "heart": Picture(
        words("crushing chest pain|palpitations|ankle swelling|orthopnoea|a raised venous pressure|irregular pulse|a new systolic murmur|"
              "cold extremities|syncope|basal crepitations|a gallop rhythm"),
        words("heart failure|atrial fibrillation|myocardial infarction|hypertension|aortic stenosis|endocarditis|pericarditis|"
              "myocarditis|cardiac amyloidosis"),
        {"furosemide": ("40 mg", "80 mg", "20 mg"), "bisoprolol": TABLET, "ramipril": TABLET, "apixaban": TABLET,
         "amiodarone": ("200 mg", "300 mg"), "aspirin": ("75 mg", "300 mg", "100 mg"), "spironolactone": ("25 mg", "50 mg"),
         "torasemide": TABLET, "edoxaban": ("30 mg", "60 mg"), "colchicine": ("500 mcg", "0.5 mg")},
        ("troponin", "NT-proBNP", "potassium", "creatinine", "haemoglobin")),
    "belly": Picture(
        words("epigastric pain|bilious vomiting|black stools|jaundice|a tender liver edge|bloating|loose stools|guarding|rebound tenderness|"
              "shifting dullness|right iliac fossa pain|clay-coloured stools"),
        words("acute pancreatitis|cholecystitis|peptic ulcer|Crohn's disease|cirrhosis|appendicitis|diverticulitis|ischaemic colitis|"
              "autoimmune hepatitis|coeliac disease"),
        {"pantoprazole": ("40 mg", "80 mg"), "metronidazole": STRONG, "ondansetron": ("4 mg", "8 mg"), "mesalazine": ("2.4 g", "1 g"),
         "lactulose": ("15 mL", "30 mL"), "azathioprine": ("50 mg", "100 mg"), "rifaximin": ("550 mg",), "esomeprazole": ("20 mg", "40 mg"),
         "terlipressin": ("1 mg", "2 mg"), "ertapenem": VIAL},
        ("lipase", "bilirubin", "ALT", "albumin", "haemoglobin")),
    "kidney": Picture(
        words("flank pain|frothy urine|visible haematuria|dysuria|facial puffiness|urinary frequency|scanty urine|suprapubic pain|rigors|"
              "loin tenderness|nocturia|cloudy urine"),
        words("pyelonephritis|nephrotic syndrome|acute kidney injury|ureteric stone|lupus nephritis|cystitis|IgA nephropathy|urosepsis|"
              "interstitial nephritis"),
        {"ciprofloxacin": STRONG, "nitrofurantoin": ("100 mg", "50 mg"), "gentamicin": ("240 mg", "320 mg"), "tamsulosin": ("400 mcg",),
         "mycophenolate": ("1 g", "500 mg"), "calcium gluconate": ("10 mL",), "cefuroxime": STRONG, "pivmecillinam": ("400 mg", "200 mg"),
         "rituximab": ("1 g", "375 mg"), "fosfomycin": ("3 g",)},
        ("creatinine", "urea", "potassium", "CRP", "albumin")),
    "nerves": Picture(
        words("a thunderclap headache|left arm weakness|slurred speech|double vision|an unsteady gait|neck stiffness|tingling in both feet|"
              "word-finding trouble|photophobia|a facial droop|brisk reflexes|resting tremor"),
        words("ischaemic stroke|multiple sclerosis|epilepsy|bacterial meningitis|migraine|Guillain-Barre syndrome|Parkinson's disease|"
              "myasthenia gravis|herpes encephalitis"),
        {"levetiracetam": STRONG, "aciclovir": ("750 mg", "600 mg"), "clopidogrel": ("75 mg", "300 mg"), "dexamethasone": ("8 mg", "10 mg"),
         "sumatriptan": ("50 mg", "6 mg"), "methylprednisolone": ("1 g", "500 mg"), "lamotrigine": ("25 mg", "100 mg"),
         "pyridostigmine": ("60 mg", "30 mg"), "alteplase": ("50 mg", "63 mg"), "valproate": STRONG},
        ("sodium", "glucose", "CRP", "CSF protein", "ferritin")),
    "glands": Picture(
        words("excessive thirst|weight loss|fatigue|cold intolerance|heat intolerance|muscle cramps|a fine tremor|dry skin|hair loss|"
              "deep sighing breathing|darkened palms|a smooth goitre"),
        words("type 2 diabetes|hypothyroidism|Graves' disease|Addison's disease|diabetic ketoacidosis|hyperparathyroidism|"
              "Cushing's syndrome|phaeochromocytoma|pituitary adenoma"),
        {"metformin": ("850 mg", "1 g", "500 mg"), "levothyroxine": MICRO, "insulin glargine": UNITS, "hydrocortisone": ("100 mg", "20 mg"),
         "carbimazole": ("20 mg", "40 mg"), "empagliflozin": ("10 mg", "25 mg"), "insulin lispro": UNITS, "cinacalcet": ("30 mg", "60 mg"),
         "fludrocortisone": ("100 mcg", "0.1 mg"), "liothyronine": MICRO},
        ("glucose", "TSH", "calcium", "sodium", "HbA1c")),
    "joints": Picture(
        words("a hot swollen knee|morning stiffness|low back pain|a spreading rash|tender finger joints|mouth ulcers|a red swollen calf|"
              "blistering skin|a weeping leg ulcer|heel pain|nail pitting|fingertip pallor"),
        words("gout|rheumatoid arthritis|cellulitis|septic arthritis|psoriasis|lupus|deep vein thrombosis|giant cell arteritis|"
              "ankylosing spondylitis|dermatomyositis"),
        {"naproxen": ("500 mg", "250 mg"), "methotrexate": ("15 mg", "10 mg"), "flucloxacillin": STRONG, "allopurinol": ("100 mg", "300 mg"),
         "hydroxychloroquine": ("200 mg", "400 mg"), "enoxaparin": ("60 mg", "80 mg"), "adalimumab": ("40 mg",), "vancomycin": ("1 g", "750 mg"),
         "febuxostat": ("80 mg", "120 mg"), "clindamycin": ("300 mg", "600 mg")},
        ("urate", "CRP", "ESR", "white cells", "platelets")),
}  # fmt: skip

LABS = {
    "CRP": (3, 260, "mg/L", 0), "white cells": (3, 24, "x10^9/L", 1), "lactate": (0.8, 6, "mmol/L", 1),
    "procalcitonin": (0.1, 18, "ng/mL", 1), "D-dimer": (180, 4200, "ng/mL", 0), "troponin": (6, 900, "ng/L", 0),
    "NT-proBNP": (90, 9000, "pg/mL", 0), "potassium": (2.8, 6.4, "mmol/L", 1), "creatinine": (58, 420, "µmol/L", 0),
    "haemoglobin": (68, 158, "g/L", 0), "lipase": (30, 2400, "U/L", 0), "bilirubin": (8, 190, "µmol/L", 0),
    "ALT": (18, 860, "U/L", 0), "albumin": (19, 42, "g/L", 0), "urea": (3, 34, "mmol/L", 1), "sodium": (118, 146, "mmol/L", 0),
    "glucose": (3, 31, "mmol/L", 1), "CSF protein": (0.3, 2.9, "g/L", 1), "ferritin": (9, 1400, "µg/L", 0),
    "TSH": (0.1, 48, "mIU/L", 1), "calcium": (1.9, 3.3, "mmol/L", 2), "HbA1c": (38, 112, "mmol/mol", 0),
    "urate": (240, 640, "µmol/L", 0), "ESR": (8, 110, "mm/h", 0), "platelets": (60, 520, "x10^9/L", 0),
}  # fmt: skip

DOSES = {drug: doses for _, picture in sorted(PICTURES.items()) for drug, doses in picture.medications.items()}

HERALDS = words(
    "breast cancer|haemophilia|sickle cell disease|colon cancer|bipolar disorder|cystic fibrosis|Huntington's disease|tuberculosis"
)
ALLERGENS = words("penicillin|codeine|ibuprofen|sulfonamides|latex|erythromycin|iodine contrast|morphine")
WITH_CUES = {
    "finding": words("non-productive cough|lack of energy|absent ankle jerks|past-pointing|inability to bear weight|loss of taste|"
                     "absent bowel sounds|a non-healing wound"),
    "condition": words("non-small cell lung cancer|familial tremor|gram-negative sepsis|absence seizures|non-alcoholic steatohepatitis|"
                       "non-Hodgkin lymphoma|familial Mediterranean fever|Rh-negative anaemia"),
}  # fmt: skip
"""Names that contain words which often negate or attribute to the family, and do not here."""

SHORTENINGS = {
    "history": "hx", "treatment": "tx", "diagnosis": "dx", "with": "w/", "without": "w/o", "patient": "pt", "discharged": "d/c'd",
    "examination": "exam", "presented": "pres.", "admitted": "adm", "temperature": "temp", "laboratory": "lab", "daily": "od",
    "and": "&", "days": "d", "weeks": "wks", "hours": "hrs", "started": "strtd", "family": "fam",
    "negative": "neg", "normal": "nl", "because": "bc", "between": "btw", "complaints": "c/o", "increased": "incr",
}  # fmt: skip
