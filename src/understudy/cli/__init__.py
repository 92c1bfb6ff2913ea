"""The commands: parse, call one flow, show."""
