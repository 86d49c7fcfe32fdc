"""What the shell meets: commands that load when they run, completion, the version, examples for the help."""
