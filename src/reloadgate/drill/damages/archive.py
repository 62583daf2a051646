"""A file that is not whole, or not the one that was written. Checksums inside an archive are right where nothing else is said."""

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

from reloadgate.drill.contents import CONFIG, METADATA, WEIGHTS, held, is_trained, members, write_members
from reloadgate.drill.copies import Copy, DoesNotApplyError
from reloadgate.drill.damages.damage import Declared
from reloadgate.drill.trials import Area
from reloadgate.evidence import EVIDENCE_DIR
from reloadgate.files import regular_files
from reloadgate.formats import belongs, keras_archive

DAMAGES = damage = Declared(Area.ARCHIVE)


def _largest(copy: Copy) -> Path:
    """The artifact's largest file: what holds the values."""
    return max(copy.files, key=lambda path: path.stat().st_size)


def _bytes(change: Callable[[bytes], bytes]) -> Callable[[Copy], None]:
    def apply(copy: Copy) -> None:
        path = _largest(copy)
        copy.write(path, change(path.read_bytes()))

    return apply


damage("truncated in the middle", "a writer was killed, a disk was full, a copy was cut off", "0.2")(
    _bytes(lambda data: data[: len(data) // 2])
)
damage("the last byte is missing", "a copy was cut off", "0.2")(_bytes(lambda data: data[:-1]))
damage("empty", "a file was created, and nothing written", "0.2")(_bytes(lambda data: b""))
damage("zeros to the end", "a file system gave the length and not yet the content before power went", "0.2")(
    _bytes(lambda data: data[: len(data) // 2] + bytes(len(data) - len(data) // 2))
)
damage("a pointer in its place", "Git LFS left its pointer where the file should be", "4.6")(
    _bytes(lambda data: b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 123456\n")
)
damage("a page of a server in its place", "a download that needed a login", "4.6")(
    _bytes(lambda data: b"<!doctype html><html><title>Sign in</title></html>\n")
)
damage("line ends translated", "sent or checked out as text", "4.6")(_bytes(lambda data: data.replace(b"\n", b"\r\n")))
damage("bytes after its end", "two files were concatenated, or a longer one was overwritten", "4.6")(
    _bytes(lambda data: data + b"\0" * 512)
)


@damage("one bit flipped", "one bit of a disk or of memory is another", "4.6")
def _flipped(copy: Copy) -> None:
    """In the middle of the largest trainable variable, where it lies in the file as it is; else in the middle of the file."""
    path = _largest(copy)
    data = bytearray(path.read_bytes())
    at = len(data) // 2
    try:
        with held(copy) as variables:
            values = variables[variables.trained()[0].key].tobytes()
    except DoesNotApplyError:
        values = b""
    if len(values) >= 16 and bytes(data).count(values) == 1:
        at = bytes(data).index(values) + len(values) // 2
    data[at] ^= 1
    copy.write(path, bytes(data))


@damage("one bit flipped, checksum right", "one bit was another before the archive was written", "4.6")
def _flipped_before(copy: Copy) -> None:
    with held(copy) as variables:
        key = variables.trained()[0].key
        values = variables[key]
        raw = bytearray(values.tobytes())
        raw[len(raw) // 2] ^= 1
        variables[key] = type(values)(values.shape, values.dtype, bytes(raw))


def _member_lost(member: str, imitates: str) -> None:
    @damage(f"the member {member} is missing", imitates, "4.6")
    def _lost(copy: Copy) -> None:
        contents = members(copy)
        if contents.pop(member, None) is None:
            raise DoesNotApplyError(f"it has no {member}")
        write_members(copy, contents)


_member_lost(METADATA, "an archive was packed again by hand")
_member_lost(CONFIG, "an archive was packed again by hand")
_member_lost(WEIGHTS, "an archive was packed again by hand")


@damage("a member too many", "something was left in the folder when it was packed again", "4.6")
def _extra(copy: Copy) -> None:
    write_members(copy, members(copy) | {"model.weights.old.h5": members(copy)[WEIGHTS]})


@damage("a member twice", "an archive was updated in place, and readers differ in which one they take", "docs/security.md")
def _twice(copy: Copy) -> None:
    if copy.artifact.format != keras_archive.NAME:
        raise DoesNotApplyError("it is no archive")
    contents = members(copy)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
        directory = archive.infolist()[0]
        twin = zipfile.ZipInfo(directory.filename)
        archive.NameToInfo.pop(directory.filename)
        archive.writestr(twin, contents[directory.filename])
    copy.write(copy.path, buffer.getvalue())


@damage("weights of another moment beside the configuration", "stale weights beside a newer configuration", "Files: generations")
def _older_member(copy: Copy) -> None:
    """As if the member were of before the last steps, in every array that they train."""
    members(copy)
    with held(copy) as variables:
        for variable in variables.of(lambda v: is_trained(v) and bool(v.value.shape), "trainable array"):
            variables[variable.key] = (variables[variable.key] * 0.999).astype(variables[variable.key].dtype)


@damage("packed again", "an archive was unpacked and packed by another program: the same content", "4.6")
def _packed_again(copy: Copy) -> None:
    if copy.artifact.format != keras_archive.NAME:
        raise DoesNotApplyError("it is no archive")
    write_members(copy, members(copy), zipfile.ZIP_DEFLATED)


@damage("another model's file", "two runs, or two folds, save to one path", "3.1")
def _another_model(copy: Copy) -> None:
    for other in copy.original.others:
        theirs = other / copy.artifact.path
        if theirs.is_file() and copy.path.is_file():
            copy.write(copy.path, theirs.read_bytes())
            return
        if theirs.is_dir() and copy.path.is_dir():
            for path in copy.files:
                path.unlink()
            for name in regular_files(other, leave_out=EVIDENCE_DIR):
                if belongs(copy.artifact, name):
                    copy.write(copy.version / name, (other / name).read_bytes())
            return
    raise DoesNotApplyError("no other model beside it has such an artifact")


@damage("encrypted", "an archive was packed again with a password", "4.6")
def _encrypted(copy: Copy) -> None:
    """The flag alone: no reader goes further."""
    if copy.artifact.format != keras_archive.NAME:
        raise DoesNotApplyError("it is no archive")
    data = bytearray(copy.path.read_bytes())
    (directory,) = struct.unpack_from("<I", data, data.rindex(b"PK\x05\x06") + 16)
    data[6] |= 1
    data[directory + 8] |= 1
    copy.write(copy.path, bytes(data))
