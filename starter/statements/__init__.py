"""Statements as files: HTML, PDF, CSV and XLSX."""
