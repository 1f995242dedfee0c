"""How the same service looks when it is written straight from the tutorials.

Strawberry's view, an ORM session for each mutation, one Redis call after the other, and a subscription in which every
connection iterates a channel of `broadcaster`.
"""
