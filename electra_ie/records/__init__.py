"""Records: the findings of a text grouped into the fields of `record` in task.yaml, each with a typed value.

`grouping` makes records of findings or of gold, `scoring` compares both, `writing` writes them. They read no
model, and import no torch.
"""
