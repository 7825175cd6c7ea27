"""What platforms' servers are told: gathered from the records, kept in an outbox, signed and sent until it is taken."""
