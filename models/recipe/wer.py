"""Word error rate by Levenshtein alignment with unit costs."""


def errors(reference, hypothesis):
    """(substitutions, deletions, insertions) of two lists of words, fewest in all."""
    row = [(n, 0, 0, n) for n in range(len(hypothesis) + 1)]  # cost, sub, del, ins
    for i, word in enumerate(reference, 1):
        diagonal, row[0] = row[0], (i, 0, i, 0)
        for j, heard in enumerate(hypothesis, 1):
            above, left = row[j], row[j - 1]
            if word == heard:
                best = diagonal
            else:
                cost, s, d, n = min(diagonal, above, left, key=lambda c: c[0])
                if cost == diagonal[0]:
                    best = (diagonal[0] + 1, diagonal[1] + 1, diagonal[2], diagonal[3])
                elif cost == above[0]:
                    best = (above[0] + 1, above[1], above[2] + 1, above[3])
                else:
                    best = (left[0] + 1, left[1], left[2], left[3] + 1)
            diagonal, row[j] = above, best
    return row[-1][1:]


class Tally:
    """Errors summed by group, with the group "all" beside them."""

    def __init__(self):
        self.groups = {}

    def add(self, group, reference, hypothesis):
        counts = errors(reference.split(), hypothesis.split())
        for name in (group, "all"):
            words, sub, deleted, inserted = self.groups.get(name, (0, 0, 0, 0))
            self.groups[name] = (
                words + len(reference.split()),
                sub + counts[0],
                deleted + counts[1],
                inserted + counts[2],
            )

    def rates(self):
        return {name: sum(c[1:]) / max(1, c[0]) for name, c in self.groups.items()}
