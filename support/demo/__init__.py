"""A believable world to try the desk on, and what `manage.py demo` needs to load and serve it.

`state` knows whether the database is the demo's and how far it is; `loading` loads the parts (programs, people,
batches, accounts, story) by the domain's own functions; `examples` keeps what to try; `processes` serves.
"""
