"""The page on which a person labels texts: `electra-ie label`.

The store (`record_files`, `journal`, `store`) keeps the annotations in the files of the task, `text_order` decides what
comes next, `session` saves, suggests and trains, and `server` answers the page.
"""
