"""The outbox: events are recorded in the transaction of their fact, and then get their positions."""
