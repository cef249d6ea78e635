"""DOOR. Mail in: port 25 for operators, submission for clients and software."""
