"""What the query engine is made of: pure Python over numpy, no web.

Reading order: `parts`, `phrases` and `nouns` (what is asked) → `directions` (where that lies) →
`questions` (plan and answer) → `nearby` and `relevance` (candidates, and whether they are meant) →
`arranging` with `fusion`, `grouping`, `diversity`, `sorting` (lists that are more) → `walks`,
`cursors`, `kinds`.
"""
