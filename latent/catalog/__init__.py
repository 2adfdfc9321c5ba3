"""The truth about every collection: `catalog` → `writes`, `changes` → `tables`, `rows`.

`opening` makes and upgrades the tables, `database` holds the transactions; `keywords` and
`word_tables` keep words to search by; `matches` and `fields` answer about metadata.
"""
