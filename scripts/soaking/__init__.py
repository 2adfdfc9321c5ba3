"""The long form of the promises: what is held against the house for as long as it takes.

One module a promise, each with a function that is given a `Soak` (a folder, and how long) and
gives rows as the benches do. `promises` lists them by the names of `scripts/soak --only`;
docs/explanation/promises.md says what was measured last. The tests run the short forms.
Nothing the product runs imports this package.
"""
