"""The bench: this gateway against Postfix with Dovecot, same load, same certificates, same disk, in turn."""
