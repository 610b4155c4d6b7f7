"""The build backend: setuptools, which runs the `setup.py` beside this file."""

from setuptools.build_meta import _BuildMetaBackend


class _Backend(_BuildMetaBackend):
    """Private, but the only way to have no `setup.py` at the top. tests/packaging builds by it."""

    def run_setup(self, setup_script: str = "setup.py") -> None:
        super().run_setup(f".packaging/{setup_script}")


_backend = _Backend()
build_editable = _backend.build_editable
build_sdist = _backend.build_sdist
build_wheel = _backend.build_wheel
get_requires_for_build_editable = _backend.get_requires_for_build_editable
get_requires_for_build_sdist = _backend.get_requires_for_build_sdist
get_requires_for_build_wheel = _backend.get_requires_for_build_wheel
prepare_metadata_for_build_editable = _backend.prepare_metadata_for_build_editable
prepare_metadata_for_build_wheel = _backend.prepare_metadata_for_build_wheel
