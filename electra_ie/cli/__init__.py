"""The command line: options, tables, exit codes, and the demo.

Heavy modules are imported inside the commands.
"""
