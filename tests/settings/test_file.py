"""The commented file, the schema, the environment."""

import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from mss_gateway.cli.initial import Choices, filled, template
from mss_gateway.dev.sample import configuration
from mss_gateway.dev.space import Space
from mss_gateway.settings import ConfigError, load
from mss_gateway.settings.schema import File

ROOT = Path(__file__).parents[2]


def schema() -> dict[str, dict[str, Any]]:
    """Every section with its keys and their defaults; what must be given is PydanticUndefined."""
    found: dict[str, dict[str, Any]] = {}
    for name, section in File.model_fields.items():
        model = section.annotation
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)
        found[name] = {key: field.default for key, field in model.model_fields.items()}
    return found


def uncommented() -> dict[str, dict[str, Any]]:
    """The commented file with its defaults switched on."""
    return tomllib.loads(re.sub(r"(?m)^# (\w+ = )", r"\1", template()))


def test_the_file_and_the_schema_have_the_same_keys() -> None:
    """Every key is in the commented file, and nothing else is."""
    assert {name: set(keys) for name, keys in uncommented().items()} == {
        name: set(keys) for name, keys in schema().items()
    }


ONE_OF_TWO = {("trust", "crl"), ("trust", "list")}
"""Keys that have a default only because another key can stand for them; the file shows them written."""


def test_the_defaults_in_the_file_are_the_defaults() -> None:
    """What stands behind `#` is what holds when nothing is written."""
    wanted = schema()
    for name, keys in uncommented().items():
        for key, value in keys.items():
            default = wanted[name][key]
            if default is not PydanticUndefined and (name, key) not in ONE_OF_TWO:
                assert (name, key, value) == (name, key, default)


def test_what_must_be_given_is_not_commented_out() -> None:
    """Written keys are those without a default, those of which one of two must be given, and only those."""
    written = tomllib.loads(template())
    for name, keys in schema().items():
        assert set(written.get(name, {})) == {
            key for key, value in keys.items() if value is PydanticUndefined or (name, key) in ONE_OF_TWO
        }


def test_every_key_has_its_meaning_above_it() -> None:
    """A comment stands above each key or above the keys it is told with."""
    told = False
    for line in template().splitlines():
        if re.match(r"(?:# )?\w+ = ", line):
            assert told, line
        else:
            told = line.startswith("# ")


def test_the_file_of_the_configuration_folder_is_the_template() -> None:
    """`config/gateway.toml` is what `init` writes."""
    assert (ROOT / "config" / "gateway.toml").read_text(encoding="utf-8") == template()


def test_init_fills_in_the_choices_and_nothing_else() -> None:
    """The choices land in their keys, hostile ones stay texts."""
    choices = Choices("mx.exemple.fr", ["a.exemple.fr", "b.exemple.fr"], "test", True)
    written = tomllib.loads(filled(template(), choices))
    assert written["gateway"] == {"hostname": "mx.exemple.fr", "realm": "test"}
    assert written["domains"] == {"hosted": ["a.exemple.fr", "b.exemple.fr"], "patient_hosted": True}
    before = tomllib.loads(template())
    assert {name: written[name] for name in ("tls", "trust")} == {
        name: before[name] for name in ("tls", "trust")
    }
    odd = tomllib.loads(filled(template(), replace(choices, hostname='x"\n[log]\\1')))
    assert odd["gateway"]["hostname"] == 'x"\n[log]\\1'


@pytest.fixture
def config(space: Space, tmp_path: Path) -> Path:
    """The configuration of the sample gateway."""
    path = tmp_path / "gateway.toml"
    path.write_text(configuration(space, 20_000), encoding="utf-8")
    return path


@pytest.mark.req("OPS-6")
def test_a_good_file_becomes_the_options_of_every_room(config: Path) -> None:
    """Paths are resolved, sections reach their rooms."""
    settings = load(config, {})
    assert settings.state == config.parent
    assert settings.control == config.parent / "control.sock"
    assert settings.book.hosted == frozenset({"clinique-exemple.mssante.fr"})
    assert settings.submissions.implicit_tls
    assert not settings.submission.implicit_tls
    assert settings.mta.max_size == 35 * 1024 * 1024
    assert settings.caps.total == 1000
    assert settings.caps.per_address == 1000


def test_the_environment_overrides_single_values(config: Path) -> None:
    """Texts, numbers, and lists that the file does not even name."""
    environment = {
        "MSS_GATEWAY_LOG_LEVEL": "debug",
        "MSS_GATEWAY_LIMITS_RECIPIENTS": "7",
        "MSS_GATEWAY_LISTEN_MTA": "127.0.0.1:2525, [::1]:2525",
        "MSS_GATEWAY_LISTEN_IMAP": "",
        "MSS_GATEWAY_DOMAINS_PATIENT_SERVICE_ADDRESSES": "un,deux",
        "LOG_LEVEL": "error",
    }
    settings = load(config, environment)
    assert settings.log.level == "debug"
    assert settings.mta.limits.recipients == 7
    assert settings.file.listen.mta == ["127.0.0.1:2525", "[::1]:2525"]
    assert settings.file.listen.imap == []
    assert settings.house.patient_service_locals == {"un", "deux"}


@pytest.mark.req("OPS-6")
def test_a_wrong_value_of_the_environment_is_told_like_one_of_the_file(config: Path) -> None:
    """The sentence names key, value and remedy."""
    with pytest.raises(ConfigError, match=r"limits.recipients = 'many': write a whole number"):
        load(config, {"MSS_GATEWAY_LIMITS_RECIPIENTS": "many"})
    with pytest.raises(
        ConfigError, match=r"log.levle is not a key of the configuration: did you mean level\?"
    ):
        load(config, {"MSS_GATEWAY_LOG_LEVLE": "debug"})


def test_what_one_command_of_a_mail_client_may_cost_is_set(config: Path) -> None:
    """Both IMAP doors take them; a limit that would cut ordinary folders short is refused."""
    settings = load(
        config, {"MSS_GATEWAY_LIMITS_IMAP_MESSAGES": "5000", "MSS_GATEWAY_LIMITS_IMAP_PROGRESS": "2.5"}
    )
    for door in (settings.imap, settings.imaps):
        assert (door.message_limit, door.progress) == (5000, 2.5)
    with pytest.raises(ConfigError, match=r"limits.imap_messages = .999.: write a number of at least 1000"):
        load(config, {"MSS_GATEWAY_LIMITS_IMAP_MESSAGES": "999"})
