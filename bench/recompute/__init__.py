"""Every figure of a report once more, from the raw predictions and by another route.

What was drawn by lot is drawn anew, and may differ as far as chance allows; only which rows went where is taken over.
Not recomputed are the figures of models that a diagnosis fitted again and did not keep, the coefficients of a linear
member, how many suspected labels the likelihood calls wrong, and the bounds of biases and of what groups differ by:
these have simulations of their own in the tests.
"""
