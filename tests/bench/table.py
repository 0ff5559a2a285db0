"""How figures are printed: a block for each row, its contenders below each other, and what became of us at the end."""

from statistics import median

WIDTHS = "{:<37}{:>11}{:>11} -{:>10}{:>13}{:>9}  {}"


def head():
    return WIDTHS.format("", "median", "min", "max", "server CPU", "p99", "presigned is")


class Row:
    """The figures of one work, by contender; `ours` is the one that the others are held against."""

    def __init__(self, work, ours, figures, targets):
        self.work, self.ours, self.figures, self.targets = work, ours, figures, targets
        self.more_is_better = work.unit in ("/s", "GB/s")

    def value(self, name):
        return median(figure.value for figure in self.figures[name])

    def cpu(self, name):
        known = [figure.cpu for figure in self.figures[name] if figure.cpu is not None]
        return median(known) if known else None

    def lines(self):
        """The block as text, and what we lose or miss in it."""
        lines, losses = [self.work.title], []
        for name, figures in self.figures.items():
            verdict = ""
            if name != self.ours and self.ours in self.figures:
                verdict, lost = self.verdict(self.ours, name)
                losses += [f"{self.work.title}: {verdict} against {name}"] if lost else []
            notes = sorted({figure.note for figure in figures if figure.note})[-1:]
            values = [figure.value for figure in figures]
            p99 = [figure.p99_ms for figure in figures if figure.p99_ms is not None]
            lines.append(WIDTHS.format(
                "  " + name, number(self.value(name), self.work.unit), number(min(values)), number(max(values)),
                self.cpu_text(name), f"{median(p99):.1f} ms" if p99 else "",
                "  ".join(filter(None, [verdict, *(f"({note})" for note in notes)]))).rstrip())
        return lines, losses

    def verdict(self, ours, name):
        ratio = self.value(ours) / self.value(name)
        ratio = ratio if self.more_is_better else 1 / ratio
        target = self.targets.get(name, None if name.startswith("limit: ") else 1.0)
        text, lost = f"{ratio:.2f}x", target is not None and ratio < target
        if lost and target == 1.0:
            text += " LOSES"
            if self.overlap(ours, name):
                text += " (within the spread)"
        elif lost:
            text += f" MISSES {target:.1f}x"
        if self.cpu(ours) and self.cpu(name):
            share = self.cpu(ours) / self.cpu(name)
            text += f", CPU {share:.2f}x"
            if share > 1 and target == 1.0:
                text, lost = text + " LOSES", True
        return text, lost

    def overlap(self, one, other):
        one, other = ([figure.value for figure in self.figures[name]] for name in (one, other))
        return min(one) <= max(other) and min(other) <= max(one)

    def cpu_text(self, name):
        cpu = self.cpu(name)
        if cpu is None:
            return ""
        if self.work.per == "GB":
            return f"{cpu:.2f} s/GB"
        return f"{cpu * 1e6:.0f} us" if cpu < 0.001 else f"{cpu * 1e3:.1f} ms"


def number(value, unit=""):
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f}" + (" " + unit if unit else "").replace(" /", "/")
