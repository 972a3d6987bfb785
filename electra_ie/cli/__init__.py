"""The command line: options, tables, exit codes, and the demo.

May import everything else of the package. Heavy modules are imported inside the commands.
"""
