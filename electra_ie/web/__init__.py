"""What the local servers share: the application with its protections, style, scripts, errors, and how it is run.

It imports no torch. Its modules need the packages of the extra `serve`; `web.installed` says so where they are missing.
"""
