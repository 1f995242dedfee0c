"""ops/kubernetes: the manifests are valid, name what exists, and fit the way the service starts and ends."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from app.config import Settings
from app.config.environment import FILE_SUFFIX, SETTINGS_IN_FILES
from app.server import SHUTDOWN_TIMEOUT_SECONDS
from ops.metrics import registered_metrics
from tests.unit.ops.environment_files import read_variables

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "ops" / "kubernetes"
KUBERNETES = ("1.29", "1.37")
"""The oldest and the newest version whose schemas the manifests must follow."""
OWN_KINDS = ("Kustomization", "Component", "ServiceMonitor")
"""Kinds that Kubernetes itself does not have."""

KUBECTL = shutil.which("kubectl")
needs_kubectl = pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed (Debian: kubernetes-client)")


def documents() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(FOLDER.rglob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            yield str(path.relative_to(FOLDER)), document


def manifest(kind: str) -> dict[str, Any]:
    (found,) = [document for path, document in documents() if document["kind"] == kind and path.startswith("base/")]
    return found


def pod_templates() -> list[tuple[str, dict[str, Any]]]:
    """The specifications of all pods, with the names of their files."""
    found = []
    for path, document in documents():
        spec = document.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            found.append((path, spec["template"]["spec"]))
    return found


@pytest.mark.parametrize("version", KUBERNETES)
def test_every_manifest_follows_the_schema(version: str):
    checked = 0
    for path, document in documents():
        if document["kind"] not in OWN_KINDS:
            try:
                kubernetes_validate.validate(document, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                pytest.fail(f"{path}: {error.message}")
            checked += 1
    assert checked >= 8


def test_a_misspelt_field_would_be_noticed():
    document = manifest("Deployment")
    document["spec"]["template"]["spec"]["containers"][0]["readinessProb"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, KUBERNETES[0], strict=True)


def test_every_manifest_is_part_of_its_folder():
    for kustomization in FOLDER.rglob("kustomization.yaml"):
        listed = yaml.safe_load(kustomization.read_text()).get("resources", [])
        files = {path.name for path in kustomization.parent.glob("*.yaml")} - {"kustomization.yaml"}
        assert {name for name in listed if not name.startswith("..")} == files, kustomization


@needs_kubectl
@pytest.mark.parametrize("overlay", ["production", "staging"])
def test_an_overlay_can_be_built_and_each_of_its_manifests_follows_the_schema(overlay: str):
    assert KUBECTL is not None
    built = subprocess.run(
        [KUBECTL, "kustomize", FOLDER / "overlays" / overlay], capture_output=True, text=True, check=True, timeout=60
    )
    found = list(yaml.safe_load_all(built.stdout))
    assert {"Deployment", "Job", "ConfigMap", "HorizontalPodAutoscaler"} <= {document["kind"] for document in found}
    for document in found:
        kubernetes_validate.validate(document, KUBERNETES[1], strict=True)
    (settings,) = [document["data"] for document in found if document["kind"] == "ConfigMap"]
    assert settings["ENVIRONMENT"] == "production"
    assert "localhost" not in settings["ALLOWED_HOSTS"] or overlay == "staging"


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("settings.env")), ids=lambda path: path.parent.name)
def test_every_setting_exists_and_every_secret_is_a_file(path: Path):
    secrets = {name.upper() for name in SETTINGS_IN_FILES}
    known = {name.upper() for name in Settings.model_fields} - secrets | {name + FILE_SUFFIX for name in secrets}
    assert set(read_variables(path)) <= known


def test_the_command_that_is_documented_creates_every_file_of_the_secret():
    page = (ROOT / "docs" / "operations" / "deployment.md").read_text()
    for path in FOLDER.rglob("settings.env"):
        for name, value in read_variables(path).items():
            if name.endswith(FILE_SUFFIX):
                assert value == f"/run/secrets/leaderboard/{Path(value).name}"
                assert f"--from-file={Path(value).name}" in page


@pytest.mark.parametrize(("path", "spec"), pod_templates(), ids=[path for path, _ in pod_templates()])
def test_pods_follow_the_restricted_pod_security_standard(path: str, spec: dict[str, Any]):
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    for container in spec["containers"]:
        security = container["securityContext"]
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert security["allowPrivilegeEscalation"] is False
        assert security["readOnlyRootFilesystem"] is True
        assert {"cpu", "memory"} == set(container["resources"]["limits"])


def test_pods_run_as_the_user_of_the_image():
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert f"--uid {manifest('Deployment')['spec']['template']['spec']['securityContext']['runAsUser']} " in dockerfile


def test_a_pod_has_time_to_end():
    spec = manifest("Deployment")["spec"]["template"]["spec"]
    drained = int(spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert drained + SHUTDOWN_TIMEOUT_SECONDS < spec["terminationGracePeriodSeconds"]


def test_a_pod_has_time_to_start():
    probe = manifest("Deployment")["spec"]["template"]["spec"]["containers"][0]["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] > Settings.model_fields["start_timeout"].default


def test_the_metric_of_the_autoscaler_exists_and_leaves_room_for_more_sockets():
    component = yaml.safe_load((FOLDER / "components" / "scale-on-sockets" / "kustomization.yaml").read_text())
    (operation,) = yaml.safe_load(component["patches"][0]["patch"])
    pods = operation["value"]["pods"]
    assert pods["metric"]["name"] in {f"leaderboard_{metric.name}" for metric in registered_metrics()}
    assert int(pods["target"]["averageValue"]) <= Settings.model_fields["ws_max_connections"].default / 2


def test_the_image_has_the_version_of_the_project():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    tags = {
        image["newTag"]
        for kustomization in FOLDER.rglob("kustomization.yaml")
        for image in yaml.safe_load(kustomization.read_text()).get("images", ())
    }
    assert tags == {version}
    assert f'org.opencontainers.image.version="{version}"' in (ROOT / "Dockerfile").read_text()
