"""The public API is what `__all__` says, and nothing heavy is imported for it."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import aesalign_core
from aesalign_core import errors


def test_all_is_sorted_complete_and_resolves() -> None:
    assert list(aesalign_core.__all__) == sorted(aesalign_core.__all__)
    assert all(getattr(aesalign_core, name) is not None for name in aesalign_core.__all__)


def test_no_module_hides_a_name_of_the_public_api() -> None:
    """`from aesalign_core import search` would give the module, once somebody had imported it."""
    modules = {name for _, name, _ in pkgutil.iter_modules(aesalign_core.__path__)}
    assert not modules & set(aesalign_core.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(aesalign_core, "no_such_name")


def test_every_exception_is_an_aesalign_error_with_a_hint() -> None:
    tree = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Exception)]
    assert len(tree) > 10
    for kind in tree:
        assert issubclass(kind, errors.AesalignError)
        assert str(kind("what", hint="do this")) == "what (do this)"


def test_importing_the_package_imports_no_model_library() -> None:
    program = (
        "import sys, aesalign_core; print([m for m in ('torch', 'pyarrow', 'numpy', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
