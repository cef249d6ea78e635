"""mss-gateway: the mail gateway for French secure health messaging (MSSanté)."""

__version__ = "0.1.0"
