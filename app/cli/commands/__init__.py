"""The commands, one module each; related commands share one."""
