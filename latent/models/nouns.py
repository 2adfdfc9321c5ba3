"""A bare noun in a question, and the sentences that stand for it.

Models learn from sentences. A word alone lies beside what they know, with lower cosines to all
there is, so that hardly anything is surely meant. Put into a few sentences, whose mean place stands
for it, it is a question like others (a prompt ensemble: Radford et al., arXiv 2103.00020). Which
sentences a model wants it says itself, in its manifest. Knows nothing about models and questions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

MOST_WORDS, LONGEST = 2, 40  # characters; a longer text is no name of a thing

_WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
_NO_NOUNS = re.compile(
    "a|an|the|this|that|these|those|my|your|his|her|its|our|their|some|any|no|every|all|both"
    "|one|two|three|four|five|six|seven|eight|nine|ten|many|several|few|more|most"
    "|i|you|he|she|it|we|they|who|what|when|where|why|how|which"
    "|in|on|at|of|by|to|from|with|without|under|over|near|behind|and|or|not|is|are|was|were",
    re.IGNORECASE,
)
"""Words that begin or end a phrase of their own, or a question."""


def is_bare(text: str) -> bool:
    """Whether a text is one word or two, in letters, with neither article, number nor preposition.

    Whether the words are nouns is not looked at: other names of what a photo shows, such as
    `running`, are better off in a sentence as well.
    """
    words = text.split()
    return (
        0 < len(words) <= MOST_WORDS
        and len(text) <= LONGEST
        and all(_WORD.fullmatch(word) for word in words)
        and not any(_NO_NOUNS.fullmatch(word) for word in words)
    )


def sentences(text: str, forms: Sequence[str]) -> tuple[str, ...]:
    """What stands for a text: the noun in each of the forms; nothing where it stands for itself."""
    if not forms or not is_bare(text):
        return ()
    noun = " ".join(text.split())
    return tuple(form.replace("{}", noun) for form in forms)
