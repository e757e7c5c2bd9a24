"""The contract of prompt sets."""

from __future__ import annotations

from typing import ClassVar

from aesalign_core.hookspecs import Kind
from aesalign_core.protocols import Prompts
from aesalign_core.testing.contracts.base import ComponentContract


class PromptsContract(ComponentContract):
    """What `protocols.Prompts` must do."""

    kind: ClassVar[Kind] = "prompt"

    def exercise(self, built: Prompts) -> object:
        """Asks for a name."""
        return built.class_names(["dogs"])

    def test_a_template_has_one_place_for_the_class(self, built: Prompts) -> None:
        """`{}`, and nothing else that is filled in."""
        assert built.templates
        for template in built.templates:
            assert template.count("{}") == 1
            assert template.format("dog") == template.replace("{}", "dog")
        assert len(set(built.templates)) == len(built.templates)

    def test_only_what_it_knows_is_renamed(self, built: Prompts) -> None:
        """Other folders are left out, so that they keep their names."""
        folders = ["n02084071", "no-such-class", "dogs"]
        names = built.class_names(folders)
        assert set(names) <= set(folders)
        assert "no-such-class" not in names
        assert all(name.strip() for name in names.values())
        assert not built.class_names([])
