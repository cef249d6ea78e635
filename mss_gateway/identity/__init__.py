"""ARM. Logins and passwords, certificates of software, and what slows a guesser down."""
