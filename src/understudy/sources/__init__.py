"""Files that tables come from, and the files that rejected rows go to."""
