"""How the bundled model `mini` is made: photos, backbone, recipe, export.

Run by `scripts/train`; needs torch and sentence-transformers (extra `models`) and the training
data. Nothing the product runs imports this package.

Reading order: `recipe` (the numbers) → `photos`, `words` (what is learnt from) → `backbone` (what
learns) → `views`, `lesson` (made once and kept) → `learning` (how) → `tower` (put together) →
`export` (what is shipped).
"""
