"""What an examination says: the mistakes found with their evidence, and which ones were looked for."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ...notebook import card, table

__all__ = ["KNOWN", "OF_CONVOLUTIONS", "Diagnosis", "Finding", "Report"]


class Advice(NamedTuple):
    """What a mistake is, and what mends it."""

    what: str
    cure: str


KNOWN: dict[str, Advice] = {
    "unscaled-pixels": Advice(
        "the inputs are pixel values as they come from the file, not numbers about as large as 1",
        "divide the images by 255 (or by their largest possible value), training and held-out ones alike",
    ),
    "labels-left-behind": Advice(
        "the images were shuffled without their labels",
        "shuffle once by index: order = rng.permutation(n), and take images and labels by the same order",
    ),
    "no-shuffling": Advice(
        "the examples come sorted by class, so that each batch pulls towards one class",
        "shuffle images and labels together before they are cut into batches, anew for each epoch",
    ),
    "training-accuracy-reported": Advice(
        "the held-out images are training images, so the accuracy on them says nothing about new images",
        "keep some images aside before training and measure the accuracy on those",
    ),
    "test-images-in-training": Advice(
        "some held-out images are among the training images",
        "split once, by disjoint indices, and before anything is copied, augmented or drawn with replacement",
    ),
    "uniform-weights": Advice(
        "the weights were drawn from an interval above zero: all are positive, so all units begin alike and large",
        "draw them around zero: rng.standard_normal(shape) * sqrt(2 / fan_in) for ReLU, sqrt(1 / fan_in) otherwise",
    ),
    "equal-weights": Advice(
        "all units of a layer begin with the same weights, so all learn the same",
        "draw the weights at random: rng.standard_normal(shape) * sqrt(2 / fan_in); only biases may begin equal",
    ),
    "ignored-fan-in": Advice(
        "the spread of the first weights does not follow 1/√fan_in, so signals grow or fade from layer to layer",
        "scale standard normal numbers by sqrt(2 / fan_in) for ReLU, sqrt(1 / fan_in) otherwise; fan_in counts inputs",
    ),
    "softmax-wrong-axis": Advice(
        "softmax normalises over the examples of the batch rather than over the classes",
        "sum over the axis of the classes, with keepdims=True: each example's probabilities add up to 1",
    ),
    "softmax-without-maximum": Advice(
        "softmax takes exp of the logits as they are, which overflows when they are large",
        "take each example's largest logit off before exp: it cancels in the quotient",
    ),
    "softmax-global-maximum": Advice(
        "softmax takes the largest logit of the whole batch off, so an example far below it becomes 0/0",
        "take each example's own largest logit off: max over the axis of the classes, with keepdims=True",
    ),
    "times-p-one-minus-p": Advice(
        "the output gradient p − t is multiplied by p(1 − p), which belongs to no softmax with cross-entropy",
        "leave the factor out: the derivative of cross-entropy by the logits is p − t, and no more",
    ),
    "relu-derivative-of-wrong-array": Advice(
        "the derivative of ReLU is taken from another array than the layer's own pre-activation Z",
        "multiply the gradient that arrives at a layer by (Z > 0), with the Z of that same layer's forward pass",
    ),
    "one-bias-gradient": Advice(
        "a bias gradient is summed over the units too, so that all biases of a layer get one number",
        "sum over the examples alone: give np.sum the axis of the examples",
    ),
    "wrong-row-count": Advice(
        "gradients are divided by another number than that of the examples they were summed over",
        "divide by the number of examples in the very batch that the gradient was summed over, and once only",
    ),
    "narrow-one-hot": Advice(
        "the width of the one-hot labels comes from the largest label in the batch",
        "give the number of classes: np.eye(classes)[y], or np.zeros((len(y), classes))",
    ),
}
"""The known mistakes by name, in the order in which they are reported."""

OF_CONVOLUTIONS: dict[str, Advice] = {
    "wrong-padding": Advice(
        "the zeros around an image, or what is cut off again on the way back, are not where they belong",
        "put the zeros where the padding says, and take dX from inside the gradient of the padded image: "
        "dP[top : top + h, left : left + w]",
    ),
    "unflipped-filters": Advice(
        "the gradient of a convolution's input is computed with the filters as they are",
        "flip them in both directions: W[::-1, ::-1]; or add W dZ up where each patch lies",
    ),
    "pool-gradient-to-all-places": Advice(
        "a max pool hands its gradient to every number under the window",
        "hand it to the largest alone: multiply by a mask of where X equals the maximum, or keep argmax",
    ),
    "channels-folded-first": Advice(
        "numbers that lie in the order of one set of axes are given the shape of another",
        "transpose before reshape, and on the way back reshape before transpose, by the same axes",
    ),
    "bias-per-pixel": Advice(
        "there is a bias, or a gradient of it, for each place, not one for each filter",
        "sum dZ over the examples and both axes of the image: one number for each filter",
    ),
    **{name: KNOWN[name] for name in ("one-bias-gradient", "wrong-row-count")},
}
"""Those of convolutions, pools and reshapes."""

UNEXPLAINED: dict[str, Advice] = {
    "unexplained-probabilities": Advice(
        "the probabilities are not those of the equations, and none of the known mistakes explains them",
        "compare with glassnet.textbook.forward layer by layer, and see that the activation named is the one used",
    ),
    "unexplained-gradient": Advice(
        "a gradient is not the derivative of the loss, and none of the known mistakes explains it",
        "compare with glassnet.textbook.backward layer by layer, from the last layer down",
    ),
    "unexplained-convolution": Advice(
        "what is returned is not what the equations give, and none of the known mistakes explains it",
        "compare with glassnet.textbook_convolution, on one small image with one filter",
    ),
}


@dataclass(frozen=True)
class Finding:
    """One mistake.

    Attributes:
        name: one of the catalogue's, or ``unexplained-probabilities``, ``unexplained-gradient`` or
            ``unexplained-convolution``.
        evidence: the numbers that show it.
    """

    name: str
    evidence: str

    @property
    def what(self) -> str:
        """What the mistake is."""
        return (KNOWN | OF_CONVOLUTIONS | UNEXPLAINED)[self.name].what

    @property
    def cure(self) -> str:
        """What to change."""
        return (KNOWN | OF_CONVOLUTIONS | UNEXPLAINED)[self.name].cure

    def __str__(self) -> str:
        parts = (("what", self.what), ("evidence", self.evidence), ("cure", self.cure))
        return "\n".join([self.name, *(_wrap(f"  {label + ':':<10}", text) for label, text in parts)])


@dataclass(frozen=True)
class Diagnosis:
    """What `examine` found. It is true, and as long as there are findings; printed, it is a page of plain lines.

    Attributes:
        findings: the mistakes found, with their evidence.
        checked: the names of the known mistakes that were looked for.
        unchecked: the other names, each with the reason why it could not be looked for.
    """

    findings: tuple[Finding, ...]
    checked: tuple[str, ...]
    unchecked: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the findings."""
        return tuple(finding.name for finding in self.findings)

    def __repr__(self) -> str:
        return f"Diagnosis({', '.join(self.names) or 'nothing found'}; {len(self.checked)} mistakes looked for)"

    def _repr_html_(self) -> str:
        facts = {"looked for": f"{len(self.checked)} mistakes"}
        rows = [(finding.name, finding.evidence, finding.cure) for finding in self.findings]
        found = table(["mistake", "evidence", "cure"], rows) if rows else ""
        return card(f"Diagnosis: {len(rows) or 'nothing'} found", facts, found)

    def __len__(self) -> int:
        return len(self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __str__(self) -> str:
        lines = [str(finding) + "\n" for finding in self.findings] or ["nothing found\n"]
        lines.append(_wrap("checked:     ", ", ".join(self.checked)))
        reasons: dict[str, list[str]] = {}
        for name, reason in self.unchecked.items():
            reasons.setdefault(reason, []).append(name)
        lines += [_wrap("not checked: ", f"{', '.join(names)}: {reason}") for reason, names in reasons.items()]
        return "\n".join(lines)


class Report:
    """A diagnosis while it is being made.

    Args:
        known: the mistakes that are looked for, by name.
    """

    def __init__(self, known: Mapping[str, Advice] = KNOWN) -> None:
        self.known = known
        self.findings: list[Finding] = []
        self.unchecked: dict[str, str] = {}

    def found(self, name: str, evidence: str) -> None:
        """Note a mistake."""
        self.findings.append(Finding(name, evidence))

    def skip(self, names: Iterable[str], reason: str) -> None:
        """Note mistakes that could not be looked for."""
        self.unchecked |= dict.fromkeys(names, reason)

    def diagnosis(self) -> Diagnosis:
        """Bring everything into the catalogue's order."""
        order = [*self.known, *UNEXPLAINED]
        findings = tuple(sorted(self.findings, key=lambda finding: order.index(finding.name)))
        seen = {finding.name for finding in findings}
        unchecked = {name: self.unchecked[name] for name in self.known if name in self.unchecked and name not in seen}
        return Diagnosis(findings, tuple(name for name in self.known if name not in unchecked), unchecked)


def _wrap(label: str, text: str) -> str:
    return textwrap.fill(text, 80, initial_indent=label, subsequent_indent=" " * len(label), break_on_hyphens=False)
