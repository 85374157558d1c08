"""Pages that manage who there is: keys, tenants, environments, people, oneself, and the log of all changes.

Each is a list beside the form that makes a new one; a thing has a page of its own, where it is changed or ended with
the consequence in words. Forms are plain: they work without a script.
"""
