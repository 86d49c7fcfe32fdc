"""What people do, for the command line and the console: plans that say what will happen, and the results."""
