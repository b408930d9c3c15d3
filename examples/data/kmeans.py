"""K-means over bytes, with the same answer on every machine.

Points and centroids are whole numbers from 0 to 255. A dot product of D such
numbers is at most D * 255 * 255, which single precision holds exactly for
D <= 128, so the fast matrix product gives the same distances whatever order,
vector width or thread count the installed BLAS uses. Centroids are exact
integer sums, rounded once. Nothing is left to floating-point luck.
"""

import numpy as np

ROWS = 8192  # points a block: bounds the memory of the distance table


def nearest(points, centroids):
    """The nearest centroid of each point (ties: the lowest number), and by how
    much it is nearest: squared distance less the point's own squared norm."""
    assert points.dtype == centroids.dtype == np.uint8 and points.shape[1] <= 128
    c = centroids.astype(np.float32)
    norm = (c * c).sum(axis=1)  # [K], exact
    label = np.empty(len(points), np.int64)
    score = np.empty(len(points), np.float32)
    for begin in range(0, len(points), ROWS):
        block = points[begin:begin + ROWS].astype(np.float32)  # [R, D]
        distance = norm - 2 * (block @ c.T)  # [R, K], exact
        best = distance.argmin(axis=1)
        label[begin:begin + ROWS] = best
        score[begin:begin + ROWS] = distance[np.arange(len(block)), best]
    return label, score


def learn(points, codes, seed, limit=40000, rounds=12, report=None):
    """A codebook U8 [codes, D] for points U8 [N, D].

    Only distinct points are kept, at most `limit` of them, each weighted by the
    square root of its count: flat white or silence is most of the data and
    would otherwise take most of the codes.
    """
    distinct, count = np.unique(points, axis=0, return_counts=True)
    draw = np.random.Generator(np.random.PCG64(seed))
    keep = np.sort(draw.permutation(len(distinct))[:limit])
    distinct, weight = distinct[keep], np.sqrt(count[keep]).astype(np.int64)
    if len(distinct) < codes:  # a tiny corpus: repeated codes are never chosen
        distinct = np.resize(distinct, (codes, distinct.shape[1]))
        weight = np.resize(weight, codes)
    squared = (distinct.astype(np.int64) ** 2).sum(axis=1)
    centroids = distinct[np.sort(draw.permutation(len(distinct))[:codes])]

    for turn in range(rounds):
        label, score = nearest(distinct, centroids)
        error = (score.astype(np.int64) + squared) * weight
        if report:
            mean = error.sum() / weight.sum() / points.shape[1]
            report(f"k-means round {turn + 1}/{rounds}: off by {mean ** 0.5:.1f} of 255")
        order = np.argsort(label, kind="stable")
        used, first = np.unique(label[order], return_index=True)
        mass = np.add.reduceat(weight[order], first)[:, None]
        total = np.add.reduceat((distinct * weight[:, None])[order], first, axis=0)
        moved = centroids.copy()
        moved[used] = ((2 * total + mass) // (2 * mass)).astype(np.uint8)
        # A centroid that no point chose goes to one of the worst-served points.
        idle = np.setdiff1d(np.arange(codes), used)
        moved[idle] = distinct[np.argsort(-error, kind="stable")[:len(idle)]]
        if np.array_equal(moved, centroids):
            break
        centroids = moved
    return centroids
