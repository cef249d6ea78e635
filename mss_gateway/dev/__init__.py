"""The throw-away trust space: a gateway on loopback, its PKI, its sample mailboxes, and a tour of it."""
