"""PURE. What is allowed and what follows: facts in, decisions out."""
