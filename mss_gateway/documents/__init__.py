"""ARM: IHE_XDM archives and CDA documents, read safely and built conformantly (INS-6)."""
