"""DOOR. Mail read: IMAP for clients and software, one file for each family of commands."""
