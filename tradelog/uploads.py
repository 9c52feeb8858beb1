"""How large a file anybody may send, whatever becomes of it."""

from __future__ import annotations

from django.core.files.uploadhandler import FileUploadHandler, SkipFile

from trades.exports.tables import MOST_BYTES


class BoundedUploadHandler(FileUploadHandler):
    """Drops a file that is larger than any page takes, instead of keeping it in full first.

    The page that was sent it finds no file, and by the request's length why.
    """

    def new_file(self, *args: object, **kwargs: object) -> None:
        super().new_file(*args, **kwargs)  # type: ignore[arg-type]
        self._left = MOST_BYTES + 1

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        self._left -= len(raw_data)
        if self._left < 0:
            raise SkipFile
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None
