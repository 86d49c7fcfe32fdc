"""An invoice: its record, its key, its states, the policies that hold it, its credit notes."""
