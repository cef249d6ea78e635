"""Why a directory file, an import or a question to the national API failed: one slug and one sentence."""

from __future__ import annotations

from mss_gateway.base.errors import GatewayError


class DirectoryProblem(GatewayError):
    """`reason` is a stable slug, `sentence` says what is wrong and what to do; neither holds a line of the file.

    `forcible` tells that a person who knows better may have it done all the same.
    """

    def __init__(self, reason: str, sentence: str, *, forcible: bool = False) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.sentence = sentence
        self.forcible = forcible
