"""The compose file and the Dockerfile, held against their rules; no container engine is needed."""

from __future__ import annotations

import json
import re
import shlex
from importlib.resources import files
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from jsonschema import Draft7Validator

from latent.settings import Settings
from nearfield import main
from service.app import similarity_app

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
STEPS = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()


def steps(instruction: str) -> list[str]:
    """What follows each `instruction` of the Dockerfile, in order."""
    return [line.partition(" ")[2].strip() for line in STEPS if line.startswith(instruction + " ")]


def test_the_compose_file_follows_the_compose_specification() -> None:
    vendored = files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    schema = json.loads(vendored.read_text(encoding="utf-8"))
    Draft7Validator(schema).validate(COMPOSE)
    broken = {**COMPOSE, "services": {"search": {"ports": 8000}}}
    assert list(Draft7Validator(schema).iter_errors(broken))


def test_there_are_three_services_of_one_dockerfile_and_one_to_make_keys() -> None:
    assert set(SERVICES) == {"search", "similarity", "indexer", "keys"}
    assert [name for name, one in SERVICES.items() if one.get("profiles")] == ["keys"]
    for service in SERVICES.values():
        assert service["build"]["context"] == "."
        assert service["image"] == "nearfield"
        assert set(service["build"]["args"]) == {"EXTRAS"}


@pytest.mark.parametrize("name", SERVICES)
def test_every_command_is_one_that_nearfield_knows(name: str) -> None:
    """Parsed by the real command line, and not run."""
    started, *before = SERVICES[name].get("entrypoint", ["nearfield"])
    assert started == "nearfield"
    group: click.Group = main
    for word in before:
        inner = group.get_command(click.Context(group), word)
        assert isinstance(inner, click.Group)
        group = inner
    command, *arguments = SERVICES[name]["command"]
    context = click.Context(group)
    found = group.get_command(context, command)
    assert found is not None
    found.make_context(command, list(arguments), parent=context)
    with pytest.raises(click.UsageError):
        found.make_context(command, [*arguments, "--no-such-option"], parent=context)


def test_ports_are_on_this_machine_unless_asked() -> None:
    for service in SERVICES.values():
        for port in service.get("ports", []):
            assert port.startswith("${BIND:-127.0.0.1}:")
    ports = {name: len(one.get("ports", [])) for name, one in SERVICES.items()}
    assert ports == {"search": 1, "similarity": 1, "indexer": 0, "keys": 0}


def test_the_address_they_are_reached_at_decides_whether_keys_are_needed() -> None:
    for name in ("search", "similarity"):
        given = SERVICES[name]["environment"]
        assert given["NEARFIELD_PUBLISHED"] == "${BIND:-127.0.0.1}"
        folder = given["NEARFIELD_KEYS_FILE"].rpartition("/")[0]
        assert f"keys:{folder}:ro" in SERVICES[name]["volumes"]
        assert f"keys:{folder}" in SERVICES["keys"]["volumes"]


def test_search_and_indexer_share_the_data_and_photos_are_read_only() -> None:
    data = SERVICES["search"]["environment"]["NEARFIELD_DATA"]
    for name in ("search", "indexer"):
        assert f"data:{data}" in SERVICES[name]["volumes"]
    assert not any("data:" in volume for volume in SERVICES["similarity"]["volumes"])
    (photos,) = [one for one in SERVICES["indexer"]["volumes"] if "/photos" in one]
    assert photos.endswith(":/photos:ro")
    assert "/photos" in SERVICES["indexer"]["command"]


def test_every_volume_that_is_named_is_declared() -> None:
    used = {
        volume.partition(":")[0]
        for service in SERVICES.values()
        for volume in service["volumes"]
        if not volume.startswith(("$", ".", "/"))
    }
    assert used == set(COMPOSE["volumes"])


def test_every_setting_that_is_given_exists() -> None:
    given = {name for service in SERVICES.values() for name in service["environment"]}
    given |= {word.partition("=")[0] for line in steps("ENV") for word in shlex.split(line)}
    ours = {name for name in given if name.startswith("NEARFIELD_")}
    assert ours
    assert {name.removeprefix("NEARFIELD_").lower() for name in ours} <= set(Settings.model_fields)


def test_services_have_no_more_rights_than_they_need() -> None:
    for service in SERVICES.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
        assert not service.get("privileged")


def test_the_image_runs_as_a_user_without_privileges() -> None:
    (user,) = steps("USER")
    made = [step for step in steps("RUN") if "useradd" in step]
    assert user not in ("root", "0")
    assert made
    assert user in made[0]
    names = [line.split()[0] for line in STEPS if line and not line.startswith((" ", "#"))]
    assert names.index("USER") > max(n for n, name in enumerate(names) if name == "RUN")


def test_the_image_is_set_up_by_the_script_of_a_clone_without_torch() -> None:
    assert steps("FROM") == ["python:3.11-slim"]
    assert steps("ARG") == ['EXTRAS=""']
    assert "scripts/setup --locked ${EXTRAS}" in steps("RUN")
    setup = ROOT / "scripts" / "setup"
    assert setup.stat().st_mode & 0o100
    assert "--models)" in setup.read_text()


def test_the_volumes_of_the_image_are_those_of_the_compose_file() -> None:
    (volumes,) = steps("VOLUME")
    mounted = {
        volume.split(":")[1]
        for service in SERVICES.values()
        for volume in service["volumes"]
        if not volume.startswith("$")
    }
    assert set(json.loads(volumes)) == mounted
    (made,) = [step for step in steps("RUN") if "install --directory" in step]
    assert mounted <= set(made.split())


def test_the_health_check_asks_a_route_that_exists() -> None:
    (check,) = steps("HEALTHCHECK")
    program = json.loads(check[check.index("CMD ") + 4 :])
    assert program[:2] == ["python", "-c"]
    compile(program[2], "healthcheck", "exec")
    (path,) = re.findall(r"http://127\.0\.0\.1:8000(/\w+)", program[2])
    assert path in similarity_app(Settings()).openapi()["paths"]
    for name in ("indexer", "keys"):
        assert SERVICES[name]["healthcheck"] == {"disable": True}


def test_what_is_not_needed_stays_out_of_the_image() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".git", ".venv", "nearfield-data", "tests"} <= set(ignored)
