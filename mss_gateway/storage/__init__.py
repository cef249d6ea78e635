"""ARM. Where everything is kept: one folder for each database, all passing one contract."""
