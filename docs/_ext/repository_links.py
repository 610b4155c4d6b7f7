"""Links of a page to a file of the repository that is no page lead to the file on GitHub.

So the same link works in a checkout, on GitHub and in the documentation. A link to a file that does
not exist is a warning, which fails the build.
"""

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import download_reference, pending_xref
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

ROOT = Path(__file__).parents[2]


class RepositoryLinks(SphinxTransform):
    """Resolves links that MyST leaves to files."""

    default_priority = 5  # before Sphinx copies what is linked as a download

    def apply(self, **_: Any) -> None:
        """Replace the links of one page."""
        page = Path(self.env.doc2path(self.env.docname))
        for kind in (download_reference, pending_xref):
            for link in [*self.document.findall(kind)]:
                path, _, fragment = link["reftarget"].partition("#")
                # The text may be that of another file, which the page includes.
                for base in (page, Path(link.source or page)):
                    target = (base.parent / path).resolve()
                    page_of_it = target.with_name(f"{target.name}.md")
                    target = page_of_it if page_of_it.exists() else target
                    is_page = target.is_relative_to(self.env.srcdir)
                    if target.is_relative_to(ROOT) and target.exists() and not is_page:
                        self.replace(link, target, fragment or link.get("reftargetid"))
                        break

    def replace(self, link: nodes.Element, target: Path, fragment: str | None) -> None:
        """Let `link` lead to `target` on GitHub."""
        kind = "tree" if target.is_dir() else "blob"
        uri = f"{self.config.repository}/{kind}/v{self.config.release}/{target.relative_to(ROOT)}"
        uri += f"#{fragment}" if fragment else ""
        link.replace_self(nodes.reference("", "", *link.children, refuri=uri))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the transform."""
    app.add_config_value("repository", "", "html", str)
    app.add_transform(RepositoryLinks)
    return {"parallel_read_safe": True}
