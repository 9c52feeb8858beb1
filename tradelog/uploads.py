"""Whose files are kept, and how large they may be, whatever becomes of them."""

from __future__ import annotations

from django.core.files.uploadhandler import FileUploadHandler, SkipFile

from trades.exports.tables import MOST_BYTES


class BoundedUploadHandler(FileUploadHandler):
    """Drops a file that is larger than any page takes, instead of keeping it in full first.

    The page that was sent it finds no file, and by the request's length why. Of who is not logged
    in as staff nothing is kept: forms are read before it is known whether they may be, so a
    stranger's files would lie on the disk for as long as their request takes.
    """

    def new_file(self, *args: object, **kwargs: object) -> None:
        super().new_file(*args, **kwargs)  # type: ignore[arg-type]
        if not getattr(getattr(self.request, "user", None), "is_staff", False):
            raise SkipFile
        self._left = MOST_BYTES + 1

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        self._left -= len(raw_data)
        if self._left < 0:
            raise SkipFile
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None
