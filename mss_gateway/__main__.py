"""`python -m mss_gateway`."""

from mss_gateway.cli import main

main()
