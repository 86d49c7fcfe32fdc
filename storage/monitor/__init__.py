"""The figures that the process `perdure metrics` serves: few statements, each of a bounded number of rows."""
