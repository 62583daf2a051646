"""TensorFlow's messages, made by the protobuf runtime from their published definitions; no TensorFlow is needed for that."""

from functools import cache
from importlib.resources import files
from typing import Any

from reloadgate.inspection.found import RefusedError

DEEPEST = 100
"""Nesting of messages at which the protobuf runtime stops."""


@cache
def _pool() -> Any:
    from google.protobuf.descriptor_pb2 import FileDescriptorSet
    from google.protobuf.descriptor_pool import DescriptorPool

    pool = DescriptorPool()
    for file in FileDescriptorSet.FromString(
        files("reloadgate.inspection").joinpath("tables/tensorflow.binpb").read_bytes()
    ).file:
        pool.Add(file)
    return pool


def message(name: str, raw: bytes, place: str) -> Any:
    """The message `tensorflow.<name>` of these bytes.

    Raises:
        RefusedError: they are none.
    """
    from google.protobuf.message import DecodeError
    from google.protobuf.message_factory import GetMessageClass

    made = GetMessageClass(_pool().FindMessageTypeByName(f"tensorflow.{name}"))()
    try:
        made.ParseFromString(raw)
    except (DecodeError, RecursionError, ValueError) as error:
        raise RefusedError("damaged", place, f"no {name}: {error}") from None
    return made
