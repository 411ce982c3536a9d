"""Escrow in a contract: what the worker of `manage.py run_chain` is made of.

web3 and what belongs to it is imported inside functions: it takes a second and sixty megabytes, and a web process that only
inserts operations needs none of it.
"""
