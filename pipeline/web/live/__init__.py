"""Live pictures: read, coloured and shown as they come, always the newest one."""
