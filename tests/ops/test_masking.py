"""No INS whole leaves an operation: not as a value, not as the name of one, not in a refusal (INS-7, AUD-5)."""

from __future__ import annotations

import pytest

from mss_gateway.ops.masking import masked
from mss_gateway.ops.operation import CONFLICT, Arguments, OperationRefused, Result

pytestmark = pytest.mark.req("INS-7", "AUD-5")

INS = "255069999999934"


async def answer(arguments: Arguments) -> Result:
    """What `undelete` answers of a folder that somebody named after a patient."""
    if arguments.get("refuse"):
        raise OperationRefused(f"Nothing of {INS} is kept", "nothing-kept", CONFLICT)
    return {
        "folders": {f"Dossiers/{INS}": 2, "INBOX": 1},
        "rows": [{"folder": INS}],
        "structure": "1750000000",
    }


async def test_values_and_names_are_masked() -> None:
    """Counts stay."""
    found = await masked({"undelete.folder": answer})["undelete.folder"]({})
    assert INS not in str(found)
    assert sorted(found["folders"].values()) == [1, 2]
    assert found["structure"] == "1750000000"


async def test_a_refusal_is_masked() -> None:
    """Whatever the operation said."""
    with pytest.raises(OperationRefused) as refused:
        await masked({"x": answer})["x"]({"refuse": True})
    assert INS not in refused.value.sentence
