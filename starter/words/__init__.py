"""Words that the command line and the console share: instants, lines, fates, and the rules behind them."""
