"""Lists of documents that a notebook displays as tables; for all else they are plain lists."""

from __future__ import annotations

from dockerproto.messages.models import HistoryEntry, ImageSummary, SearchResult


class ImageTable(list[ImageSummary]):
    """A list of images."""

    def _repr_html_(self) -> str:
        from dockerproto.messages.html import images_table  # noqa: PLC0415  # for notebooks only

        return images_table(self)


class HistoryTable(list[HistoryEntry]):
    """A list of the steps that made an image."""

    def _repr_html_(self) -> str:
        from dockerproto.messages.html import history_table  # noqa: PLC0415  # for notebooks only

        return history_table(self)


class SearchTable(list[SearchResult]):
    """A list of repositories."""

    def _repr_html_(self) -> str:
        from dockerproto.messages.html import search_table  # noqa: PLC0415  # for notebooks only

        return search_table(self)
