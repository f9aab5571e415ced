"""The networks, behind one registry."""
