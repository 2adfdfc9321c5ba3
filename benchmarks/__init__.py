"""Ratios against peers, measured side by side in one run. Run by `scripts/bench`.

Read it in this order: `rows` is what a bench gives, `turns` how two sides are timed; `bench` holds
what several measurements need (photos, weights, compiled models); `embed` lists the measurements
of the bench of that name, which are in `towers`, `files`, `peers`, `serving` and `accelerator`.
`running` measures one part after another; `table` and `__main__` show the rows. Nothing the product
runs imports this package.
"""

import latent  # noqa: F401  # before numpy, as the product does: BLAS is to have one thread
