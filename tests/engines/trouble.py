"""Work that goes wrong in every way that work can."""

import os
import time

import numpy as np

HANGS = 600.0


def work(item):
    """Do what the item says."""
    if item == "hang":
        time.sleep(HANGS)
    elif item == "raise":
        raise KeyError("a bug")
    elif item == "eat":
        eaten = []
        while True:
            eaten.append(np.ones(2_000_000))
    elif item == "exit":
        os._exit(3)
    elif item == "abort":
        os.abort()
    elif item == "shout":
        os.write(1, b"noise on standard output")
    return item, os.getpid()
