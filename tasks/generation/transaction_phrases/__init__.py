"""Templates of payment records (see `grammar`): a module for the story of each flag, and one for what all records share.

A template without a mark occurs in all splits, one with `~` in dev, test and the unlabeled file, one with `!` in test
only. A third of each list has `!`: the same facts as in the other templates of the list, in other words. `{amount paid_to
party}` inserts nothing: it states a relation between what fills the slots (see `transaction_relations`).
"""

from tasks.generation.transaction_phrases.mule_account import MULE_ACCOUNT
from tasks.generation.transaction_phrases.sanctions_exposure import SANCTIONS_EXPOSURE
from tasks.generation.transaction_phrases.shell_company import SHELL_COMPANY
from tasks.generation.transaction_phrases.structuring import STRUCTURING
from tasks.generation.transaction_phrases.trade_mispricing import TRADE_MISPRICING

STORIES = {
    "structuring": STRUCTURING,
    "sanctions_exposure": SANCTIONS_EXPOSURE,
    "shell_company": SHELL_COMPANY,
    "mule_account": MULE_ACCOUNT,
    "trade_mispricing": TRADE_MISPRICING,
}
