"""ARM: carries mail to other operators over mutual TLS (TRU-5)."""
