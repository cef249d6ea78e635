"""ARM. Who has a mailbox here, and where every other address lives."""
