"""The truth about every collection: `catalog` → `writes`, `changes` → `tables`, `rows`.

`opening` makes the tables and `migrations` bring older ones forward, `database` holds the
transactions; `reads`, `vector_table` and `field_cells` are how much is read at once; `keywords` and
`word_tables` keep words to search by; `fields` knows what metadata there are, `gone` what was
dropped. `heads` tells whether anybody has written, `kept` holds what was read lately. `names` lets
collections change places, `checksums` find what was harmed, `copying` makes a copy for a backup.
"""
