"""The sdist has the tests and builds the same wheel; metadata and files of a release are right."""

from __future__ import annotations

import ast
import configparser
import email
import email.message
import json
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "mlflow_proxy"
LAB = json.loads((PACKAGE / "lab" / "package.json").read_text())
# These import what MLflow requires, in MLflow's process and in kernels.
OF_MLFLOW = ("notebook", "server", "sqlite_files.py")
SOURCES = ("docs", "examples", "icons", "mlflow_proxy", "tests", ".binder", ".ci", ".conda")
SOURCES += (".github", ".images")
DEVELOPERS = ("jsconfig.json", "mlflow_proxy.json")  # the second is elsewhere
LEFT_OUT = shutil.ignore_patterns("__pycache__", "_build", "mlflow_proxy/icons")


class Built:
    """The sdist, the wheel that is built from it, and the one that is built from the sources."""

    def __init__(self, folder: Path) -> None:
        sources = folder / "sources"
        for name in SOURCES:
            shutil.copytree(ROOT / name, sources / name, ignore=LEFT_OUT, symlinks=True)
        for path in ROOT.iterdir():
            if path.is_file() and path.name != ".git":
                shutil.copy(path, sources)
        (sources / "mlflow_proxy" / "icons").unlink(missing_ok=True)  # a developer's link
        self.of_sources = build(sources, folder / "wheel", "--wheel")
        self.sdist = build(sources, folder / "sdist", "--sdist")
        with tarfile.open(self.sdist) as archive:
            archive.extractall(folder / "unpacked", filter="data")
        (self.unpacked,) = (folder / "unpacked").iterdir()
        self.of_sdist = build(self.unpacked, folder / "again", "--wheel")


def build(sources: Path, folder: Path, kind: str) -> Path:
    """Build what `kind` says into `folder`."""
    command = [sys.executable, "-m", "build", "--no-isolation", kind, "--outdir", str(folder)]
    subprocess.run([*command, str(sources)], check=True, capture_output=True)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The sdist and the wheels."""
    return Built(tmp_path_factory.mktemp("built"))


def contents(wheel: Path) -> dict[str, bytes]:
    """The files of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def metadata(wheel: Path) -> email.message.Message:
    """The metadata of a wheel."""
    (text,) = (data for name, data in contents(wheel).items() if name.endswith("/METADATA"))
    return email.message_from_bytes(text)


def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def requirements(section: str, option: str) -> set[str]:
    """The requirements of setup.cfg, normalized."""
    lines = setup_cfg()[section][option].strip().splitlines()
    return {normalized(line) for line in lines}


def normalized(requirement: str) -> str:
    """`requirement` with the name of PyPI."""
    parsed = Requirement(requirement)
    return f"{parsed.name.lower().replace('_', '-')}{parsed.specifier}"


def test_the_sdist_builds_the_same_wheel(built: Built) -> None:
    assert contents(built.of_sdist) == contents(built.of_sources)


def test_the_wheel_has_every_file_of_the_package(built: Built) -> None:
    names = contents(built.of_sources).keys()
    data = f"jupyter_mlflow_proxy-{LAB['version']}.data/data"
    extension = f"{data}/etc/jupyter/jupyter_server_config.d/mlflow_proxy.json"
    lab = f"{data}/share/jupyter/labextensions/jupyter-mlflow-proxy"
    expected = {extension}
    for path in (*PACKAGE.rglob("*"), *(ROOT / "icons").iterdir()):
        inside = path.relative_to(PACKAGE if path.is_relative_to(PACKAGE) else ROOT).parts
        if path.is_dir() or "__pycache__" in inside or path.name in DEVELOPERS:
            continue
        if inside[0] != "lab":
            expected.add("/".join(("mlflow_proxy", *inside)))
        elif path.name == "plugin.json":
            expected.add(f"{lab}/schemas/jupyter-mlflow-proxy/plugin.json")
        else:
            expected.add("/".join((lab, *inside[1:])))
    of_pip = {name for name in names if ".dist-info/" in name}
    assert names - of_pip == expected


