"""How the bundled model `mini` is made: photos, backbone, recipe, export.

Run by `scripts/train`; needs torch and sentence-transformers (extra `models`) and the training
data. Nothing the product runs imports this package.

Reading order: `photos` (what is learnt from) → `backbone` (what learns) → `recipe` (how) →
`export` (what is shipped).
"""
