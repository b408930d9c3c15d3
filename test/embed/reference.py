"""The official block's formulas in double precision, one token after another."""
import numpy as np


def silu(x):
    return x / (1 + np.exp(-x))


def softplus(x):
    return np.logaddexp(0, x)


def scan(u, delta, A, B, C):
    """h = exp(delta A) h + delta u B, y = C h; u, delta [L, E], A [E, N], B, C [L, N]"""
    h, y = np.zeros_like(A), np.zeros_like(u)
    for t in range(len(u)):
        h = np.exp(delta[t][:, None] * A) * h + (delta[t] * u[t])[:, None] * B[t]
        y[t] = h @ C[t]
    return y


def linear(x, modality, weight):
    """Each row by its modality's weight [groups, out, in], or by the one there is [out, in]."""
    if weight.ndim == 2:
        return x @ weight.T
    return np.stack([weight[m] @ row for m, row in zip(modality, x)]) if len(x) else \
        np.zeros((0, weight.shape[1]))


def bias(modality, values):
    return values[modality] if values.ndim == 2 else values


def block(w, x, modality, lengths):
    """The block on documents of these lengths: x [tokens, D], w by momc's names."""
    E, N = w["A_log"].shape
    R, width = w["dt_proj.weight"].shape[-1], w["conv.weight"].shape[-1]
    out, start = [], 0
    for length in lengths:
        rows = slice(start, start + length)
        m = modality[rows]
        a, z = np.split(linear(x[rows], m, w["in_proj.weight"]), 2, 1)
        padded = np.concatenate([np.zeros((width - 1, E)), a])
        u = silu(sum(padded[k:k + length] * w["conv.weight"][:, k] for k in range(width))
                 + w["conv.bias"])
        r, B, C = np.split(linear(u, m, w["x_proj.weight"]), [R, R + N], 1)
        delta = softplus(linear(r, m, w["dt_proj.weight"]) + bias(m, w["dt_proj.bias"]))
        h = scan(u, delta, -np.exp(w["A_log"]), B, C)
        out.append(linear((h + w["skip"] * u) * silu(z), m, w["out_proj.weight"]))
        start += length
    return np.concatenate(out)


def close(got, want, rtol, what):
    """||got - want|| <= rtol ||want|| + 1e-6 sqrt(n)"""
    got, want = np.asarray(got, np.float64).ravel(), np.asarray(want, np.float64).ravel()
    assert got.shape == want.shape, (what, got.shape, want.shape)
    error, limit = np.linalg.norm(got - want), rtol * np.linalg.norm(want) + 1e-6 * got.size ** 0.5
    assert error <= limit, f"{what}: off by {error:.3g}, at most {limit:.3g}"
