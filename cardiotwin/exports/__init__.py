"""The twin for other programs: ParaView, openCARP, label maps."""
