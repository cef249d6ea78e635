"""The straight line of one message: intake, gather, accept. See mss_gateway/README.md."""
