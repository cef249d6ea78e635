"""DOOR. What ops ask of a gateway: operations by name, over a private socket or in process."""