def test_the_sdist_has_what_its_tests_need(built: Built) -> None:
    for path in (*(ROOT / "tests").rglob("*"), *(ROOT / "docs").rglob("*")):
        if path.is_file() and not {"__pycache__", "_build"} & {*path.parts}:
            assert (built.unpacked / path.relative_to(ROOT)).exists(), path
    for name in ("CHANGELOG.md", "LICENSE", ".ci/run", ".github/RELEASE.md", "examples"):
        assert (built.unpacked / name).exists(), name


def test_the_description_works_on_pypi(built: Built) -> None:
    text = str(metadata(built.of_sources).get_payload())
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert links
    assert all(link.startswith(("https://", "#")) for link in links), links
    release = f"{LAB['homepage']}/raw/v{LAB['version']}/"
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)
    assert pictures
    for picture in pictures:
        assert (ROOT / picture.removeprefix(release)).is_file(), picture


def test_the_version_and_the_address_are_the_same_everywhere(built: Built) -> None:
    found = metadata(built.of_sources)
    recipe = yaml.safe_load((ROOT / ".conda" / "recipe.yaml").read_text())
    assert found["Version"] == recipe["context"]["version"] == LAB["version"]
    address = LAB["homepage"]
    assert f"Source, {address}" in found.get_all("Project-URL", [])
    assert recipe["about"]["repository"] == address
    assert LAB["repository"]["url"] == f"{address}.git"
    assert address in (ROOT / ".github" / "ISSUE_TEMPLATE" / "config.yml").read_text()


def test_what_the_jupyter_side_imports_is_declared() -> None:
    declared = {re.split("[<>=]", each)[0] for each in requirements("options", "install_requires")}
    names = packages_distributions()
    for path in PACKAGE.rglob("*.py"):
        if path.relative_to(PACKAGE).parts[0] in OF_MLFLOW:
            continue
        for module in imports_of(path):
            if module in sys.stdlib_module_names or module == "mlflow_proxy":
                continue
            owners = {each.lower().replace("_", "-") for each in names.get(module, [module])}
            assert owners & declared, f"{path.name} imports {module}"


def imports_of(path: Path) -> set[str]:
    """The top-level modules that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(str(node.module))
    return {name.partition(".")[0] for name in found}


def test_the_lower_bounds_are_those_that_are_tested() -> None:
    pins = {}
    for line in (ROOT / "tests" / "oldest.txt").read_text().splitlines():
        if "==" in line:
            name, _, version = line.partition("==")
            pins[name] = version
    for requirement in requirements("options", "install_requires"):
        name, _, bound = requirement.partition(">=")
        assert pins[name] == bound or pins[name].removesuffix(".0") == bound, name


def test_the_recipe_for_conda_has_the_same_requirements() -> None:
    recipe = yaml.safe_load((ROOT / ".conda" / "recipe.yaml").read_text())
    run = {normalized(each) for each in recipe["requirements"]["run"] if "python_min" not in each}
    assert run == requirements("options", "install_requires")
    minimum = setup_cfg()["options"]["python_requires"]
    assert minimum == f">={recipe['context']['python_min']}"
    scripts = setup_cfg()["options.entry_points"]["console_scripts"].strip().splitlines()
    assert scripts == recipe["build"]["python"]["entry_points"]


def test_the_changelog_has_an_entry_for_each_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    entries = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    versions = [entry.split()[0] for entry in entries]
    assert LAB["version"] in versions[:2]  # above it, what is not released yet
    assert len(versions) == len({*versions})
    for entry in entries:
        assert len(entry.splitlines()) <= 45, entry.splitlines()[0]


def test_a_bug_report_asks_for_what_doctor_prints() -> None:
    form = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / "bug.yml").read_text())
    fields = {field.get("id"): field for field in form["body"]}
    assert fields["doctor"]["validations"]["required"]
    assert "`jupyter mlflow-proxy doctor`" in fields["doctor"]["attributes"]["label"]
