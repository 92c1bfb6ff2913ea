"""How powerful the evidence is, and whether its promises hold: tables and plots by simulation."""
