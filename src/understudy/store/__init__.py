"""What is remembered: SQL tables, content-addressed files and the hash-chained event log."""
