"""What happens between the two daemons when one of them is away or is killed (QUE-1, RTE-4)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mss_gateway.dev.operators import Operators
from mss_gateway.dev.wire import report_fields
from tests.support.rows import base_port
from tests.support.scene import Scene

pytestmark = pytest.mark.timeout(600)
TAKEN = "250 2.0.0 Stored"


@pytest.fixture(scope="module")
def operators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operators]:
    """Two daemons that may be killed."""
    with Operators(tmp_path_factory.mktemp("outage"), base_port()) as running:
        yield running


@pytest.mark.req("QUE-1", "RTE-2", "RTE-4")
def test_what_is_accepted_while_the_other_operator_is_away_arrives_once(operators: Operators) -> None:
    """Both are killed in turn with mail in the queue; nothing is lost, nothing comes twice."""
    scene = Scene(operators.handout)
    operators.kill("patients")
    messages = [scene.to_patient(f"Absence {number}") for number in range(5)]
    assert [scene.submits(scene.doctor, message) for message in messages] == [TAKEN] * 5
    operators.kill("professional")
    operators.start("professional")
    operators.start("patients")
    for message in messages:
        scene.arrived(scene.patient, message)
    last = scene.to_patient("Retour")
    scene.submits(scene.doctor, last)
    scene.arrived(scene.patient, last)
    assert [len(scene.copies(scene.patient, message)) for message in messages] == [1] * 5


@pytest.mark.req("RCP-2", "QUE-1", "RTE-4")
def test_a_receipt_survives_both_operators(operators: Operators) -> None:
    """Opened while the professionals' operator is away, its own then killed: one receipt, not none, not two."""
    scene = Scene(operators.handout)
    message = scene.to_patient("Avec accusé", Disposition_Notification_To=scene.doctor.address)
    scene.submits(scene.doctor, message)
    scene.arrived(scene.patient, message)
    operators.kill("professional")
    scene.arrived(scene.patient, message, opened=True)
    operators.kill("patients")
    operators.start("patients")
    operators.start("professional")
    report = scene.answered(scene.doctor, message)
    assert report.message.get_content_type() == "multipart/report"
    scene.arrived(scene.patient, message, opened=True)
    later = scene.to_patient("Suivant", Disposition_Notification_To=scene.doctor.address)
    scene.submits(scene.doctor, later)
    scene.arrived(scene.patient, later, opened=True)
    scene.answered(scene.doctor, later)
    assert len(scene.answers(scene.doctor, message)) == 1


@pytest.mark.req("CHN-3", "CHN-6", "CHN-9", "RCP-6")
def test_an_answer_that_crosses_the_end_is_refused_and_the_patient_is_told(operators: Operators) -> None:
    """[FIN] waits in the queue while the patient answers: their operator takes the answer, ours refuses it."""
    scene = Scene(operators.handout)
    message, end = scene.to_patient("Question"), scene.to_patient("[FIN]")
    scene.submits(scene.doctor, message)
    scene.arrived(scene.patient, message)
    operators.kill("patients")
    assert scene.submits(scene.doctor, end) == TAKEN
    operators.kill("professional")
    operators.start("patients")
    answer = scene.answer(message)
    assert scene.submits(scene.patient, answer) == TAKEN
    operators.start("professional")
    scene.arrived(scene.patient, end)
    report = scene.answered(scene.patient, answer)
    fields = report_fields(report.message)
    assert fields["action"] == "failed"
    assert "mis fin" in fields["diagnostic-code"]
    assert scene.copies(scene.doctor, answer) == []
