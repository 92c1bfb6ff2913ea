"""The chapters of the report, one module for each finding."""
