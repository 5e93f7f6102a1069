"""Writes exact binomial intervals and p values of SciPy 1.17.1, and Krippendorff's alpha of the package krippendorff 0.9.0,
as JSON lines.

    pip install scipy==1.17.1 krippendorff==0.9.0
    python test/statistics/make_votes_fixture.py > test/statistics/fixtures/votes.jsonl

`binomial`: [right, samples, level, low, high, p of a fair coin]. `agreement`: labels of random raters by unit, some missing, with
`alpha`, null where all labels that can be paired are the same.
"""

import json
import random

import krippendorff
import numpy as np
from scipy.stats import binomtest

rng = random.Random(1)

binomial = []
cases = [(0, 1), (1, 1), (0, 30), (30, 30), (1, 2), (7, 50), (50, 100), (99, 100), (12, 17), (600, 1319), (2, 5000)]
for right, samples in cases + [(rng.randint(0, n), n) for n in (rng.randint(1, 400) for _ in range(30))]:
    for level in (0.95, 0.99):
        test = binomtest(right, samples)
        ends = test.proportion_ci(level, method="exact")
        binomial.append([right, samples, level, float(ends.low), float(ends.high), float(test.pvalue)])

agreement = []
for _ in range(60):
    raters, units = rng.randint(2, 5), rng.randint(2, 12)
    labels = ["win", "loss", "tie"][: rng.randint(1, 3)]
    bias, missing = rng.random(), rng.choice([0, 0.2, 0.5])
    data = [[labels[0] if rng.random() < bias else rng.choice(labels) for _ in range(units)] for _ in range(raters)]
    data = [[None if rng.random() < missing else label for label in row] for row in data]
    by_unit = [[row[unit] for row in data if row[unit] is not None] for unit in range(units)]
    paired = [label for labels_ in by_unit if len(labels_) > 1 for label in labels_]
    if not paired:
        continue
    alpha = None
    if len(set(paired)) > 1:
        codes = np.array([[np.nan if label is None else labels.index(label) for label in row] for row in data], dtype=float)
        alpha = float(krippendorff.alpha(reliability_data=codes, level_of_measurement="nominal"))
    agreement.append({"units": by_unit, "alpha": alpha})

for row in binomial:
    print(json.dumps({"binomial": row}))
for row in agreement:
    print(json.dumps(row))
