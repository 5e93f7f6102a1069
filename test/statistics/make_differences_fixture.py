"""Prints the expected numbers of test/statistics/difference.test.ts: the adjusted Student's t interval of paired differences, with its p.

    python test/statistics/make_differences_fixture.py

Needs numpy and scipy.
"""

import numpy as np
from scipy import stats


def adjusted(changes, step, level=0.95):
    """The t interval of the changes and two more, with the degrees of freedom of the changes alone; in points."""
    extended = np.append(changes, [step, -step])
    center, error = extended.mean(), stats.sem(extended)
    half = stats.t.ppf((1 + level) / 2, len(changes) - 1) * error
    p = 2 * stats.t.sf(abs(center) / error, len(changes) - 1)
    return 100 * (center - half), 100 * (center + half), p


def root_mean_square(values):
    return np.sqrt((values**2).mean())


print("5 better and 12 worse in 80:", adjusted(np.repeat([1.0, -1.0, 0.0], [5, 12, 63]), 1))

left = np.array([[3, 10], [5, 9], [2, 8], [8, 12], [4, 7], [7, 11], [1, 5], [6, 9]])
right = np.array([[2, 9], [5, 9], [3, 10], [6, 12], [4, 8], [7, 11], [2, 6], [5, 8]])


def ratio(rows):
    return rows[:, 0].sum() / rows[:, 1].sum()


n = len(left)
estimate = ratio(left) - ratio(right)
left_out = np.array([ratio(np.delete(left, i, 0)) - ratio(np.delete(right, i, 0)) for i in range(n)])
changes = estimate + (n - 1) * (left_out.mean() - left_out)
changed = (left != right).any(axis=1).sum()
print("ratio of sums:", adjusted(changes, np.sqrt((changes**2).sum() / changed)))
